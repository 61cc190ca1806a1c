"""Statements that take long, as an instance keeps them: each once, the slowest first."""

import time

import msgspec

from gatepost.events import Events, StatementSlow
from gatepost.records.reports import Report, Reports
from gatepost.records.snapshots import Snapshot

STATEMENTS_MAX = 200
DROPPED_TOGETHER = 10
"""Statements that make room for those of others, at a time."""


class SlowStatement(Report):
    """A statement was slow `count` times, the last time at `at`, seconds since the epoch, and took `seconds`."""

    name: str
    sql: str
    seconds: float
    count: int
    at: float


class KeptStatement(msgspec.Struct):
    """A statement that was slow: `longest` in seconds. `plan` is how PostgreSQL would run it, as of `explained_at`, or
    why it does not say."""

    name: str
    sql: str
    count: int
    longest: float
    first_at: float
    last_at: float
    plan: str | None = None
    explained_at: float = 0.0


class KeptStatements:
    """The statements in a file. The one that was slow longest ago makes room for another."""

    def __init__(self, file: Snapshot) -> None:
        self._file = file
        found = file.load_as(list[KeptStatement]) or []
        self._kept = {statement.name: statement for statement in found}

    def add(self, slow: SlowStatement) -> None:
        """Keep one that was slow."""
        kept = self._kept.get(slow.name)
        if kept is None:
            if len(self._kept) >= STATEMENTS_MAX:
                del self._kept[min(self._kept.values(), key=lambda statement: statement.last_at).name]
            kept = self._kept[slow.name] = KeptStatement(slow.name, slow.sql, 0, 0.0, slow.at, slow.at)
        kept.sql = slow.sql
        kept.count += slow.count
        kept.longest = max(kept.longest, slow.seconds)
        kept.last_at = slow.at

    def all(self) -> list[KeptStatement]:
        """Those that are kept, the one that took longest first."""
        return sorted(self._kept.values(), key=lambda statement: statement.longest, reverse=True)

    def save(self) -> bool:
        """Write the file; False where the disk does not take it. Where the statements are too long, those that were
        slow longest ago are forgotten."""
        data = msgspec.msgpack.encode(list(self._kept.values()))
        while len(data) > self._file.bytes_max:
            for kept in sorted(self._kept.values(), key=lambda statement: statement.last_at)[:DROPPED_TOGETHER]:
                del self._kept[kept.name]
            data = msgspec.msgpack.encode(list(self._kept.values()))
        return self._file.save(data)


def report_slow_statements(source: Events, reports: Reports) -> None:
    """Tell the monitor of each that is slow. Call it before the application is started."""

    def report(event: StatementSlow) -> None:
        reports.send(SlowStatement(event.statement, event.sql, event.seconds, event.count, time.time()))

    source.subscribe(StatementSlow, report)
