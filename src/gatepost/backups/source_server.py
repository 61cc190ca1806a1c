"""The server that is backed up: what has to be known of it, whether it archives, and that only one backup is made."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from asyncpg import exceptions as pg

from gatepost.backups.archiver import Archiver, read_archiver
from gatepost.database.privileges import quoted
from gatepost.errors import ConfigurationError
from gatepost.migrations.connections import opened

if TYPE_CHECKING:
    import asyncpg

LOCATION = "GATEPOST_BACKUP_DATABASE_URL"
LOCK_SLOT = "gatepost_backup"
"""The replication slot that a backup holds while it is made. It keeps no WAL, and ends with its connection. A slot
locks the whole server, where an advisory lock would lock one database."""

RECOVERY_SETTINGS = ("max_connections", "max_prepared_transactions", "max_locks_per_transaction", "max_wal_senders")
VERSION_MIN = 14

_FACTS = """
SELECT
  (SELECT system_identifier::text FROM pg_control_system()) AS system_identifier,
  current_setting('server_version_num')::int AS version,
  (SELECT setting::bigint FROM pg_settings WHERE name = 'wal_segment_size') AS segment_bytes,
  pg_is_in_recovery() AS is_standby,
  (SELECT rolname FROM pg_roles WHERE oid = 10) AS superuser,
  (SELECT array_agg(spcname) FROM pg_tablespace WHERE spcname NOT IN ('pg_default', 'pg_global')) AS tablespaces,
  (SELECT rolsuper OR rolreplication FROM pg_roles WHERE rolname = current_user) AS may_copy,
  current_user AS role,
  clock_timestamp() AS now
"""
_LOCK = "SELECT pg_create_physical_replication_slot($1, false, true)"
_SIZE = "SELECT sum(pg_database_size(oid))::bigint FROM pg_database WHERE has_database_privilege(oid, 'CONNECT')"


class ServerFacts(NamedTuple):
    """The server, as it says itself."""

    system_identifier: str
    version: int
    segment_bytes: int
    superuser: str
    settings: dict[str, str]
    now: datetime


class SourceServer:
    """A connection to the server that is backed up."""

    def __init__(self, connection: "asyncpg.Connection[Any]") -> None:
        self._connection = connection

    async def facts(self) -> ServerFacts:
        """Raises ConfigurationError where the server cannot be backed up, with what to do about it."""
        row = await self._connection.fetchrow(_FACTS)
        assert row is not None  # noqa: S101 - a SELECT without FROM has one row
        _check(row)
        rows = await self._connection.fetch(
            "SELECT name, setting FROM pg_settings WHERE name = ANY ($1)", list(RECOVERY_SETTINGS)
        )
        return ServerFacts(
            row["system_identifier"],
            row["version"],
            row["segment_bytes"],
            row["superuser"],
            {item["name"]: item["setting"] for item in rows},
            row["now"],
        )

    async def archiver(self) -> Archiver:
        """How archiving goes."""
        return await read_archiver(self._connection)

    async def now(self) -> datetime:
        """The server's clock, by which transactions are dated."""
        moment: datetime = await self._connection.fetchval("SELECT clock_timestamp()")
        return moment

    async def size_bytes(self) -> int:
        """About how much will be copied."""
        return int(await self._connection.fetchval(_SIZE) or 0)

    async def lock(self) -> None:
        """Be the only one who makes a backup, as long as the connection lives. Raises ConfigurationError."""
        try:
            await self._connection.execute(_LOCK, LOCK_SLOT)
        except pg.DuplicateObjectError:
            raise ConfigurationError(
                "Another backup of this server is being made.",
                location="gatepost backup create",
                hint="Wait for it, or stop it.",
            ) from None
        except pg.PostgresError as error:
            raise ConfigurationError(
                f"A backup needs a replication slot for as long as it is made: {error}.",
                location=LOCATION,
                hint="Raise `max_replication_slots` of the server.",
            ) from None


@asynccontextmanager
async def source_server(dsn: str) -> AsyncGenerator[SourceServer]:
    """The server of a DSN. Raises ConfigurationError where it cannot be reached."""
    async with opened(dsn) as connection:
        yield SourceServer(connection)


def _check(row: Any) -> None:
    if row["version"] // 10_000 < VERSION_MIN:
        raise ConfigurationError(
            f"PostgreSQL {row['version'] // 10_000} is too old.", location=LOCATION, hint="14 or newer is needed."
        )
    if row["is_standby"]:
        raise ConfigurationError(
            "The server is a standby.", location=LOCATION, hint="Back up the primary, which archives the WAL."
        )
    if not row["may_copy"]:
        raise ConfigurationError(
            f"The role {row['role']} may not copy the server.",
            location=LOCATION,
            hint=f"Run as a superuser: ALTER ROLE {quoted(row['role'])} REPLICATION; or let a role of its own do it, "
            f"and name it in {LOCATION}.",
        )
    if row["tablespaces"]:
        raise ConfigurationError(
            f"The server has tablespaces ({', '.join(row['tablespaces'])}), which Gatepost does not back up.",
            location=LOCATION,
            hint="Use pgBackRest for this server.",
        )
