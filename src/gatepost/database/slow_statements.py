"""`SlowStatements`: tells which statements take long, each once a minute, however often that is."""

import time

from gatepost.database.statements import Statement
from gatepost.events import Events, StatementSlow

QUIET_SECONDS = 60.0
STATEMENTS_MAX = 500
"""So many are known apart; others are not told."""


class SlowStatements:
    """Those of one process."""

    def __init__(self, events: Events) -> None:
        self._events = events
        self._told: dict[str, tuple[float, int]] = {}  # by name: when it may be told again, and how often it was not

    def note(self, statement: Statement, seconds: float) -> None:
        """One took so long."""
        name, now = statement.name, time.monotonic()
        again_at, count = self._told.get(name, (0.0, 0))
        if now < again_at:
            self._told[name] = again_at, count + 1
            return
        if name not in self._told and len(self._told) >= STATEMENTS_MAX:
            return
        self._told[name] = now + QUIET_SECONDS, 0
        self._events.emit(StatementSlow(statement=name, sql=statement.sql, seconds=seconds, count=count + 1))
