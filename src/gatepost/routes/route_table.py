"""The route table: from method and path to one endpoint, by dictionary, whatever the number of routes.

Pure and built at start; the gate asks it before anything else, so that limits and sizes can depend on the route.
The longer fixed path wins, for every method: a path that stands as it is before one with parameters, of two with
parameters the one that is fixed at the first segment in which they differ, any of them before a mount above it, the
longer mount before the shorter.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

from gatepost.call import METHODS, REFUSED_METHODS, Call, Endpoint, Match, Response
from gatepost.declaring.mount import Mount, taken_by_mount
from gatepost.declaring.policies import anyone
from gatepost.errors import ConfigurationError, MethodNotAllowed, NotFound, NotImplementedMethod
from gatepost.operations import Operation, RouteRules
from gatepost.routes.nearest_paths import NearestPaths

ANY = "*"
"""The method of a mount's route: the mounted application handles every method."""

FindPath = Callable[[str, str], Match | None]
"""What a method and a path below a mount lead to; None where the mount declares nothing for it."""

Routes = dict[str, Match]
"""What the methods of one path lead to."""

T = TypeVar("T")

_PARAMETER = re.compile(r"\{[^{}/]+\}")


class RouteTable:
    """All routes of an app. Segments of paths are fixed, or parameters: `/books/{id}/restock`; mounts take theirs and
    everything below.

    `rules` are those of the endpoints, then those of the mounts, each in the order of declaration.
    """

    def __init__(
        self,
        endpoints: Sequence[Endpoint],
        mounts: Mapping[str, Mount] | None = None,
        paths: Mapping[str, FindPath] | None = None,
        *,
        names_nearest: bool = False,
    ) -> None:
        """`paths` find what the paths of a mount lead to that it declares, by its prefix. With `names_nearest` refusals
        of unknown paths name the path that was probably meant."""
        self._paths = paths or {}
        known = [*(endpoint.operation.path for endpoint in endpoints), *(mounts or ())]
        self._nearest = NearestPaths(known if names_nearest else ())
        self._fixed: dict[str, Routes] = {}
        self._keyed: dict[str, Routes] = {}
        """Paths whose last segment alone is a parameter, by what stands before it: nearly all that have one."""
        self._nested: dict[int, dict[tuple[int, ...], dict[tuple[str, ...], Routes]]] = {}
        """The others, by their number of segments, by the places of the parameters, by the segments that are fixed."""
        for endpoint in endpoints:
            self._add(endpoint)
        self._nested = {length: _most_fixed_first(length, known) for length, known in self._nested.items()}
        nested = [routes for known in self._nested.values() for found in known.values() for routes in found.values()]
        for routes in (*self._fixed.values(), *self._keyed.values(), *nested):
            if "GET" in routes:
                routes.setdefault("HEAD", routes["GET"])
            routes["OPTIONS"] = _options(next(iter(routes.values()))[0], _allow(routes))
        # Asked of the server as a whole (RFC 9110, section 9.3.7).
        self._fixed["*"] = {"OPTIONS": _options(RouteRules(pattern="*"), ", ".join(METHODS).encode())}
        mounted: dict[str, Match] = {
            prefix: (_mount_rules(prefix, mount), None, ()) for prefix, mount in (mounts or {}).items()
        }
        for prefix, match in mounted.items():
            # Among the fixed paths, so that a mount beside `/{id}` costs no request anything.
            taken = self._fixed.get(prefix) or self._keyed.get(prefix)
            if taken is not None:
                raise taken_by_mount(prefix, _name(next(iter(taken.values()))))
            self._fixed[prefix] = {ANY: match}
        self._below = tuple((f"{prefix}/", mounted[prefix]) for prefix in sorted(mounted, key=len, reverse=True))
        self.rules = (
            *(endpoint.operation.rules for endpoint in endpoints),
            *(rules for rules, _, _ in mounted.values()),
        )

    def match(self, method: str, path: str) -> Match:
        """What the request leads to. Raises `NotFound`, `MethodNotAllowed`, `NotImplementedMethod`."""
        routes = self._fixed.get(path)
        values: tuple[str, ...] = ()
        if routes is None:
            stem, _, key = path.rpartition("/")
            routes = self._keyed.get(stem) if key else None
            values = (key,)
            if routes is None and self._nested:
                routes, values = self._find_nested(path)
        if routes is None:
            for prefix, match in self._below:
                if path.startswith(prefix):
                    return self._mounted(method, path, prefix[:-1], match)
            raise NotFound("not_found", f"There is nothing here that you may see.{self._nearest.hint(path)}")
        found = routes.get(method) or routes.get(ANY)
        if found is None:
            raise _wrong_method(method, routes)
        rules, endpoint, _ = found
        if endpoint is None:
            return self._mounted(method, path, path, found)
        return rules, endpoint, values

    def _mounted(self, method: str, path: str, prefix: str, match: Match) -> Match:
        find = self._paths.get(prefix)
        return match if find is None else find(method, path[len(prefix) :] or "/") or match

    def _find_nested(self, path: str) -> tuple[Routes | None, tuple[str, ...]]:
        segments = path.split("/")
        for places, found in self._nested.get(len(segments), {}).items():
            values = tuple([segments[place] for place in places])
            routes = found.get(_fixed_segments(segments, places))
            if routes is not None and all(values):
                is_mounted = any(path.startswith(prefix) and prefix.count("/") > places[0] for prefix, _ in self._below)
                return (None, ()) if is_mounted else (routes, values)
        return None, ()

    def _add(self, endpoint: Endpoint) -> None:
        operation = endpoint.operation
        methods = self._routes_of(operation.path)
        if operation.method in methods:
            raise ConfigurationError(
                f"{operation.method} {operation.path} is both {_name(methods[operation.method])} and {operation.name}.",
                hint="Choose another path=.",
            )
        methods[operation.method] = operation.rules, endpoint, ()

    def _routes_of(self, path: str) -> Routes:
        segments = path.split("/")
        places = tuple(place for place, segment in enumerate(segments) if _PARAMETER.fullmatch(segment))
        if not places:
            return self._fixed.setdefault(path, {})
        if places == (len(segments) - 1,):
            return self._keyed.setdefault(path.rpartition("/")[0], {})
        found = self._nested.setdefault(len(segments), {}).setdefault(places, {})
        return found.setdefault(_fixed_segments(segments, places), {})


