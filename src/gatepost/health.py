"""Probes: `/livez` says that the process runs, `/readyz` whether it should be sent requests."""

from collections.abc import Awaitable, Callable, Mapping

import msgspec

from gatepost.auth.policies import anyone
from gatepost.errors import Problem
from gatepost.request import Action, Request, Response

Ping = Callable[[], Awaitable[object]]


class Probes:
    """`ping` reaches the database; `is_draining` is true from the moment the process is told to stop. `limits` tells
    of the rate limits, which are kept in another way where they cannot be kept as they should: no reason to be sent no
    requests.
    """

    def __init__(self, ping: Ping, is_draining: Callable[[], bool], limits: Callable[[], Mapping[str, object]]) -> None:
        self._ping = ping
        self._is_draining = is_draining
        self._limits = limits

    def actions(self) -> list[Action]:
        """The two probes, free of rate limits."""
        return [
            Action("livez", "GET", "/livez", self.live, allow=anyone, source=__name__, kind="system"),
            Action("readyz", "GET", "/readyz", self.ready, allow=anyone, source=__name__, kind="system"),
        ]

    async def live(self, request: Request) -> Response:
        """200 while the process can answer."""
        return Response(200, b'{"status":"ok"}', cache_control=b"no-store")

    async def ready(self, request: Request) -> Response:
        """200 while requests can be served, 503 with the reason while they cannot."""
        parts = {"database": "ok", "process": "draining" if self._is_draining() else "ok"}
        try:
            await self._ping()
        except Problem as problem:
            parts["database"] = problem.code
        is_ready = all(state == "ok" for state in parts.values())
        body = {"status": "ok" if is_ready else "unavailable", **parts, **self._limits()}
        return Response(200 if is_ready else 503, msgspec.json.encode(body), cache_control=b"no-store")
