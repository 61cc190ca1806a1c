"""Behind the gate: who is asking, the second rate limit, the allow rule, then the endpoint's handler."""

from collections.abc import Awaitable, Callable, Mapping

from gatepost.actor import Actor
from gatepost.asgi import ASGIApp, Receive, Scope, Send
from gatepost.auth.denials import access_denied
from gatepost.declaring.policies import anyone, decide
from gatepost.operations import RouteRules
from gatepost.request import Request

FindCachedActor = Callable[[bytes], Actor | None]
"""The cached actor of an `Authorization` header; None where it is not cached."""

IdentifyActor = Callable[[Request], Awaitable[Actor]]
"""The actor of a request; raises 401."""

AdmitActor = Callable[[Request], Awaitable[None] | None]
"""Takes the actor's tokens; raises 429. Returns what has to be awaited, where that takes time."""


class Dispatch:
    """The innermost ASGI layer. `find` is asked first, because it costs nothing; `admit` takes the actor's tokens."""

    def __init__(
        self, *, find: FindCachedActor, identify: IdentifyActor, admit: AdmitActor, mounts: Mapping[str, ASGIApp]
    ) -> None:
        self._find = find
        self._identify = identify
        self._admit = admit
        self._mounts = {f"{prefix}/*": (prefix, app) for prefix, app in mounts.items()}

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request that the gate has admitted."""
        request: Request = scope["gatepost"]
        endpoint = request.endpoint
        if endpoint is None:
            await self._mounted(request.rules, scope, receive, send)
            return
        operation, handler = endpoint
        find, admit = self._find, self._admit
        authorization = request.headers.get(b"authorization")
        if authorization is not None:
            request.actor = find(authorization) or await self._identify(request)
        if (pending := admit(request)) is not None:
            await pending
        if operation.allow is not anyone and decide(operation.allow, request.actor) is False:
            raise access_denied(request.actor, "Your roles do not allow this.")
        await request.respond(await handler(request))

    async def _mounted(self, rules: RouteRules | None, scope: Scope, receive: Receive, send: Send) -> None:
        assert rules is not None  # noqa: S101 - the gate refuses what matches nothing
        prefix, app = self._mounts[rules.pattern]
        child = {**scope, "root_path": scope.get("root_path", "") + prefix}
        await app(child, receive, send)
