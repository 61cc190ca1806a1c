"""How the archiving of a server's WAL goes, as PostgreSQL itself counts it. Any role may ask."""

from datetime import datetime
from typing import Any, NamedTuple

_ARCHIVER = """
SELECT
  current_setting('archive_mode') AS mode,
  current_setting('archive_command') AS command,
  archived_count, last_archived_wal, last_archived_time,
  failed_count, last_failed_wal, last_failed_time,
  coalesce(last_failed_time > coalesce(last_archived_time, '-infinity'), false) AS is_failing,
  clock_timestamp() AS now
FROM pg_stat_archiver
"""


class Archiver(NamedTuple):
    """How archiving goes, by pg_stat_archiver. The counts are since its statistics were reset."""

    mode: str
    command: str
    archived_count: int
    last_archived_wal: str | None
    last_archived_time: datetime | None
    failed_count: int
    last_failed_wal: str | None
    last_failed_time: datetime | None
    is_failing: bool
    now: datetime

    @property
    def is_on(self) -> bool:
        return self.mode != "off"


async def read_archiver(connection: Any) -> Archiver:
    """Ask over a connection of asyncpg."""
    row = await connection.fetchrow(_ARCHIVER)
    assert row is not None  # noqa: S101 - the view has one row
    return Archiver(**dict(row))
