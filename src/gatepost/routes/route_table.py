"""The route table: from method and path to one endpoint, by dictionary, whatever the number of routes.

Pure and built at start; the gate asks it before anything else, so that limits and sizes can depend on the route.
The longer fixed path wins, for every method: a path that stands as it is before `/{id}`, `/{id}` before a mount
above it, the longer mount before the shorter.
"""

from collections.abc import Mapping, Sequence

from gatepost.call import METHODS, REFUSED_METHODS, Call, Endpoint, Match, Response
from gatepost.declaring.mount import Mount, taken_by_mount
from gatepost.declaring.policies import anyone
from gatepost.errors import ConfigurationError, MethodNotAllowed, NotFound, NotImplementedMethod
from gatepost.operations import Operation, RouteRules

KEY_SEGMENT = "/{id}"

ANY = "*"
"""The method of a mount's route: the mounted application handles every method."""


class RouteTable:
    """All routes of an app. Paths are fixed, or end in `/{id}`; mounts take theirs and everything below.

    `rules` are those of the endpoints, then those of the mounts, each in the order of declaration.
    """

    def __init__(self, endpoints: Sequence[Endpoint], mounts: Mapping[str, Mount] | None = None) -> None:
        self._fixed: dict[str, dict[str, Match]] = {}
        self._keyed: dict[str, dict[str, Match]] = {}
        for endpoint in endpoints:
            self._add(endpoint)
        for routes in (*self._fixed.values(), *self._keyed.values()):
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
        if routes is None:
            for prefix, match in self._below:
                if path.startswith(prefix):
                    return match
            raise NotFound("not_found", "There is nothing here that you may see.")
        found = routes.get(method) or routes.get(ANY)
        if found is None:
            raise _wrong_method(method, routes)
        rules, endpoint, _ = found
        return rules, endpoint, values

    def _add(self, endpoint: Endpoint) -> None:
        operation = endpoint.operation
        keyed = operation.path.endswith(KEY_SEGMENT)
        path = operation.path.removesuffix(KEY_SEGMENT)
        methods = (self._keyed if keyed else self._fixed).setdefault(path, {})
        if operation.method in methods:
            raise ConfigurationError(
                f"{operation.method} {operation.path} is both {_name(methods[operation.method])} and {operation.name}.",
                hint="Choose another path=.",
            )
        methods[operation.method] = operation.rules, endpoint, ()


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
    return RouteRules(pattern=f"{prefix}/*", kind="mount", headers=mount.headers, cors=mount.cors, is_foreign=True)
