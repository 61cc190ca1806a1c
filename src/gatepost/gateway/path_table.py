"""Matches requests to the declared paths of an application whose routes the gate does not know.

The gate's matcher with `Gate(app)`. It never refuses, because only the application knows which paths and methods exist.
It costs one dictionary lookup for fixed paths, and one regular expression per wider pattern beyond.
"""

import re
from collections.abc import Mapping
from typing import NamedTuple

from gatepost.call import METHODS, Match
from gatepost.declaring.rate_limits import named
from gatepost.errors import ConfigurationError
from gatepost.gateway.path_rules import PathRules
from gatepost.operations import JSON_TYPES, RouteRules
from gatepost.settings import GateSettings

REST = "/*"
_PATTERN = re.compile(rf"(?:({'|'.join(METHODS)}) )?(?=/)((?:/[^/*\s]+)*/?(?:(?<=/)\*)?)", re.ASCII)
_PARAMETER = re.compile(r"\{\w+\}")


class PathPattern(NamedTuple):
    """A declared path: `/login`, `/items/{id}` (any one segment), `/admin/*` (`/admin` and everything below it)."""

    method: str | None
    path: str

    @property
    def segments(self) -> list[str]:
        """The parts between the slashes, without `*`."""
        return self.path.removesuffix(REST).split("/")[1:]

    @property
    def is_prefix(self) -> bool:
        """Whether it holds for everything below it."""
        return self.path.endswith(REST)

    @property
    def is_fixed(self) -> bool:
        """Whether it holds for one path only."""
        return not self.is_prefix and _PARAMETER.search(self.path) is None

    def covers(self, other: "PathPattern") -> bool:
        """Whether this pattern holds wherever the other one does, and further."""
        mine, theirs = self.segments, other.segments
        is_long_enough = (
            len(mine) <= len(theirs) if self.is_prefix else len(mine) == len(theirs) and not other.is_prefix
        )
        is_wider = is_long_enough and self.method in (None, other.method) and self != other
        return is_wider and all(_is_parameter(a) or a == b for a, b in zip(mine, theirs, strict=False))

    def specificity(self) -> tuple[object, ...]:
        """Sort key, most specific first: at the first segment that differs a fixed one precedes a parameter, a
        parameter precedes `*`, and then a pattern with a method precedes one without."""
        ranks = [int(_is_parameter(each)) for each in self.segments]
        return ([*ranks, 2] if self.is_prefix else ranks, self.method is None)

    def compiled(self) -> re.Pattern[str]:
        """A regular expression for the paths that it holds for."""
        parts = ["[^/]+" if _is_parameter(each) else re.escape(each) for each in self.segments]
        return re.compile("".join(f"/{part}" for part in parts) + ("(?:/.*)?" if self.is_prefix else ""), re.DOTALL)

    def holds_for(self, method: str) -> bool:
        """Whether it holds for a method; HEAD is GET without the body."""
        return self.method is None or self.method == ("GET" if method == "HEAD" else method)

    def __str__(self) -> str:
        return self.path if self.method is None else f"{self.method} {self.path}"


class PathTable:
    """The routes of declared paths.

    `rules` lists those of all, `declared` without that of the other paths, `strict` those whose JSON is checked,
    `sign_ins` what is declared for those that watch sign-ins, and for which path. Those of a mount are below its
    `prefix`; mistakes name the `location` of the declaration.
    """

    def __init__(
        self, paths: Mapping[str, PathRules], settings: GateSettings, *, prefix: str = "", location: str = "Gate(paths"
    ) -> None:
        self._prefix = prefix
        self._location_prefix = location
        declared: dict[PathPattern, PathRules] = {}
        for given, rules in paths.items():
            pattern = _read(given, location)
            if pattern in declared:
                raise ConfigurationError("is declared twice.", location=self._location(pattern))
            if not isinstance(rules, PathRules):  # pyright: ignore[reportUnnecessaryIsInstance] - what users write
                hint = f'Write "{pattern}": PathRules(rate_limit=...).'
                raise ConfigurationError(f"{rules!r} is not a PathRules.", location=self._location(pattern), hint=hint)
            rules.check(self._location(pattern))
            declared[pattern] = rules
        self._factor = settings.limit_factor or 1
        self.strict: set[RouteRules] = set()
        self.sign_ins: dict[RouteRules, tuple[PathRules, PathPattern]] = {}
        self._default = self._route(PathPattern(None, REST), PathRules())
        ordered = sorted(declared, key=PathPattern.specificity)
        made = {pattern: self._route(pattern, _inherited(pattern, declared, ordered)) for pattern in ordered}
        self.declared = tuple(rules for rules, _, _ in made.values())
        self.rules = (*self.declared, self._default[0])
        self._wider = tuple((each, each.compiled(), made[each]) for each in ordered if not each.is_fixed)
        self._fixed: dict[str, list[tuple[PathPattern, Match]]] = {}
        for pattern in ordered:
            if pattern.is_fixed:
                self._fixed.setdefault(pattern.path, []).append((pattern, made[pattern]))

    def match(self, method: str, path: str) -> Match:
        """The route of the most specific pattern that holds for this request; that of all others if none does."""
        return self.find(method, path) or self._default

    def find(self, method: str, path: str) -> Match | None:
        """The route of the most specific pattern that holds for this request."""
        for pattern, match in self._fixed.get(path, ()):
            if pattern.holds_for(method):
                return match
        for pattern, compiled, match in self._wider:
            if pattern.holds_for(method) and compiled.fullmatch(path) is not None:
                return match
        return None

    def _route(self, pattern: PathPattern, rules: PathRules) -> Match:
        types = rules.content_types
        route = RouteRules(
            pattern=self._prefix + pattern.path,
            kind="auth" if rules.auth else "probe" if rules.probe else "api",
            limits=named(f"{self._prefix}{pattern}", [limit.times(self._factor) for limit in rules.limits])
            if rules.limits
            else (),
            body_bytes_max=rules.body_bytes_max,
            content_types=JSON_TYPES if types is None else frozenset(name.encode() for name in types),
            headers=rules.composed_headers(self._location(pattern)),
            cors=rules.cors,
            is_foreign=True,
            waits_elsewhere=True,
        )
        if rules.strict_json is not False:
            self.strict.add(route)
        rules.check_combined(self._location(pattern))
        if rules.account is not None or rules.signed_in is not None:
            self.sign_ins[route] = rules, pattern
        return route, None, ()

    def _location(self, pattern: PathPattern) -> str:
        return f'{self._location_prefix}["{pattern}"])'


def _inherited(
    pattern: PathPattern, declared: Mapping[PathPattern, PathRules], ordered: list[PathPattern]
) -> PathRules:
    """The rules of a pattern, completed by those of all wider ones, the nearest first."""
    rules = declared[pattern]
    for wider in ordered:
        if wider.covers(pattern):
            rules = rules.completed_by(declared[wider])
    return rules


def _read(given: object, location: str) -> PathPattern:
    found = _PATTERN.fullmatch(given) if isinstance(given, str) else None
    pattern = None if found is None else PathPattern(found[1], found[2])
    if pattern is None or not all(_is_parameter(each) or not {*"{}"} & {*each} for each in pattern.segments):
        raise ConfigurationError(
            f"{given!r} is not a path.",
            location=f"{location}=)",
            hint="Write /login, POST /login, /items/{id}, or /admin/* for everything below it.",
        )
    return pattern


def _is_parameter(segment: str) -> bool:
    return _PARAMETER.fullmatch(segment) is not None
