"""The two stages of the rate limiter: by address before authentication, by actor or account after it.

First in the gate, and again behind authentication. Each stage takes a token of every limit or of none; a refusal in the
second stage gives the token of the first back. A successful sign-in gets all its tokens back, so that only failures are
limited. The headers are those of draft-ietf-httpapi-ratelimit-headers-10.

Both stages return None if they have decided, as nearly always, and else an awaitable: a coroutine per request would
cost more than the decision.
"""

import re
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence

import msgspec

from gatepost.call import Call
from gatepost.declaring.rate_limits import RateLimit
from gatepost.errors import Header, TooManyRequests
from gatepost.events import Events, LimitExceeded
from gatepost.gateway.addresses import network_of
from gatepost.gateway.buckets import Buckets, TakeRefused
from gatepost.gateway.buckets.bucket_spec import BucketSpec, TakeOutcome
from gatepost.operations import RouteRules

WriteHeaders = Callable[[tuple[int, ...]], tuple[Header, Header]]
"""Makes `RateLimit-Policy` and `RateLimit` of what each bucket lacks."""

ACCOUNT, DEVICE = "auth-account", "auth-device"
"""The names of the limits of one account, and of one device that has signed in to it before."""


class LimitSet:
    """Rules that one request takes from together, and what writes their headers."""

    __slots__ = (
        "give_back",
        "group",
        "specs",
        "take",
        "take_remote",
        "unions",
        "write",
    )

    def __init__(self, buckets: Buckets, specs: Sequence[tuple[str, RateLimit]], *, strict: bool) -> None:
        self.group = group = buckets.group(specs, strict=strict)
        self.take = group.take
        self.take_remote = group.take_remote
        self.give_back = group.give_back
        self.specs = group.specs
        self.write = _writer(self.specs)
        self.unions: dict[LimitSet, WriteHeaders] = {}

    def with_others(self, other: "LimitSet") -> WriteHeaders:
        """What writes the headers of the rules of both, to be made once."""
        union = self.unions[other] = _writer(self.specs + other.specs)
        return union


class Admission(msgspec.Struct, gc=False):
    """What was taken for one request in one stage: from which rules, by whose key, when, and how much each bucket
    lacks since then. `also` is what the other stage took."""

    limit_set: LimitSet
    key: str
    deficits: tuple[int, ...]
    at: int
    also: "Admission | None" = None

    def headers(self) -> tuple[Header, Header]:
        """`RateLimit-Policy` and `RateLimit`: `r` are whole tokens left, `t` the seconds until the bucket is full."""
        limit_set, also = self.limit_set, self.also
        if also is None:
            return limit_set.write(self.deficits)
        write = limit_set.unions.get(also.limit_set) or limit_set.with_others(also.limit_set)
        return write(self.deficits + also.deficits)

    def give_back(self) -> None:
        """Give back what was taken, here and in the other stage, and say so in the headers."""
        self.limit_set.give_back(self.key, self.deficits, self.at)
        specs = self.limit_set.specs
        self.deficits = tuple(
            deficit if spec.sliding_slots else max(0, deficit - spec.units_per_token)
            for spec, deficit in zip(specs, self.deficits, strict=True)
        )
        if self.also is not None:
            self.also.give_back()


