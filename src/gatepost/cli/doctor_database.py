"""`gatepost doctor` at the database: reached as a server reaches it, and looked at for what a server needs of it."""

import time
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING, Any

from gatepost.cli.doctor_backups import examine_archiving
from gatepost.cli.doctor_connections import examine_connections
from gatepost.cli.doctor_findings import DoctorFinding, failed
from gatepost.cli.doctor_row_security import examine_row_security
from gatepost.cli.doctor_schema import Schema, examine_columns, examine_schema, examine_sql
from gatepost.errors import ConfigurationError
from gatepost.settings import Settings

if TYPE_CHECKING:
    from gatepost.app import App
    from gatepost.database.connection import RawConnection
    from gatepost.database.database import Database

POSTGRESQL_VERSION_MIN = 14
CLOCK_SECONDS_MAX = 2.0
OTHERS = 4
"""Transactions that are open at the same time, so that a pooler runs out of backends that it could hand out."""

_SETTINGS = "SELECT lower(name) AS name, setting FROM pg_settings WHERE lower(name) = ANY ($1::text[])"
POOLER = (
    "Point DATABASE_URL at PostgreSQL itself: each process has its own pool. If a pooler is required, see "
    "docs/how-to/run-in-production.md."
)


async def examine_database(settings: Settings, app: "App | None") -> list[DoctorFinding]:
    """Every finding, up to the one that the database cannot be reached, or gives no further connection."""
    from gatepost.database.database import Database
    from gatepost.events import Events

    database = Database(str(settings.database.url), settings.database, Events())
    found: list[DoctorFinding] = []
    try:
        async with connected(database) as connection:
            found += [await _version(connection), await _clock(connection), await _session(connection)]
            found.append(await examine_connections(connection, settings))  # first: others need more than one
            found += await examine_archiving(connection, settings.backups)
            found += [await _pooling(database), await _prepared(connection, database)]
            schema = None if app is None else await examine_schema(connection, database.dsn, app)
            if settings.admin.metrics:
                found.append(await _records(connection, schema))
            if app is not None and schema is not None:
                found += [await _identities(connection, app, schema), await examine_row_security(connection, app)]
                found += [await examine_columns(connection, app), await examine_sql(connection, app), schema.finding]
            return found
    except ConfigurationError as error:
        return [*found, failed("database", error)]


@asynccontextmanager
async def connected(database: "Database") -> AsyncGenerator["RawConnection"]:
    """A connection of the kind that a server opens. Raises `ConfigurationError` where there is none."""
    import asyncpg

    from gatepost.database.connection_errors import connection_error

    try:
        connection = await database.connect()
    except (OSError, ValueError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError) as error:
        raise connection_error(error, database.address) from None
    try:
        yield connection
    finally:
        connection.terminate()


