"""The first connection of a process: an unreachable database is waited for, one that refuses us needs an operator.

Outside the request path: at the start of a process, and in the commands that ask what is wrong.
"""

import asyncpg

from gatepost.database.connection_errors import refusal_of, transaction_pooling_error
from gatepost.database.database import Database
from gatepost.database.pooler_detection import is_transaction_pooled
from gatepost.errors import Problem
from gatepost.events import Events
from gatepost.settings import DatabaseSettings


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
        refusal = refusal_of(error.__cause__ if isinstance(error, Problem) else error, database.address)
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