class Limiter:
    """Takes tokens for requests. `limits` maps the kinds of routes to their default; kind "system" is exempt.

    `find_device` reads from a request which device that has signed in before sends it, "" for none. Such a device is
    limited by itself when it signs in, not by its address: other clients cannot use up its tokens. `returns_on_success`
    gives back what a sign-in took that succeeded.
    """

    def __init__(
        self,
        limits: Mapping[str, RateLimit],
        buckets: Buckets,
        events: Events,
        *,
        find_device: Callable[[Call], str] = lambda call: "",
        returns_on_success: bool = True,
    ) -> None:
        self.buckets = buckets
        self._clock = buckets.clock
        self._address = _Stage(limits, buckets, "")
        self._actor = _Stage(limits, buckets, "-actor")
        self._account = LimitSet(buckets, [(ACCOUNT, limits["auth"])], strict=True)
        self._device = LimitSet(buckets, [(DEVICE, limits["auth"])], strict=True)
        self._find_device = find_device
        self._returns_on_success = returns_on_success
        self._emit_exceeded = events.emitter(LimitExceeded)

    def admit_address(self, call: Call) -> Awaitable[None] | None:
        """First stage, called by the gate. Raises `TooManyRequests`. A request without a route counts as "api"."""
        rules = call.rules
        limit_set = self._address[rules]
        if limit_set is None:
            return None
        client = call.client
        key = network_of(client) if ":" in client else client
        if rules is not None and rules.kind == "auth" and (device := self._find_device(call)):
            limit_set, key = self._device, device
        clock, take = self._clock, limit_set.take
        now = clock()
        outcome = take(key, now)
        if type(outcome) is tuple:
            call.admission = Admission(limit_set, key, outcome, now)
            return None
        return self._decide_later(call, limit_set, key, now, outcome)

    def admit_actor(self, call: Call) -> Awaitable[None] | None:
        """Second stage, called once the actor is known. Raises `TooManyRequests`; takes nothing from the anonymous."""
        key = call.actor.key
        if not key:
            return None
        limit_set = self._actor[call.rules]
        if limit_set is None:
            return None
        clock, take = self._clock, limit_set.take
        now = clock()
        outcome = take(key, now)
        if type(outcome) is tuple:
            taken = Admission(limit_set, key, outcome, now)
            if call.admission is None:
                call.admission = taken
            else:
                call.admission.also = taken
            return None
        return self._decide_later(call, limit_set, key, now, outcome)

    async def admit_account(self, call: Call, account: str, *, is_own_device: bool) -> None:
        """Second stage of signing in to `account`. Raises `TooManyRequests`.

        From a device of this account's the first stage has taken all that there is to take. One that came with another
        account's counts as unknown: then the address has not been asked yet.
        """
        if is_own_device:
            return
        if call.admission is not None and call.admission.limit_set is self._device:
            call.admission.give_back()
            call.admission = None
            await self._take(call, self._address[call.rules], network_of(call.client))
        await self._take(call, self._account, account)

    def succeed(self, call: Call) -> None:
        """Give everything back: it was no failure."""
        if self._returns_on_success and call.admission is not None:
            call.admission.give_back()

    def prepare(self, routes: Iterable[RouteRules]) -> None:
        """Make the limits of these routes at start, not with their first request. Raises `ConfigurationError`."""
        for rules in routes:
            self._address[rules]  # pyright: ignore[reportUnusedExpression] - a stage makes what it misses
            self._actor[rules]  # pyright: ignore[reportUnusedExpression]

    def limit_sets(self, kind: str, routes: Iterable[RouteRules]) -> list[LimitSet]:
        """All rules whose keys are of this kind: "address", "actor" or "account". For operators."""
        if kind == "account":
            return [self._account]
        stage = self._address if kind == "address" else self._actor
        return [found for found in dict.fromkeys(stage[rules] for rules in (None, *routes)) if found is not None]

    async def _take(self, call: Call, limit_set: LimitSet | None, key: str) -> None:
        if limit_set is None:
            return
        now = self._clock()
        outcome = limit_set.take(key, now)
        self._apply(call, limit_set, key, now, outcome if outcome is not None else await limit_set.take_remote(key))

    def _decide_later(
        self, call: Call, limit_set: LimitSet, key: str, now: int, outcome: TakeOutcome | None
    ) -> Awaitable[None] | None:
        """Raise the refusal; or, if this process cannot decide, return what asks the shared store."""
        if outcome is None:
            return self._take_remote(call, limit_set, key, now)
        self._apply(call, limit_set, key, now, outcome)
        return None

    async def _take_remote(self, call: Call, limit_set: LimitSet, key: str, now: int) -> None:
        self._apply(call, limit_set, key, now, await limit_set.take_remote(key))

    def _apply(self, call: Call, limit_set: LimitSet, key: str, now: int, outcome: TakeOutcome) -> None:
        first: Admission | None = call.admission
        if not isinstance(outcome, TakeRefused):
            taken = Admission(limit_set, key, outcome, now)
            if first is None:
                call.admission = taken
            else:
                first.also = taken
            return
        if first is not None:
            first.give_back()
        call.admission = Admission(limit_set, key, outcome.deficits, now)
        if self._emit_exceeded is not None:
            self._emit_exceeded(LimitExceeded(limit=outcome.spec.name, key=key))
        raise TooManyRequests(
            "too_many_requests",
            f"The limit of {outcome.spec.limit} is used up; try again in {outcome.seconds} s.",
            headers=[(b"retry-after", b"%d" % outcome.seconds)],
        )


