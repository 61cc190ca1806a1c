"""What is asked of a restored cluster: how much of it can be read, and when its last transaction was."""

from datetime import datetime
from typing import Any, NamedTuple

import asyncpg

from gatepost.backups.recovering_server import RecoveringServer
from gatepost.errors import ConfigurationError

CONNECT_SECONDS = 30.0

_DATABASES = "SELECT datname FROM pg_database WHERE datallowconn AND datname <> 'template1' ORDER BY 1"
_TABLES = """
SELECT quote_ident(nspname) || '.' || quote_ident(relname)
FROM pg_class JOIN pg_namespace AS space ON space.oid = relnamespace
WHERE relkind IN ('r', 'm') AND relpersistence = 'p' AND nspname <> 'information_schema' ORDER BY 1
"""


class ReadRows(NamedTuple):
    """How much was read."""

    databases: int
    tables: int
    rows: int


async def count_rows(server: RecoveringServer) -> ReadRows:
    """Read every row of every table, catalogs included, as checksums of pages want it. Raises ConfigurationError for
    what cannot be read."""
    databases, tables, rows = await databases_of(server), 0, 0
    for database in databases:
        connection = await _connect(server, database)
        try:
            for record in await connection.fetch(_TABLES):
                tables, table = tables + 1, record[0]
                rows += await connection.fetchval(f"SELECT count(*) FROM ONLY {table}")
        except asyncpg.PostgresError as error:
            raise ConfigurationError(f"A table of the database {database} cannot be read: {error}.") from None
        finally:
            await connection.close()
    return ReadRows(len(databases), tables, rows)


async def databases_of(server: RecoveringServer) -> list[str]:
    """The databases that can be connected to."""
    connection = await _connect(server, "template1")
    try:
        return [row[0] for row in await connection.fetch(_DATABASES)]
    finally:
        await connection.close()


async def last_transaction_at(server: RecoveringServer) -> datetime | None:
    """When the last transaction was committed that was recovered from the log; None for none."""
    connection = await _connect(server, "template1")
    try:
        moment: datetime | None = await connection.fetchval("SELECT pg_last_xact_replay_timestamp()")
        return moment
    finally:
        await connection.close()


async def find_epoch_owners(server: RecoveringServer, always: str | None) -> dict[str, str]:
    """The databases that have the schema of Gatepost, and `always` where it exists, each with the role that the schema
    belongs to, or is to belong to."""
    owners: dict[str, str] = {}
    for database in await databases_of(server):
        connection = await _connect(server, database)
        try:
            row = await connection.fetchrow(
                "SELECT pg_get_userbyid(datdba) AS database_owner, (SELECT pg_get_userbyid(nspowner) FROM pg_namespace "
                "WHERE nspname = 'gatepost') AS schema_owner FROM pg_database WHERE datname = current_database()"
            )
        finally:
            await connection.close()
        if row is not None and (row["schema_owner"] is not None or database == always):
            owners[database] = row["schema_owner"] or row["database_owner"]
    return owners


async def _connect(server: RecoveringServer, database: str) -> "asyncpg.Connection[Any]":
    settings = {"statement_timeout": "0", "row_security": "off"}
    try:
        return await asyncpg.connect(server.dsn(database), timeout=CONNECT_SECONDS, server_settings=settings)
    except (OSError, TimeoutError, asyncpg.PostgresError) as error:
        raise ConfigurationError(f"The restored database {database} does not admit us: {error}.") from None
