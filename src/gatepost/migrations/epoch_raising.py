"""Raising the epoch of a database, after it was restored to an earlier point. Outside the request path.

An epoch must never come again, also where the restored database knows nothing of those that were raised since: so it is
the time at which it is raised, in seconds since 1970, or one more than the present one where that is later.
"""

from sqlalchemy import Connection, text

from gatepost.database.epoch_row import EPOCH_CHANNEL
from gatepost.migrations.connections import run_on
from gatepost.migrations.record import prepare_record

_RAISE = text("""
    INSERT INTO gatepost.epoch AS present (epoch) VALUES (CAST(extract(epoch FROM clock_timestamp()) AS bigint))
    ON CONFLICT (one) DO UPDATE SET epoch = greatest(present.epoch + 1, excluded.epoch), raised_at = clock_timestamp()
    RETURNING epoch
""")
_TELL = text("SELECT pg_notify(:channel, '')")


def raise_epoch(connection: Connection) -> int:
    """Raise the epoch, tell every process that listens, commit, and return the new epoch. Makes the schema `gatepost`
    where it is missing, as in a database that was restored from before it was made."""
    prepare_record(connection)
    raised: int = connection.execute(_RAISE).scalar_one()
    connection.execute(_TELL, {"channel": EPOCH_CHANNEL})
    connection.commit()
    return raised


async def raise_epoch_of(dsn: str) -> int:
    """`raise_epoch` of the database of a DSN. Raises ConfigurationError where that cannot be reached or refuses it."""
    return await run_on(dsn, raise_epoch)
