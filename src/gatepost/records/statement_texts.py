"""The SQL that an application has run, by the names of its statements, as an instance keeps it."""

import time

import msgspec

from gatepost.events import Events, StatementMet
from gatepost.logging.text import shortened
from gatepost.records.outbox import Outbox
from gatepost.records.reports import Report
from gatepost.records.snapshots import Snapshot

NAMES_MAX = 500
TEXTS_MAX = 8
SQL_LENGTH_MAX = 4_000


class StatementText(Report):
    """A process has met a statement `at` a moment, in seconds since the epoch: its name, and its text without
    values."""

    name: str
    sql: str
    at: float


class StatementTexts:
    """The texts in a file: of each name those that were met last."""

    def __init__(self, file: Snapshot) -> None:
        self._file = file
        self._by_name = file.load_as(dict[str, list[StatementText]]) or {}
        self.is_saved = True

    def add(self, met: StatementText) -> None:
        """Keep one. The name that was met longest ago makes room for another."""
        others = [text for text in self._by_name.pop(met.name, []) if text.sql != met.sql]
        if len(self._by_name) >= NAMES_MAX:
            del self._by_name[min(self._by_name, key=lambda name: self._by_name[name][-1].at)]
        self._by_name[met.name] = [*others[-(TEXTS_MAX - 1) :], met]
        self.is_saved = False

    def forget(self, before: float) -> None:
        """Forget what was met before a moment, in seconds since the epoch."""
        for name, texts in list(self._by_name.items()):
            self._by_name[name] = [text for text in texts if text.at >= before]
            if not self._by_name[name]:
                del self._by_name[name]
        self.is_saved = False

    def by_name(self) -> dict[str, list[str]]:
        """The texts of each name, the one that was met last first."""
        return {name: [text.sql for text in texts[::-1]] for name, texts in list(self._by_name.items())}

    def save(self) -> None:
        """Write the file. What does not fit is what was met longest ago."""
        kept = sorted(self._by_name.items(), key=lambda item: item[1][-1].at)
        data = msgspec.msgpack.encode(dict(kept))
        while len(data) > self._file.bytes_max:
            kept = kept[len(kept) // 4 + 1 :]
            data = msgspec.msgpack.encode(dict(kept))
        self.is_saved = self._file.save(data)


def report_statements(source: Events, outbox: Outbox) -> None:
    """Tell the monitor of each that is met. Call it before the application is started."""

    def report(event: StatementMet) -> None:
        outbox.put(StatementText(event.statement, shortened(event.sql, SQL_LENGTH_MAX), time.time()))

    source.subscribe(StatementMet, report)