async def _version(connection: "RawConnection") -> DoctorFinding:
    number = int(await connection.fetchval("SELECT current_setting('server_version_num')"))
    version = await connection.fetchval("SELECT current_setting('server_version')")
    old = f"Gatepost needs PostgreSQL {POSTGRESQL_VERSION_MIN} or newer."
    return DoctorFinding("database", number // 10000 >= POSTGRESQL_VERSION_MIN, f"PostgreSQL {version}", old)


async def _clock(connection: "RawConnection") -> DoctorFinding:
    theirs = float(await connection.fetchval("SELECT extract(epoch FROM clock_timestamp())"))
    seconds = time.time() - theirs
    detail = f"{abs(seconds):.3f} s {'ahead of' if seconds > 0 else 'behind'} the database's"
    return DoctorFinding(
        "clock", abs(seconds) <= CLOCK_SECONDS_MAX, detail, "Synchronise the clocks (NTP): tokens expire."
    )


async def _session(connection: "RawConnection") -> DoctorFinding:
    """Whether PostgreSQL took what a server asks for when it connects; a pooler may drop it without a word."""
    wanted = _asked_for(connection)
    rows = await connection.fetch(_SETTINGS, list(wanted))
    actual = {row["name"]: row["setting"] for row in rows}
    lost = [name for name, value in wanted.items() if not _agree(value, actual.get(name, ""))]
    if not lost:
        return DoctorFinding("connection settings", True, "as a server asks for them")
    role = await connection.fetchval("SELECT quote_ident(current_user)")
    orders = "".join(f"\n       ALTER ROLE {role} SET {name} = '{wanted[name]}';" for name in lost)
    hint = f"{POOLER} Its role then needs:{orders}"
    return DoctorFinding("connection settings", False, f"a pooler drops {', '.join(lost)}", hint)


def _asked_for(connection: Any) -> dict[str, str]:
    asked: dict[str, str] = connection._params.server_settings  # asyncpg keeps them, and has no other name for them
    return asked


def _agree(wanted: str, actual: str) -> bool:
    # "ISO" is shown as "ISO, DMY".
    return actual.lower().partition(",")[0] == wanted.lower()


async def _pooling(database: "Database") -> DoctorFinding:
    """Whether each connection has its own backend: `gatepost serve` refuses to start otherwise."""
    from gatepost.database.connection_errors import transaction_pooling_error
    from gatepost.database.pooler_detection import is_transaction_pooled

    async with connected(database) as connection:
        if await is_transaction_pooled(connection, database.connect):
            return failed("pooling", transaction_pooling_error())
    return DoctorFinding("pooling", True, "no connection lends its backend to another one")


async def _prepared(connection: "RawConnection", database: "Database") -> DoctorFinding:
    """Whether a connection keeps its backend, on which its prepared statements are, while others need one."""
    import asyncpg

    # Under a unique name: asyncpg's names are the same on every connection.
    statement = await connection.prepare("SELECT 1", name="gatepost_doctor")
    try:
        async with AsyncExitStack() as stack:
            for _ in range(OTHERS):
                other = await stack.enter_async_context(connected(database))
                await other.execute("BEGIN")
                await statement.fetchval()
    except asyncpg.InvalidSQLStatementNameError:
        detail = "a pooler hands each transaction to another backend, which does not know them"
        return DoctorFinding("prepared statements", False, detail, f"{POOLER} In session mode this works.")
    return DoctorFinding("prepared statements", True, "kept by their connection")


async def _records(connection: "RawConnection", schema: Schema | None) -> DoctorFinding:
    """Whether the monitor can copy what it keeps: the history, changes, errors and alerts of all instances. What is in
    the way of the models' tables is in the way of its tables as well."""
    from gatepost.record_tables import RECORD_TABLES
    from gatepost.records.lacking_tables import lacking_tables

    lacking = await lacking_tables(connection, list(RECORD_TABLES))
    if not lacking.names:
        return DoctorFinding("records", True, "what the monitor keeps is copied to the schema gatepost")
    some = "all" if len(lacking.names) == len(RECORD_TABLES) else "some"
    detail = f"{some} of what the monitor keeps stays with its instance"
    is_below = schema is not None and not schema.finding.ok
    hint = lacking.sentence_with("see `migrations` below.") if is_below else lacking.sentence
    return DoctorFinding("records", False, detail, hint, is_warning=True)


async def _identities(connection: "RawConnection", app: "App", schema: Schema) -> DoctorFinding:
    """Whether a server will be able to keep verified users in memory."""
    from gatepost.accounts.notifications import are_notified
    from gatepost.database.listener import POOLED, STANDBY, doubt_of

    doubt = await doubt_of(connection, lambda it: are_notified(it, app.user_model))
    if doubt is None:
        return DoctorFinding("identities", True, "users are cached, because changes of users are notified")
    detail = f"every request loads its user from the database, because {doubt.partition(':')[0]}"
    hint = {POOLED: POOLER, STANDBY: "Point DATABASE_URL at the primary."}.get(doubt, schema.hint)
    return DoctorFinding("identities", False, detail, hint, is_warning=True)
