"""The first connection: a database that is away is worth waiting for, one that refuses us is for somebody to mend.

Outside the request path: at the start of a process, and in the commands that ask what is wrong.
"""

import asyncpg
from asyncpg import exceptions as pg

from gatepost.database.failures import REFUSED, is_lost
from gatepost.database.pool import Pool
from gatepost.errors import ConfigurationError, Problem

PLACE = "DATABASE_URL"
_DOCTOR = "`gatepost doctor` looks further."


async def reach(pool: Pool) -> None:
    """Open a connection, so that the first request finds one.

    That the database is away is no reason not to start: requests get 503 until it is there. Raises ConfigurationError
    where it is there and refuses us, or where DATABASE_URL cannot be read.
    """
    refusal: ConfigurationError | None = None
    try:
        pool.release(await pool.acquire())
    except Problem as problem:
        refusal = refusal_of(problem.__cause__)
    except (ValueError, asyncpg.InterfaceError, asyncpg.PostgresError) as error:
        refusal = refusal_of(error)
    if refusal is not None:
        raise refusal


def refusal_of(error: BaseException | None) -> ConfigurationError | None:
    """What somebody has to mend before there can be a connection; None where waiting may help."""
    if isinstance(error, asyncpg.PostgresError) and (isinstance(error, REFUSED) or not is_lost(error)):
        return ConfigurationError(f"PostgreSQL refuses the connection: {error}.", place=PLACE, cure=_cure(error))
    if isinstance(error, pg.ClientConfigurationError):
        return ConfigurationError(f"{error}.", place=PLACE, cure="Write postgresql://user:password@host:port/database.")
    if isinstance(error, ValueError):
        # The driver's words may hold a part of the password.
        return ConfigurationError(
            "cannot be read.",
            place=PLACE,
            cure="Write postgresql://user:password@host:port/database, and : / @ ? # % in the password as %3A %2F %40 "
            "%3F %23 %25.",
        )
    return None


def _cure(error: asyncpg.PostgresError) -> str:
    if isinstance(error, pg.InvalidPasswordError):
        return "Correct the user or the password in it."
    if isinstance(error, pg.InvalidCatalogNameError):
        return "Create the database, or correct its name."
    if isinstance(error, pg.ProtocolViolationError):
        return "A pooler stands in between: point it at PostgreSQL itself, or see docs/how-to/run-in-production.md."
    return _DOCTOR
