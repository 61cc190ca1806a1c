"""Asks a database which letters its trigram indexes see: those of ASCII, or all. It depends on its LC_CTYPE.

Outside the request path: once when the app starts, and again and again where the database is away then, or has not got
the extension yet.
"""

import asyncio
from typing import Protocol

from gatepost.background import background
from gatepost.database.database import Database
from gatepost.errors import Problem
from gatepost.events import Events

RETRY_SECONDS = 2.0

_IS_INSTALLED = "SELECT to_regprocedure('show_trgm(text)') IS NOT NULL AS is_there"
_SEES_UNICODE = "SELECT cardinality(show_trgm('\u00e9')) > 0 AS sees"


class ProbeResult(Protocol):
    """Where the result is kept; None until there is one."""

    sees_unicode: bool | None


class TrigramProbe:
    """Asks `database`, and keeps what it says in `result`."""

    def __init__(self, database: Database, result: ProbeResult, events: Events) -> None:
        self._database = database
        self._result = result
        self._events = events
        self._task: asyncio.Task[None] | None = None

    async def probe(self) -> None:
        """Ask once; without a reply, keep asking in the background."""
        if not await self._probe():
            self._task = background(self._probe_again(), "probe the trigram indexes", self._events)

    def stop(self) -> None:
        """Ask no more."""
        if self._task is not None:
            self._task.cancel()

    async def _probe(self) -> bool:
        try:
            if not (await self._database.fetch(_IS_INSTALLED))[0]["is_there"]:
                return False
            self._result.sees_unicode = bool((await self._database.fetch(_SEES_UNICODE))[0]["sees"])
        except Problem:
            return False
        return True

    async def _probe_again(self) -> None:
        while True:
            await asyncio.sleep(RETRY_SECONDS)
            if await self._probe():
                return
