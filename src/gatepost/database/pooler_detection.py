"""Whether there is a pooler in transaction mode between us and PostgreSQL, found out by which backend replies.

Outside the request path: at the first connection of a process, and in `gatepost doctor`.
"""

import asyncpg

from gatepost.database.connection import Connect, RawConnection
from gatepost.database.failures import is_lost

ROUNDS = 3
"""Number of comparisons: other clients of the pooler may take a backend in between."""

_BACKEND = "SELECT pg_backend_pid()"

_MIXED_UP = (asyncpg.DuplicatePreparedStatementError, asyncpg.InvalidSQLStatementNameError)
"""A statement that was prepared on one backend met another one."""


async def is_transaction_pooled(connection: RawConnection, connect: Connect) -> bool:
    """Whether a connection that idles lends its backend to another one, which `connect` opens and this closes.

    False where there can be no second connection: then nothing is known. Raises what the driver raises when the
    database goes away meanwhile.
    """
    try:
        other = await connect()
    except _MIXED_UP:
        return True
    except OSError:
        return False
    except asyncpg.PostgresError as error:
        if is_lost(error):
            return False
        raise
    try:
        return await _share_backends(connection, other)
    except _MIXED_UP:
        return True
    finally:
        other.terminate()


async def _share_backends(connection: RawConnection, other: RawConnection) -> bool:
    ours: set[int] = set()
    theirs: set[int] = set()
    for _ in range(ROUNDS):
        ours.add(await connection.fetchval(_BACKEND))
        await other.execute("BEGIN")
        theirs.add(await other.fetchval(_BACKEND))
        await other.execute("ROLLBACK")
    return bool(ours & theirs) or len(ours) > 1