class _Stage(dict[RouteRules | None, LimitSet | None]):
    """The limits of one stage by route: its own, or those of its kind; found once."""

    def __init__(self, limits: Mapping[str, RateLimit], buckets: Buckets, suffix: str) -> None:
        self._buckets = buckets
        self._suffix = suffix
        self._own: dict[tuple[tuple[str, RateLimit], ...], LimitSet] = {}
        self._by_kind: dict[str, LimitSet | None] = {
            kind: LimitSet(buckets, [(kind + suffix, limit)], strict=kind == "auth") for kind, limit in limits.items()
        }
        self._default = self._by_kind["api"]
        self._by_kind["system"] = None

    def __missing__(self, rules: RouteRules | None) -> LimitSet | None:
        if rules is None:
            found = self._default
        elif rules.limits:
            found = self._make(rules)
        else:
            found = self._by_kind.get(rules.kind, self._default)
        self[rules] = found
        return found

    def _make(self, rules: RouteRules) -> LimitSet:
        """Actions that declare the same limit by the same name share its buckets."""
        specs = tuple((f"{name}{self._suffix}", limit) for name, limit in rules.limits)
        if specs not in self._own:
            self._own[specs] = LimitSet(self._buckets, specs, strict=rules.kind == "auth")
        return self._own[specs]


def _writer(specs: Sequence[BucketSpec]) -> WriteHeaders:
    policy = ", ".join(f"{_quoted(spec.name)};q={spec.limit.count};w={spec.limit.per:.0f}" for spec in specs)
    policy_header = (b"ratelimit-policy", policy.encode())
    template = ", ".join(f"{_quoted(spec.name)};r=%d;t=%d" for spec in specs).encode()
    # Called for every response. Nearly all have one bucket per stage, so for one and for two buckets the arithmetic of
    # `BucketSpec.remaining` is written out over numbers in the closure: no loop, no attribute, no call. `-(-a // b)`
    # rounds up: a client that waits for `t` seconds finds a full bucket. Sliding limits take the general form below.
    numbers = [
        (spec.capacity_units, spec.units_per_token, spec.units_per_second) for spec in specs if not spec.sliding_slots
    ]
    if len(specs) == len(numbers) == 1:
        ((capacity_units, units_per_token, units_per_second),) = numbers

        def write_one(deficits: tuple[int, ...]) -> tuple[Header, Header]:
            (deficit,) = deficits
            return policy_header, (
                b"ratelimit",
                template % ((capacity_units - deficit) // units_per_token, -(-deficit // units_per_second)),
            )

        return write_one
    if len(specs) == len(numbers) == 2:
        (capacity_units, units_per_token, units_per_second), second = numbers
        second_capacity_units, second_units_per_token, second_units_per_second = second

        def write_two(deficits: tuple[int, ...]) -> tuple[Header, Header]:
            deficit, second_deficit = deficits
            remaining = (
                (capacity_units - deficit) // units_per_token,
                -(-deficit // units_per_second),
                (second_capacity_units - second_deficit) // second_units_per_token,
                -(-second_deficit // second_units_per_second),
            )
            return policy_header, (b"ratelimit", template % remaining)

        return write_two

    def write(deficits: tuple[int, ...]) -> tuple[Header, Header]:
        remaining = [
            figure for spec, deficit in zip(specs, deficits, strict=True) for figure in spec.remaining(deficit)
        ]
        return policy_header, (b"ratelimit", template % (*remaining,))

    return write


def _quoted(name: str) -> str:
    """A structured field string (RFC 9651): printable ASCII, quotes and backslashes escaped."""
    printable = re.sub(r"[^\x20-\x7e]", "_", name)
    return '"' + printable.replace("\\", "\\\\").replace('"', '\\"').replace("%", "_") + '"'
