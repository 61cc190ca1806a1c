"""The rate limiter: which buckets a request takes a token from, and what the answer says about them.

Two stages: by address before anything else is known, by actor after authentication. Each takes all or none; a refusal
in the second gives the first its token back. The headers are those of draft-ietf-httpapi-ratelimit-headers-10.
"""

import re
from collections.abc import Hashable, Mapping

from gatepost.errors import Header, TooManyRequests
from gatepost.gateway.addresses import network_of
from gatepost.gateway.buckets import Buckets, Rule
from gatepost.limits import RateLimit
from gatepost.observations import LimitExceeded, Observations
from gatepost.request import Action, Request


class RuleSet:
    """Rules that one request takes from together, with the encoded policy header and the template of the figures.

    `only` is the rule of a set of one, which most sets are.
    """

    __slots__ = ("_unions", "only", "policy", "rules", "template")

    def __init__(self, rules: tuple[Rule, ...]) -> None:
        self.rules = rules
        self.only = rules[0] if len(rules) == 1 else None
        policy = ", ".join(f"{_quoted(rule.name)};q={rule.limit.count};w={rule.limit.per:.0f}" for rule in rules)
        self.policy: Header = (b"ratelimit-policy", policy.encode())
        self.template = ", ".join(f"{_quoted(rule.name)};r=%d;t=%d" for rule in rules).encode()
        self._unions: dict[RuleSet, RuleSet] = {}

    def union(self, other: "RuleSet") -> "RuleSet":
        """The rules of both, made once."""
        union = self._unions.get(other)
        if union is None:
            union = self._unions[other] = RuleSet(self.rules + other.rules)
        return union


class Admission:
    """What was taken for one request: from which rules, by which address or actor, and how much each bucket lacks."""

    __slots__ = ("key", "lacks", "rule_set")

    def __init__(self, rule_set: RuleSet, key: Hashable, lacks: tuple[int, ...]) -> None:
        self.rule_set = rule_set
        self.key = key
        self.lacks = lacks

    def headers(self) -> tuple[Header, Header]:
        """`RateLimit-Policy` and `RateLimit`: `r` are whole tokens left, `t` the seconds until the bucket is full."""
        rule_set = self.rule_set
        figures: tuple[int, ...] = ()
        for rule, lack in zip(rule_set.rules, self.lacks, strict=True):
            figures += rule.figures(lack)
        return rule_set.policy, (b"ratelimit", rule_set.template % figures)


class Limiter:
    """Takes tokens for requests. `limits` maps the kinds of actions to their default; kind "system" is exempt."""

    def __init__(self, limits: Mapping[str, RateLimit], buckets: Buckets, observations: Observations) -> None:
        self._buckets = buckets
        self._address = _Stage(limits, buckets, "")
        self._actor = _Stage(limits, buckets, "-actor")
        self._emit_exceeded = observations.emitter(LimitExceeded)

    def admit_address(self, request: Request) -> None:
        """First stage, called by the gate. Raises `TooManyRequests`. A request without an action counts as "api"."""
        rule_set = self._address.rule_set(request.action)
        if rule_set is None:
            return
        client = request.client
        key = network_of(client) if ":" in client else client
        outcome = self._take(rule_set, key)
        if isinstance(outcome, Rule):
            self._refuse(request, rule_set, key, outcome)
        else:
            request.admission = Admission(rule_set, key, outcome)

    def admit_actor(self, request: Request) -> None:
        """Second stage, called once the actor is known. Raises `TooManyRequests`; takes nothing from the anonymous."""
        key = request.actor.id
        rule_set = self._actor.rule_set(request.action)
        if key is None or rule_set is None:
            return
        outcome = self._take(rule_set, key)
        first: Admission | None = request.admission
        if isinstance(outcome, Rule):
            if first is not None:
                self._buckets.give_back(first.rule_set.rules, first.key)
            self._refuse(request, rule_set, key, outcome)
        elif first is None:
            request.admission = Admission(rule_set, key, outcome)
        else:
            request.admission = Admission(first.rule_set.union(rule_set), first.key, first.lacks + outcome)

    def _take(self, rule_set: RuleSet, key: Hashable) -> tuple[int, ...] | Rule:
        rule = rule_set.only
        if rule is None:
            return self._buckets.take(rule_set.rules, key)
        lack = rule.take(key, self._buckets.clock())
        return (lack,) if lack >= 0 else rule

    def _refuse(self, request: Request, rule_set: RuleSet, key: Hashable, refused: Rule) -> None:
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


class _Stage:
    """The rules of one stage: by kind of action, or the action's own."""

    def __init__(self, limits: Mapping[str, RateLimit], buckets: Buckets, suffix: str) -> None:
        self._buckets = buckets
        self._suffix = suffix
        self._by_kind: dict[str, RuleSet | None] = {
            kind: RuleSet((buckets.rule(kind + suffix, limit),)) for kind, limit in limits.items()
        }
        self._default = self._by_kind["api"]
        self._by_kind["system"] = None
        self._by_action: dict[Action, RuleSet] = {}

    def rule_set(self, action: Action | None) -> RuleSet | None:
        if action is None:
            return self._default
        if not action.limits:
            return self._by_kind.get(action.kind, self._default)
        rule_set = self._by_action.get(action)
        return self._make(action) if rule_set is None else rule_set

    def _make(self, action: Action) -> RuleSet:
        names = [f"{action.name}{self._suffix}"] * len(action.limits)
        if len(names) > 1:
            names = [f"{name} {limit}" for name, limit in zip(names, action.limits, strict=True)]
        pairs = zip(names, action.limits, strict=True)
        rule_set = self._by_action[action] = RuleSet(tuple(self._buckets.rule(name, limit) for name, limit in pairs))
        return rule_set


def _quoted(name: str) -> str:
    """A structured field string (RFC 9651): printable ASCII, quotes and backslashes escaped."""
    printable = re.sub(r"[^\x20-\x7e]", "_", name)
    return '"' + printable.replace("\\", "\\\\").replace('"', '\\"').replace("%", "_") + '"'
