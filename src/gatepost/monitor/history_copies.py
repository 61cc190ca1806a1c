"""`HistoryCopies`: brings the history to `gatepost.history` of the database, and makes longer steps of it there.

What the database lacks is copied from the ring in the order in which it happened, so that also after hours without the
database there is no gap. Longer steps are made of the rows of shorter ones, so that none depends on this process.
"""

import asyncio
import math
from collections.abc import Iterator, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from itertools import islice

from gatepost.monitor.context import MonitorContext
from gatepost.monitor.history_records import STEP_SECONDS, HistoryRecords
from gatepost.records.history import KeptStep
from gatepost.records.records_database import RecordsAway, RecordsConnection
from gatepost.records.step_decoding import decoded
from gatepost.records.step_fitting import fitted
from gatepost.records.steps import Step, merged

KEPT_SECONDS: Mapping[int, int] = {10: 26 * 3600, 60: 8 * 86_400, 600: 35 * 86_400}
"""How long the steps of each length are kept, in seconds."""

DATA_BYTES_MAX: Mapping[int, int] = {60: 3968, 600: 7936}
"""Of the longer steps: two or one of them fit a page. With those of 10 s they take 30 MiB a day at most."""

ROWS_MAX = 300
"""So many rows are written, and so many longer steps made, before others use the connection."""

DELETE_ROUNDS = 30
DELETED_MAX = 1000

_LAST = "SELECT at FROM gatepost.history WHERE step_seconds = $2 AND instance = $1 ORDER BY at DESC LIMIT 1"
_INSERT = """
INSERT INTO gatepost.history (instance, step_seconds, at, data) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING
"""
_NEXT = """
SELECT at FROM gatepost.history WHERE step_seconds = $2 AND instance = $1 AND at >= $3 ORDER BY at LIMIT 1
"""
_PARTS = """
SELECT data FROM gatepost.history WHERE step_seconds = $2 AND instance = $1 AND at >= $3 AND at < $4 ORDER BY at
"""
_DELETE = """
DELETE FROM gatepost.history WHERE (step_seconds, at, instance) IN (
  SELECT step_seconds, at, instance FROM gatepost.history
  WHERE step_seconds = $1 AND at < now() - make_interval(secs => $2) ORDER BY at LIMIT $3 FOR UPDATE SKIP LOCKED
)
"""

_LENGTHS = tuple(KEPT_SECONDS)
_TOLERANCE_SECONDS = 0.0005
"""Databases keep microseconds, the ring milliseconds."""


class HistoryCopies:
    """Copies what is new every STEP_SECONDS."""

    def __init__(self, context: MonitorContext, records: HistoryRecords) -> None:
        self._instance = context.monitored.instance
        self._database = context.database
        self._records = records
        self._copied_to: dict[int, float] | None = None
        """By length, when the last step began that the database has; None while that is not known."""
        self._copied_number = 0
        """The last step of the ring that was copied since then: a clock that is set back makes none of them old."""
        self._rounds = 0

    async def run(self) -> None:
        """Copy, without end."""
        while True:
            await self.copy()
            self._rounds += 1
            await asyncio.sleep(STEP_SECONDS)

    async def copy(self) -> None:
        """Copy all that the database lacks, where it is there."""
        try:
            while True:
                async with self._database.copying("history") as connection:
                    is_done = await self._copy_some(connection)
                if is_done:
                    return
        except RecordsAway:
            self._copied_to = None  # it may come back as it was a while ago

    async def _copy_some(self, connection: RecordsConnection) -> bool:
        """Copy up to ROWS_MAX steps. True where that was all."""
        if self._copied_to is None:
            self._copied_to = {length: await self._last(connection, length) for length in _LENGTHS}
            self._copied_number = 0
        found = await self._copy_ring(connection, self._copied_to)
        for length, of in zip(_LENGTHS[1:], _LENGTHS, strict=False):
            found = max(found, await self._make_longer(connection, self._copied_to, length, of))
        if found < ROWS_MAX and self._rounds % DELETE_ROUNDS == 0:
            await self._delete(connection)
        return found < ROWS_MAX

    async def _copy_ring(self, connection: RecordsConnection, copied_to: dict[int, float]) -> int:
        found = list(islice(self._uncopied(copied_to[STEP_SECONDS]), ROWS_MAX))
        rows = [(self._instance, STEP_SECONDS, _moment(kept.since), kept.data) for kept in found]
        if rows:
            await connection.executemany(_INSERT, rows)
            copied_to[STEP_SECONDS] = rows[-1][2].timestamp()
            self._copied_number = found[-1].number
        return len(rows)

    def _uncopied(self, copied_to: float) -> Iterator[KeptStep]:
        if self._copied_number:
            yield from self._records.ring.behind(self._copied_number)
            return
        after = copied_to + _TOLERANCE_SECONDS
        for kept in self._records.ring.steps(after, math.inf):
            if kept.since > after:
                yield kept

    async def _make_longer(
        self, connection: RecordsConnection, copied_to: dict[int, float], length: int, of: int
    ) -> int:
        """Make the longer steps whose shorter ones are all there."""
        for number in range(ROWS_MAX):
            after = copied_to[length] + length if copied_to[length] else 0.0
            first = await connection.fetchval(_NEXT, self._instance, of, _moment(after - _TOLERANCE_SECONDS))
            begin = math.floor(first.timestamp() / length + 1e-9) * length if first is not None else math.inf
            if begin + length > copied_to[of]:
                return number
            ends = _moment(begin), _moment(begin + length)
            rows = await connection.fetch(_PARTS, self._instance, of, *ends)
            steps: list[Step] = []
            for (data,) in rows:
                with suppress(ValueError):  # of a version that comes after this one
                    steps.append(decoded(data))
            if steps:
                data = fitted(merged(steps), DATA_BYTES_MAX[length])
                await connection.execute(_INSERT, self._instance, length, ends[0], data)
            copied_to[length] = begin
        return ROWS_MAX

    async def _last(self, connection: RecordsConnection, length: int) -> float:
        found: datetime | None = await connection.fetchval(_LAST, self._instance, length)
        return 0.0 if found is None else found.timestamp()

    @staticmethod
    async def _delete(connection: RecordsConnection) -> None:
        """What has been kept long enough, of all instances: those that are gone delete nothing."""
        for length, seconds in KEPT_SECONDS.items():
            while await connection.execute(_DELETE, length, seconds, DELETED_MAX) == f"DELETE {DELETED_MAX}":
                pass


def _moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(max(0.0, seconds), UTC)
