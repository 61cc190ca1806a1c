"""`SlowStatements`: tells which statements take long, each once a minute, however often that is."""

import time
from hashlib import blake2s
from typing import NamedTuple

from gatepost.database.masked_sql import without_literals
from gatepost.database.statements import Statement
from gatepost.events import Events, StatementSlow

QUIET_SECONDS = 60.0
STATEMENTS_MAX = 500
"""So many are known apart; others are not told."""


class SessionStatement(NamedTuple):
    """What a service sends through its session. `name` is the path of the resource and `session`: texts would be too
    many names."""

    name: str
    text: str


class SlowStatements:
    """Those of one process."""

    def __init__(self, events: Events) -> None:
        self._events = events
        self._told: dict[str, tuple[float, int]] = {}  # by name: when it may be told again, and how often it was not

    def note(self, statement: Statement | SessionStatement, seconds: float) -> None:
        """One took so long."""
        name, sql = _told_as(statement)
        now = time.monotonic()
        again_at, count = self._told.get(name, (0.0, 0))
        if now < again_at:
            self._told[name] = again_at, count + 1
            return
        if name not in self._told and len(self._told) >= STATEMENTS_MAX:
            return
        self._told[name] = now + QUIET_SECONDS, 0
        self._events.emit(StatementSlow(statement=name, sql=sql, seconds=seconds, count=count + 1))


def _told_as(statement: Statement | SessionStatement) -> tuple[str, str]:
    """Its name and its text. A text of a service may hold values, which are masked; a digest tells several apart."""
    if isinstance(statement, Statement):
        return statement.name, statement.sql
    sql = without_literals(statement.text)
    return f"{statement.name}.{blake2s(sql.encode(), digest_size=3).hexdigest()}", sql
