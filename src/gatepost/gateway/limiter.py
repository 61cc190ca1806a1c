"""The two stages of the rate limiter: by address before authentication, by actor or account after it.

First in the gate, and again behind authentication. Each stage takes a token of every limit or of none; a refusal in the
second stage gives the token of the first back. A successful sign-in gets all its tokens back, so that only failures are
limited. `limit_sets.py` writes the headers.

Both stages return None if they have decided, as nearly always, and else an awaitable: a coroutine per request would
cost more than the decision.
"""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from hashlib import blake2b

from gatepost.call import Call
from gatepost.declaring.rate_limits import RateLimit
from gatepost.errors import TooManyRequests
from gatepost.events import Events, LimitExceeded
from gatepost.gateway.addresses import network_of
from gatepost.gateway.buckets import Buckets, TakeRefused
from gatepost.gateway.buckets.bucket_store import TakeOutcome
from gatepost.gateway.gate_call import GateCall
from gatepost.gateway.limit_sets import LimitSet, TakenTokens
from gatepost.operations import RouteRules

ACCOUNT, DEVICE = "auth-account", "auth-device"
"""The names of the limits of one account, and of one device that has signed in to it before."""


class Limiter:
    """Takes tokens for requests. `limits` maps the kinds of routes to their default; kind "probe" is exempt.

    `find_device` reads from a request which device that has signed in before sends it, "" for none. Such a device is
    limited by itself when it signs in, not by its address: other clients cannot use up its tokens. `returns_on_success`
    gives back what a sign-in took that succeeded. `decisions` are all that were made, `remote_decisions` those that a
    shared store was asked for.
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
        self.decisions = 0
        self.remote_decisions = 0
        self._clock = buckets.clock
        self._address = _Stage(limits, buckets, "")
        self._actor = _Stage(limits, buckets, "-actor")
        self._attempts = self._address.of_kind("auth")
        self._account = LimitSet(buckets, [(ACCOUNT, limits["auth"])], strict=True)
        self._device = LimitSet(buckets, [(DEVICE, limits["auth"])], strict=True)
        self._find_device = find_device
        self._returns_on_success = returns_on_success
        self._emit_exceeded = events.emitter(LimitExceeded)

    def admit_address(self, call: GateCall) -> Awaitable[None] | None:
        """First stage, called by the gate. Raises `TooManyRequests`. A request without a route counts as "api"."""
        rules = call.rules
        limit_set = self._address[rules]
        if limit_set is None:
            return None
        client = call.client
        key = network_of(client) if ":" in client else client
        if rules is not None and rules.kind == "auth" and (device := self._find_device(call)):
            limit_set, key = self._device, device
        return self._take(call, limit_set, key)

    def admit_actor(self, call: Call) -> Awaitable[None] | None:
        """Second stage, called once the actor is known. Raises `TooManyRequests`; takes nothing from the anonymous."""
        key = call.actor.key
        if not key:
            return None
        limit_set = self._actor[call.rules]
        if limit_set is None:
            return None
        assert isinstance(call, GateCall)  # noqa: S101 - the gate makes every call
        return self._take(call, limit_set, key)

    async def admit_attempt(self, call: Call) -> None:
        """Take for an attempt to sign in or to register what a path of kind "auth" takes in the first stage: of the
        address, or of a device that has signed in before. Raises `TooManyRequests`.

        The first attempt of a request to such a path has taken it already, and so has one whose transaction runs
        again. What another path took is kept out of it: its tokens stay taken, whatever becomes of the attempt.
        """
        assert isinstance(call, GateCall)  # noqa: S101 - the gate makes every call
        if call.attempts_counted is None:
            call.attempts_counted = int(call.rules is not None and call.rules.kind == "auth")
        call.attempts += 1
        if call.attempts <= call.attempts_counted:
            return
        call.taken = None
        device = self._find_device(call)
        taking = (self._device, device) if device else self._address_of_attempt(call)
        if (pending := self._take(call, *taking)) is not None:
            await pending
        call.attempts_counted = call.attempts

    async def admit_account(self, call: Call, account: str, *, is_own_device: bool) -> None:
        """Second stage of signing in to `account`. Raises `TooManyRequests`.

        From a device of this account's the first stage has taken all that there is to take. One that came with another
        account's counts as unknown: then the address has not been asked yet.
        """
        assert isinstance(call, GateCall)  # noqa: S101 - the gate makes every call
        if is_own_device or call.attempts <= call.accounts_counted:
            return
        if call.taken is not None and call.taken.limit_set is self._device:
            call.taken.give_back()
            call.taken = None
            if (pending := self._take(call, *self._address_of_attempt(call))) is not None:
                await pending
        if (pending := self._take(call, self._account, account)) is not None:
            await pending
        call.accounts_counted = call.attempts

    def succeed(self, call: Call) -> None:
        """Give everything back: it was no failure."""
        assert isinstance(call, GateCall)  # noqa: S101 - the gate makes every call
        if self._returns_on_success and call.taken is not None:
            call.taken.give_back()
            call.attempts_counted = call.accounts_counted = call.attempts - 1

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

    def _address_of_attempt(self, call: Call) -> tuple[LimitSet, str]:
        """What an attempt takes from for its address: the limit of its path, or of all that are of kind "auth"."""
        rules = call.rules
        limit_set = self._address[rules] if rules is not None and rules.kind == "auth" else None
        return limit_set or self._attempts, network_of(call.client)

    def _take(self, call: GateCall, limit_set: LimitSet, key: str) -> Awaitable[None] | None:
        """Take a token of each limit; raises the refusal. Returns what asks the shared store, where this process
        cannot decide."""
        clock, take = self._clock, limit_set.take  # as local names: Python 3.11 is slow at calling such attributes
        now = clock()
        self.decisions += 1
        outcome = take(key, now)
        if outcome is None:
            return self._take_remote(call, limit_set, key, now)
        self._record(call, limit_set, key, now, outcome)
        return None

    async def _take_remote(self, call: GateCall, limit_set: LimitSet, key: str, now: int) -> None:
        self.remote_decisions += 1
        self._record(call, limit_set, key, now, await limit_set.take_remote(key))

    def _record(self, call: GateCall, limit_set: LimitSet, key: str, now: int, outcome: TakeOutcome) -> None:
        first = call.taken
        if not isinstance(outcome, TakeRefused):
            taken = TakenTokens(limit_set, key, outcome, now)
            if first is None:
                call.taken = taken
            else:
                first.also = taken
            return
        if first is not None:
            first.give_back()
        call.taken = TakenTokens(limit_set, key, outcome.deficits, now)
        if self._emit_exceeded is not None:
            # Lines are kept for long, and counted ones are written when no request is there that could mask them.
            shown = account_digest(key) if limit_set is self._account else key
            self._emit_exceeded(LimitExceeded(limit=outcome.spec.name, key=shown))
        raise TooManyRequests(
            "too_many_requests",
            f"The limit of {outcome.spec.limit} is used up; try again in {outcome.seconds} s.",
            headers=[(b"retry-after", b"%d" % outcome.seconds)],
        )


def account_digest(account: str) -> str:
    """What tells accounts apart without their e-mail addresses."""
    return f"account:{blake2b(account.encode(), digest_size=8).hexdigest()}"


class _Stage(dict[RouteRules | None, LimitSet | None]):
    """The limits of one stage by route: its own, or those of its kind; found once."""

    def __init__(self, limits: Mapping[str, RateLimit], buckets: Buckets, suffix: str) -> None:
        self._buckets = buckets
        self._suffix = suffix
        self._own: dict[tuple[tuple[str, RateLimit], ...], LimitSet] = {}
        self._limited = {
            kind: LimitSet(buckets, [(kind + suffix, limit)], strict=kind == "auth") for kind, limit in limits.items()
        }
        self._default = self._limited["api"]
        self._by_kind: dict[str, LimitSet | None] = {**self._limited, "probe": None}

    def of_kind(self, kind: str) -> LimitSet:
        """The default of a kind of routes."""
        return self._limited[kind]

    def __missing__(self, rules: RouteRules | None) -> LimitSet | None:
        found: LimitSet | None
        if rules is None:
            found = self._default
        elif rules.limits:
            found = self._make(rules)
        else:
            found = self._by_kind.get(rules.kind, self._default)
        self[rules] = found
        return found

    def _make(self, rules: RouteRules) -> LimitSet:
        """Routes that declare the same limit by the same name share its buckets."""
        specs = tuple((f"{name}{self._suffix}", limit) for name, limit in rules.limits)
        if specs not in self._own:
            self._own[specs] = LimitSet(self._buckets, specs, strict=rules.kind == "auth")
        return self._own[specs]
