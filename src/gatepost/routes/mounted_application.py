"""A mounted application as it is called: with its prefix, the actor and the app in its scope."""

from collections.abc import Awaitable, Callable

from gatepost.asgi import ASGIApp, Receive, Scope, Send
from gatepost.call import Call
from gatepost.routes.mounted_lifespan import MountedLifespan

APP = "gatepost.app"
"""The key of the scope under which a mounted application finds the app. `scope["gatepost"]` is the `Call`, whose
`actor` is who sends the request."""

Prepare = Callable[[Call, Receive, Send], Awaitable[tuple[Receive, Send]]]


class MountedApplication:
    """An ASGI application below `prefix`. `admit` finds the actor, `prepare` gives the `receive` and `send` of a
    request; `lifespan` has what its scopes hold."""

    def __init__(
        self,
        prefix: str,
        mounted: ASGIApp,
        admit: Callable[[Call], Awaitable[None]],
        prepare: Prepare,
        lifespan: MountedLifespan,
    ) -> None:
        self._prefix = prefix
        self._mounted = mounted
        self._admit = admit
        self._prepare = prepare
        self.lifespan = lifespan

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request that the gate has admitted."""
        call: Call = scope["gatepost"]
        await self._admit(call)
        receive, send = await self._prepare(call, receive, send)
        root_path = scope.get("root_path", "") + self._prefix
        state = {**scope.get("state", {}), **self.lifespan.state}
        await self._mounted({**scope, "root_path": root_path, "state": state, **self.lifespan.extra}, receive, send)
