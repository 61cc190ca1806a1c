"""The rate limiter: which buckets a request takes a token from, and what the answer says about them.

Two stages: by address before anything else is known, by actor after authentication. Each takes all or none; a refusal
in the second gives the first its token back. The headers are those of draft-ietf-httpapi-ratelimit-headers-10.
"""

import re
from collections.abc import Hashable, Mapping
from typing import Any, NoReturn

import msgspec

from gatepost.errors import Header, TooManyRequests
from gatepost.gateway.addresses import network_of
from gatepost.gateway.buckets import Buckets, Rule
from gatepost.limits import RateLimit
from gatepost.observations import LimitExceeded, Observations
from gatepost.request import Action, Request


class RuleSet:
    """Rules that one request takes from together, with the encoded policy header and the template of the figures.

    `only` is the rule of a set of one, which most sets are. `unions` are kept by the set that was added.
    """

    __slots__ = ("only", "policy", "rules", "scales", "template", "unions")

    def __init__(self, rules: tuple[Rule, ...]) -> None:
        self.rules = rules
        self.scales = tuple((rule.full, rule.step, rule.second) for rule in rules)
        self.only = rules[0] if len(rules) == 1 else None
        policy = ", ".join(f"{_quoted(rule.name)};q={rule.limit.count};w={rule.limit.per:.0f}" for rule in rules)
        self.policy: Header = (b"ratelimit-policy", policy.encode())
        self.template = ", ".join(f"{_quoted(rule.name)};r=%d;t=%d" for rule in rules).encode()
        self.unions: dict[RuleSet, RuleSet] = {}

    def union(self, other: "RuleSet") -> "RuleSet":
        """The rules of both, to be made once."""
        union = self.unions[other] = RuleSet(self.rules + other.rules)
        return union


class Admission(msgspec.Struct, gc=False):
    """What was taken for one request: from which rules, by which address or actor, and how much each bucket lacks."""

    rule_set: RuleSet
    key: Any
    lacks: tuple[int, ...]

    def headers(self) -> tuple[Header, Header]:
        """`RateLimit-Policy` and `RateLimit`: `r` are whole tokens left, `t` the seconds until the bucket is full."""
        rule_set = self.rule_set
        lacks = self.lacks
        if len(lacks) == 2:  # one rule of each stage, as for nearly every request
            (full, step, second), (other_full, other_step, other_second) = rule_set.scales
            lack, other = lacks
            figures: tuple[int, ...] = (
                (full - lack) // step,
                -(-lack // second),
                (other_full - other) // other_step,
                -(-other // other_second),
            )
        else:
            figures = tuple(
                figure
                for (full, step, second), lack in zip(rule_set.scales, lacks, strict=True)
                for figure in ((full - lack) // step, -(-lack // second))
            )
        return rule_set.policy, (b"ratelimit", rule_set.template % figures)


class Limiter:
    """Takes tokens for requests. `limits` maps the kinds of actions to their default; kind "system" is exempt."""

    def __init__(self, limits: Mapping[str, RateLimit], buckets: Buckets, observations: Observations) -> None:
        self._buckets = buckets
        self._clock = buckets.clock
        self._address = _Stage(limits, buckets, "")
        self._actor = _Stage(limits, buckets, "-actor")
        self._emit_exceeded = observations.emitter(LimitExceeded)

    def admit_address(self, request: Request) -> None:
        """First stage, called by the gate. Raises `TooManyRequests`. A request without an action counts as "api"."""
        rule_set = self._address[request.action]
        if rule_set is None:
            return
        client = request.client
        key = network_of(client) if ":" in client else client
        only = rule_set.only
        if only is not None and (lack := only.take(key, self._clock())) >= 0:
            request.admission = Admission(rule_set, key, (lack,))
            return
        outcome = self._take_all(rule_set, key)
        if isinstance(outcome, Rule):
            self._refuse(request, rule_set, key, outcome)
        request.admission = Admission(rule_set, key, outcome)

    def admit_actor(self, request: Request) -> None:
        """Second stage, called once the actor is known. Raises `TooManyRequests`; takes nothing from the anonymous."""
        key = request.actor.id
        rule_set = self._actor[request.action]
        if key is None or rule_set is None:
            return
        first: Admission | None = request.admission
        only = rule_set.only
        outcome: tuple[int, ...] | Rule
        if only is not None and (lack := only.take(key, self._clock())) >= 0:
            outcome = (lack,)
        else:
            outcome = self._take_all(rule_set, key)
            if isinstance(outcome, Rule):
                if first is not None:
                    self._buckets.give_back(first.rule_set.rules, first.key)
                self._refuse(request, rule_set, key, outcome)
        if first is None:
            request.admission = Admission(rule_set, key, outcome)
        else:
            first.rule_set = first.rule_set.unions.get(rule_set) or first.rule_set.union(rule_set)
            first.lacks += outcome

    def _take_all(self, rule_set: RuleSet, key: Hashable) -> tuple[int, ...] | Rule:
        """Take of several rules at once; a single one has been asked, and has refused."""
        return self._buckets.take(rule_set.rules, key) if rule_set.only is None else rule_set.only

    def _refuse(self, request: Request, rule_set: RuleSet, key: Hashable, refused: Rule) -> NoReturn:
        now = self._buckets.clock()
        request.admission = Admission(rule_set, key, tuple(rule.lack(key, now) for rule in rule_set.rules))
        if self._emit_exceeded is not None:
            self._emit_exceeded(LimitExceeded(limit=refused.name, key=str(key)))
        seconds = max(1, refused.seconds_to_token(refused.lack(key, now)))
        raise TooManyRequests(
            "too_many_requests",
            f"The limit of {refused.limit} is used up; try again in {seconds} s.",
            headers=[(b"retry-after", b"%d" % seconds)],
        )


class _Stage(dict[Action | None, RuleSet | None]):
    """The rules of one stage by action: its own, or those of its kind; found once."""

    def __init__(self, limits: Mapping[str, RateLimit], buckets: Buckets, suffix: str) -> None:
        self._buckets = buckets
        self._suffix = suffix
        self._by_kind: dict[str, RuleSet | None] = {
            kind: RuleSet((buckets.rule(kind + suffix, limit),)) for kind, limit in limits.items()
        }
        self._default = self._by_kind["api"]
        self._by_kind["system"] = None

    def __missing__(self, action: Action | None) -> RuleSet | None:
        if action is None:
            found = self._default
        elif action.limits:
            found = self._make(action)
        else:
            found = self._by_kind.get(action.kind, self._default)
        self[action] = found
        return found

    def _make(self, action: Action) -> RuleSet:
        names = [f"{action.name}{self._suffix}"] * len(action.limits)
        if len(names) > 1:
            names = [f"{name} {limit}" for name, limit in zip(names, action.limits, strict=True)]
        pairs = zip(names, action.limits, strict=True)
        return RuleSet(tuple(self._buckets.rule(name, limit) for name, limit in pairs))


def _quoted(name: str) -> str:
    """A structured field string (RFC 9651): printable ASCII, quotes and backslashes escaped."""
    printable = re.sub(r"[^\x20-\x7e]", "_", name)
    return '"' + printable.replace("\\", "\\\\").replace('"', '\\"').replace("%", "_") + '"'
