"""The row of the schema `gatepost` that holds the epoch: how a connection reads it, and on which channel it is told of.

Every connection reads it when it is opened, so that no process serves a restored database by what it knew of the one
before; the listener also reads it whenever it is raised. Outside the request path. `gatepost backup new-epoch` writes
it (`migrations/epoch_raising.py`).
"""

from asyncpg import exceptions as pg

from gatepost.database.connection import RawConnection
from gatepost.errors import ConfigurationError

EPOCH_CHANNEL = "gatepost_epoch"

_EXISTS = """
SELECT EXISTS (
  SELECT FROM pg_catalog.pg_attribute AS attribute
  JOIN pg_catalog.pg_class AS class ON class.oid = attrelid
  JOIN pg_catalog.pg_namespace AS namespace ON namespace.oid = relnamespace
  WHERE nspname = 'gatepost' AND relname = 'epoch' AND relkind = 'r' AND attname = 'epoch' AND NOT attisdropped
)
"""
"""Asked first: a database without the table would note an error for each connection."""

_READ = "SELECT epoch FROM gatepost.epoch"


async def read_epoch(connection: RawConnection) -> int:
    """The epoch of the database; 0 where it was never raised. Raises ConfigurationError where this role may not read
    it: what was revoked would be accepted."""
    if not await connection.fetchval(_EXISTS):
        return 0
    try:
        found: int | None = await connection.fetchval(_READ)
    except pg.InsufficientPrivilegeError as error:
        role = await connection.fetchval("SELECT current_user")  # not always the one that signed in
        raise ConfigurationError(
            f"The role {role} may not read gatepost.epoch, which says what was revoked by a restore.",
            location="DATABASE_URL",
            hint=f'Ask its owner to run: GRANT USAGE ON SCHEMA gatepost TO "{role}"; '
            f'GRANT SELECT ON gatepost.epoch TO "{role}";',
        ) from error
    return found or 0
