"""The route table: method and path to one action, by dictionary, whatever the number of routes.

Built at start; the gate matches first, so that limits and sizes can depend on the action. The more specific path wins,
for every method: a fixed path before `/{id}`, `/{id}` before a mount above it, the longer mount before the shorter.
"""

from collections.abc import Iterable, Mapping

from gatepost.declaring.mount import Mount, taken_by_mount
from gatepost.declaring.policies import anyone
from gatepost.errors import ConfigurationError, MethodNotAllowed, NotFound, NotImplementedMethod
from gatepost.request import METHODS, REFUSED_METHODS, Action, Request, Response

KEY_SEGMENT = "/{id}"

ANY = "*"
"""The method of a mount's action: the mounted application handles every method."""


class RouteTable:
    """All actions of an app. Paths are fixed, or end in `/{id}`; a mount takes its path and everything below.

    `mounts` are the actions of mounts, in the order of their declaration.
    """

    def __init__(self, actions: Iterable[Action], mounts: Mapping[str, Mount] | None = None) -> None:
        self._fixed: dict[str, dict[str, Action]] = {}
        self._keyed: dict[str, dict[str, Action]] = {}
        for action in actions:
            self._add(action)
        for routes in (*self._fixed.values(), *self._keyed.values()):
            if "GET" in routes:
                routes.setdefault("HEAD", routes["GET"])
            routes["OPTIONS"] = _options_action(next(iter(routes.values())), _allow(routes))
        # `OPTIONS *` is about the server as a whole (RFC 9110, section 9.3.7).
        self._fixed["*"] = {"OPTIONS": _options_action(None, ", ".join(METHODS).encode())}
        mounted = {prefix: _mount_action(prefix, mount) for prefix, mount in (mounts or {}).items()}
        self.mounts = tuple(mounted.values())
        for prefix, action in mounted.items():
            self._add_mount(prefix, action)
        self._below = tuple((f"{prefix}/", mounted[prefix]) for prefix in sorted(mounted, key=len, reverse=True))

    def match(self, method: str, path: str) -> tuple[Action, str | None]:
        """The action and the `{id}` segment. Raises `NotFound`, `MethodNotAllowed`, `NotImplementedMethod`."""
        routes = self._fixed.get(path)
        key: str | None = None
        if routes is None:
            stem, _, key = path.rpartition("/")
            routes = self._keyed.get(stem) if key else None
        if routes is None:
            for prefix, action in self._below:
                if path.startswith(prefix):
                    return action, None
            raise NotFound("not_found", "There is nothing here that you may see.")
        found = routes.get(method) or routes.get(ANY)
        if found is None:
            raise _wrong_method(method, routes)
        return found, key

    def _add(self, action: Action) -> None:
        keyed = action.pattern.endswith(KEY_SEGMENT)
        path = action.pattern.removesuffix(KEY_SEGMENT)
        methods = (self._keyed if keyed else self._fixed).setdefault(path, {})
        if action.method in methods:
            taken = methods[action.method]
            raise ConfigurationError(
                f"{action.method} {action.pattern} is both {taken.name} and {action.name}.",
                hint="Choose another path=.",
            )
        methods[action.method] = action

    def _add_mount(self, prefix: str, action: Action) -> None:
        # Among the fixed paths, so that a mount beside `/{id}` adds no work to a request.
        taken = self._fixed.get(prefix) or self._keyed.get(prefix)
        if taken is not None:
            raise taken_by_mount(prefix, next(iter(taken.values())).name)
        self._fixed[prefix] = {ANY: action}


def _allow(routes: dict[str, Action]) -> bytes:
    return ", ".join(method for method in METHODS if method in routes or method == "OPTIONS").encode()


def _wrong_method(method: str, routes: dict[str, Action]) -> MethodNotAllowed | NotImplementedMethod:
    if method not in METHODS and method not in REFUSED_METHODS:
        return NotImplementedMethod("method_not_implemented", f"No path of this server supports {method[:20]!r}.")
    allow = _allow(routes)
    detail = f"This path supports {allow.decode()}."
    return MethodNotAllowed("method_not_allowed", detail, headers=[(b"allow", allow)])


def _options_action(sibling: Action | None, allow: bytes) -> Action:
    """OPTIONS of the path of `sibling`, or of the server."""

    async def options(request: Request) -> Response:
        return Response(204, b"", ((b"allow", allow),))

    return Action(
        "options",
        "OPTIONS",
        "*" if sibling is None else sibling.pattern,
        options,
        allow=anyone,
        source=__name__,
        headers=None if sibling is None else sibling.headers,
        cors=None if sibling is None else sibling.cors,
    )


def _mount_action(prefix: str, mount: Mount) -> Action:
    async def unused(request: Request) -> Response:
        raise AssertionError("a mount answers by itself")

    return Action(
        f"mount {prefix}",
        ANY,
        f"{prefix}/*",
        unused,
        allow=anyone,
        source="mount=",
        kind="mount",
        headers=mount.headers,
        cors=mount.cors,
    )
