"""Behind the gate: the access control, then the endpoint's handler."""

from collections.abc import Awaitable, Callable, Mapping

from gatepost.asgi import ASGIApp, Receive, Scope, Send
from gatepost.call import Call
from gatepost.operations import RouteRules

AdmitRequest = Callable[[Call], Awaitable[None] | None]
"""Finds the actor and refuses what it may not do. Returns what has to be awaited, where that takes time."""


class Dispatch:
    """The innermost ASGI layer. `admit` is that of the access control; mounted applications do without."""

    def __init__(self, *, admit: AdmitRequest, mounts: Mapping[str, ASGIApp]) -> None:
        self._admit = admit
        self._mounts = {f"{prefix}/*": (prefix, app) for prefix, app in mounts.items()}

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request that the gate has admitted."""
        call: Call = scope["gatepost"]
        endpoint = call.endpoint
        if endpoint is None:
            await self._mounted(call.rules, scope, receive, send)
            return
        admit = self._admit  # as a local name: Python 3.11 is slow at calling an attribute that is not a method
        if (pending := admit(call)) is not None:
            await pending
        _, handler = endpoint
        await call.respond(await handler(call))

    async def _mounted(self, rules: RouteRules | None, scope: Scope, receive: Receive, send: Send) -> None:
        assert rules is not None  # noqa: S101 - the gate refuses what matches nothing
        prefix, app = self._mounts[rules.pattern]
        child = {**scope, "root_path": scope.get("root_path", "") + prefix}
        await app(child, receive, send)
