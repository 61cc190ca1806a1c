"""Connections for migrations: asyncpg beneath, SQLAlchemy above, and what goes wrong said in a sentence."""

import functools
import secrets
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from contextvars import ContextVar
from typing import Any, TypeVar

import asyncpg
from asyncpg import exceptions as pg
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import NullPool

from gatepost.database.connection_errors import connection_error
from gatepost.database.privileges import orders_for
from gatepost.dsn import address_of
from gatepost.errors import ConfigurationError
from gatepost.sqlalchemy_refusals import as_configuration_error

T = TypeVar("T")

CONNECT_SECONDS = 10.0
_ROLE = "gatepost.role"
"""Where a connection of SQLAlchemy keeps the role that it was opened as, for the hints to errors."""

LOCK_TIMEOUT = "10s"
"""How long a change waits for a table that is in use: queries that come later queue behind it."""

ADVISORY_LOCK = 4_720_011_870_337
"""The advisory lock of schema changes, so that two starts do not race. The number is Gatepost's own."""


@asynccontextmanager
async def opened(dsn: str, *, database: str | None = None) -> AsyncGenerator["asyncpg.Connection[Any]"]:
    """A bare connection; `database` replaces the DSN's. Raises ConfigurationError where it cannot be opened."""
    other: dict[str, Any] = {} if database is None else {"database": database}
    try:
        settings = {"application_name": "gatepost migrate"}
        connection: asyncpg.Connection[Any] = await asyncpg.connect(
            dsn, timeout=CONNECT_SECONDS, server_settings=settings, **other
        )
    except (OSError, TimeoutError, ValueError, asyncpg.InterfaceError, pg.PostgresError) as error:
        raise connection_error(error, address_of(dsn)) from error
    try:
        yield connection
    finally:
        await connection.close()


_OWN_PATH = """
    SELECT set_config('search_path', path, false)
    FROM (SELECT string_agg(quote_ident(name), ', ') AS path FROM unnest(current_schemas(false)) AS name
          WHERE name <> 'gatepost') AS others
    WHERE path IS NOT NULL AND current_user = 'gatepost' AND (
      to_regnamespace('gatepost') IS NULL
      OR obj_description(to_regnamespace('gatepost'), 'pg_namespace') LIKE 'gatepost:%'
    )
"""
"""A role named gatepost finds the record's schema first, by "$user": its tables are to be where they were before."""


_ALIKE = "SELECT current_schema(), current_setting('standard_conforming_strings')"
"""What SQLAlchemy asks a database once for each engine, besides its version."""

_handed_over: "ContextVar[asyncpg.Connection[Any]]" = ContextVar("_handed_over")
"""The connection that the engine takes."""


@functools.cache
def _engine(version: tuple[object, ...], schema: str | None, escapes: str) -> AsyncEngine:
    """One for all databases that are alike to SQLAlchemy: it compiles the long queries of the catalog once, and a
    migration compares several databases, or one several times."""

    async def hand_over() -> "asyncpg.Connection[Any]":
        return _handed_over.get()

    # Without a cache of prepared statements: a change of a table would turn those that read it invalid.
    def create() -> Any:
        dbapi: Any = engine.dialect.dbapi
        return dbapi.connect(async_creator_fn=hand_over, prepared_statement_cache_size=0)

    engine = create_async_engine("postgresql+asyncpg://", creator=create, poolclass=NullPool)
    return engine


async def run_on(
    dsn: str, work: Callable[[Connection], T], *, location: str = "DATABASE_URL", database: str | None = None
) -> T:
    """Run `work` on a new connection of SQLAlchemy; what it does not commit is rolled back.

    Raises ConfigurationError, with `location`, for errors of the database and for what SQLAlchemy refuses.
    """
    async with opened(dsn, database=database) as raw:

        def begin(connection: Connection) -> T:
            connection.info[_ROLE] = role
            return work(connection)

        role = str(raw.get_settings().session_authorization)
        token = _handed_over.set(raw)
        try:
            await raw.execute(_OWN_PATH)
            [alike] = await raw.fetch(_ALIKE)
            engine = _engine(tuple(raw.get_server_version()), *alike)
            with as_configuration_error(location):
                async with engine.connect() as connection:
                    return await connection.run_sync(begin)
        except DBAPIError as error:
            raise _refusal(error, location, role) from error
        finally:
            _handed_over.reset(token)


class ScratchRefused(ConfigurationError):
    """The role may not create databases."""


@asynccontextmanager
async def scratch_database(dsn: str) -> AsyncGenerator[str]:
    """The name of an empty database on the same server, dropped at the end: there migration files show what they do.

    Raises ScratchRefused where the role may not create one.
    """
    name = f"gatepost_scratch_{secrets.token_hex(8)}"
    async with opened(dsn) as raw:
        try:
            await raw.execute(f"CREATE DATABASE {name} TEMPLATE template0")
        except pg.InsufficientPrivilegeError as error:
            raise ScratchRefused(
                "Its user may not create databases; migration files are tried out in an empty one beside it.",
                location="DATABASE_URL",
                hint="Run this against a development database, or grant the user CREATEDB.",
            ) from error
        try:
            yield name
        finally:
            await raw.execute(f"DROP DATABASE {name} WITH (FORCE)")


def reason_of(error: DBAPIError) -> str:
    """PostgreSQL's own words, one sentence, without the driver's class names."""
    cause = error.orig.__cause__ if error.orig is not None else None
    text = str(cause or error.orig or error).strip()
    detail = getattr(cause, "detail", None)
    return f"{text} ({detail})" if detail else text


def hint_of(error: DBAPIError, connection: Connection) -> str:
    """What to do about what PostgreSQL refuses, with a space before it; empty where its own words say it."""
    hint = _hint(error, connection.info[_ROLE])
    return f" {hint}" if hint else ""


def _hint(error: DBAPIError, role: str) -> str | None:
    cause = error.orig.__cause__ if error.orig is not None else None
    if isinstance(cause, pg.FeatureNotSupportedError | pg.UndefinedFileError) and "extension" in str(cause):
        return "Install the extension's package on the machine of PostgreSQL."
    return orders_for(cause, role)


def _refusal(error: DBAPIError, location: str, role: str) -> ConfigurationError:
    cause = error.orig.__cause__ if error.orig is not None else None
    message, hint = f"PostgreSQL refuses: {reason_of(error)}.", _hint(error, role)
    if isinstance(cause, pg.ReadOnlySQLTransactionError):
        message = (
            "The server is read-only, and the models are compared by means of a temporary table, which it does not "
            "allow."
        )
        hint = (
            "Run this command with DATABASE_URL at the primary server; where this is the primary, turn off "
            "`default_transaction_read_only`."
        )
    elif isinstance(cause, pg.LockNotAvailableError | pg.QueryCanceledError):
        hint = f"Others use the table: no lock came free within {LOCK_TIMEOUT}. Try again when it is quieter."
    return ConfigurationError(message, location=location, hint=hint)
