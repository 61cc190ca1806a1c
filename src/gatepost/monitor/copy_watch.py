"""`CopyWatch`: says in the log why some of the records are not copied, once for each reason that lasts."""

import asyncio
import time

from gatepost.events import RecordsNotCopied
from gatepost.monitor.context import MonitorContext

LOOK_SECONDS = 5.0
SAID_AFTER_SECONDS = 30.0
"""The tables may be about to be made."""


class CopyWatch:
    """Looks at how the database is. That it has gone away is said by others; that it was never here is said here."""

    def __init__(self, context: MonitorContext) -> None:
        self._database = context.database
        self._events = context.events
        self._was_here = False
        self._reason = ""
        self._since = 0.0
        self._said = ""

    async def run(self) -> None:
        """Look every LOOK_SECONDS."""
        while True:
            self.look(time.monotonic())
            await asyncio.sleep(LOOK_SECONDS)

    def look(self, now: float) -> None:
        """Say what has been so for SAID_AFTER_SECONDS; `now` is of a clock that is never set."""
        database = self._database
        self._was_here = self._was_here or database.is_here
        reason = database.gap if self._was_here else "never here"
        if reason != self._reason:
            self._reason, self._since = reason, now
        if reason and reason != self._said and now - self._since >= SAID_AFTER_SECONDS:
            self._said = reason
            self._events.emit(RecordsNotCopied(database.state))
