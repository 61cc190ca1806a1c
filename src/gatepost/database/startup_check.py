"""The first connection of a process: an unreachable database is waited for, one that refuses us needs an operator.

Outside the request path: at the start of a process, and in the commands that ask what is wrong.
"""

import ssl

import asyncpg
from asyncpg import exceptions as pg

from gatepost.database.database import Database
from gatepost.database.failures import REFUSED, is_lost, is_unreadable
from gatepost.database.pooler_detection import is_transaction_pooled
from gatepost.dsn import DSN_HINT
from gatepost.errors import ConfigurationError, Problem
from gatepost.events import Events
from gatepost.settings import DatabaseSettings

LOCATION = "DATABASE_URL"
_DOCTOR = "Run `gatepost doctor` for details."
_POOLER = "Point it at PostgreSQL itself, or see docs/how-to/run-in-production.md#connections."


async def connect_once(database: Database) -> bool:
    """Open a connection, so that the first request finds one; False where the database is away.

    The process starts anyway: requests get 503 until it is reachable. Raises ConfigurationError where PostgreSQL
    refuses the connection, where a pooler in transaction mode stands in front of it, or where DATABASE_URL cannot be
    read.
    """
    try:
        connection = await database.pool.acquire()
        try:
            is_pooled = await is_transaction_pooled(connection.raw, database.connect)
        finally:
            database.pool.release(connection)
    except (Problem, ValueError, asyncpg.InterfaceError, asyncpg.PostgresError) as error:
        refusal = configuration_error_of(error.__cause__ if isinstance(error, Problem) else error)
        if refusal is None:
            return False
        raise refusal from None  # the driver's message may contain the password
    if is_pooled:
        raise transaction_pooling_error()
    return True


async def check_database(settings: DatabaseSettings) -> None:
    """`connect_once`, and close the connection again: for callers that open their own, such as migrations."""
    database = Database(str(settings.url), settings, Events())
    try:
        await connect_once(database)
    finally:
        await database.close()


def transaction_pooling_error() -> ConfigurationError:
    """The error for a pooler that hands each transaction to another backend."""
    return ConfigurationError(
        "a pooler in transaction mode stands in front of PostgreSQL. What Gatepost keeps on a connection (prepared "
        "statements, LISTEN, time limits) would be on another backend with the next transaction.",
        location=LOCATION,
        hint=f"{_POOLER} Session mode works.",
    )


def configuration_error_of(error: BaseException | None) -> ConfigurationError | None:
    """What an operator has to change before there can be a connection; None where waiting may help."""
    if isinstance(error, pg.DuplicatePreparedStatementError | pg.InvalidSQLStatementNameError):
        return transaction_pooling_error()  # another client's statements are on the backend that we were given
    if isinstance(error, asyncpg.PostgresError) and (isinstance(error, REFUSED) or not is_lost(error)):
        return ConfigurationError(f"PostgreSQL refuses the connection: {error}.", location=LOCATION, hint=_hint(error))
    if isinstance(error, pg.ClientConfigurationError):
        return ConfigurationError(
            f"{error}.", location=LOCATION, hint="Write postgresql://user:password@host:port/database."
        )
    if isinstance(error, ssl.SSLCertVerificationError):
        return ConfigurationError(
            f"the certificate of PostgreSQL is refused: {error.verify_message}.",
            location=LOCATION,
            hint="Renew it, or name the authority that signed it with sslrootcert= and the host that it is made for.",
        )
    if error is not None and is_unreadable(error):
        # The driver's message may contain a part of the password.
        return ConfigurationError("cannot be read.", location=LOCATION, hint=DSN_HINT)
    return None


def _hint(error: asyncpg.PostgresError) -> str:
    if isinstance(error, pg.InvalidPasswordError):
        return "Correct the user or the password in it."
    if isinstance(error, pg.InvalidCatalogNameError):
        return "Create the database, or correct its name."
    if isinstance(error, pg.ProtocolViolationError):
        return f"There is a pooler in between. {_POOLER}"
    return _DOCTOR