def _most_fixed_first(length: int, known: dict[tuple[int, ...], T]) -> dict[tuple[int, ...], T]:
    return {places: known[places] for places in sorted(known, key=lambda each: [n in each for n in range(length)])}


def _fixed_segments(segments: Sequence[str], places: Sequence[int]) -> tuple[str, ...]:
    return tuple([segment for place, segment in enumerate(segments) if place not in places])


def _name(match: Match) -> str:
    rules, endpoint, _ = match
    return rules.pattern if endpoint is None else endpoint.operation.name


def _allow(routes: Mapping[str, Match]) -> bytes:
    return ", ".join(method for method in METHODS if method in routes or method == "OPTIONS").encode()


def _wrong_method(method: str, routes: Mapping[str, Match]) -> MethodNotAllowed | NotImplementedMethod:
    if method not in METHODS and method not in REFUSED_METHODS:
        return NotImplementedMethod("method_not_implemented", f"No path of this server supports {method[:20]!r}.")
    allow = _allow(routes)
    detail = f"This path supports {allow.decode()}."
    return MethodNotAllowed("method_not_allowed", detail, headers=[(b"allow", allow)])


def _options(sibling: RouteRules, allow: bytes) -> Match:
    """OPTIONS of the path of `sibling`."""

    async def options(call: Call) -> Response:
        return Response(204, b"", ((b"allow", allow),))

    rules = RouteRules(pattern=sibling.pattern, headers=sibling.headers, cors=sibling.cors)
    operation = Operation(name="options", method="OPTIONS", rules=rules, allow=anyone, source=__name__)
    return rules, Endpoint(operation, options), ()


def _mount_rules(prefix: str, mount: Mount) -> RouteRules:
    return RouteRules(
        pattern=f"{prefix}/*",
        kind="mount",
        headers=mount.headers,
        cors=mount.cors,
        is_foreign=True,
        waits_elsewhere=True,
    )
