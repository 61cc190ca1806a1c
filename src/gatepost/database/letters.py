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

AGAIN_SECONDS = 2.0

_IS_THERE = "SELECT to_regprocedure('show_trgm(text)') IS NOT NULL AS is_there"
_SEES = "SELECT cardinality(show_trgm('\u00e9')) > 0 AS sees"


class Seen(Protocol):
    """Where the answer is kept; None until there is one."""

    sees_letters: bool | None


class Letters:
    """Asks `database`, and notes the answer in `seen`."""

    def __init__(self, database: Database, seen: Seen, events: Events) -> None:
        self._database = database
        self._seen = seen
        self._events = events
        self._task: asyncio.Task[None] | None = None

    async def ask(self) -> None:
        """Ask, and go on asking in the background where there is no answer."""
        if not await self._is_answered():
            self._task = background(self._go_on(), "asking for letters", self._events)

    def stop(self) -> None:
        """Ask no more."""
        if self._task is not None:
            self._task.cancel()

    async def _is_answered(self) -> bool:
        try:
            if not (await self._database.fetch(_IS_THERE))[0]["is_there"]:
                return False
            self._seen.sees_letters = bool((await self._database.fetch(_SEES))[0]["sees"])
        except Problem:
            return False
        return True

    async def _go_on(self) -> None:
        while True:
            await asyncio.sleep(AGAIN_SECONDS)
            if await self._is_answered():
                return
