"""`gatepost doctor` on connections: whether PostgreSQL has room for all that an instance may open at a time."""

from typing import TYPE_CHECKING, NamedTuple

from gatepost.cli.doctor_findings import DoctorFinding
from gatepost.settings import Settings

if TYPE_CHECKING:
    from gatepost.database.connection import RawConnection

GENERATIONS = 2
"""A rolling restart: each old worker keeps its connections until the new one has opened its own."""

LISTENERS = 1
"""Connections of a worker beside its pool."""

MONITORS = 2
"""Connections of an instance beside its workers."""

_ROOM = """
WITH others AS (
  SELECT usename, datname FROM pg_stat_activity
  WHERE datname IS NOT NULL
    AND coalesce(backend_type, 'client backend') = 'client backend'  -- null for roles that may not know
    AND (application_name, usename, datname) <> ('gatepost', current_user, current_database())
)
SELECT
  current_setting('max_connections')::int AS server,
  current_setting('superuser_reserved_connections')::int
    + coalesce(current_setting('reserved_connections', true)::int, 0) AS reserved,
  (SELECT count(*) FROM others) AS others,
  CASE WHEN rolsuper OR rolconnlimit < 0 THEN NULL ELSE rolconnlimit END AS role,
  (SELECT count(*) FROM others WHERE usename = rolname) AS others_of_role,
  CASE WHEN rolsuper OR datconnlimit < 0 THEN NULL ELSE datconnlimit END AS database,
  (SELECT count(*) FROM others WHERE datname = current_database()) AS others_of_database,
  quote_ident(rolname) AS role_name,
  quote_ident(current_database()) AS database_name
FROM pg_roles, pg_database
WHERE rolname = current_user AND datname = current_database()
"""


class Limit(NamedTuple):
    """One bound on connections: what it is, what of it is left for Gatepost, and how to raise it."""

    words: str
    room: int
    raising: str


async def examine_connections(connection: "RawConnection", settings: Settings) -> DoctorFinding:
    """Whether what the workers may open fits into the narrowest of the limits that hold for the role."""
    workers, pool = settings.server.workers, settings.database.pool_size
    needed = GENERATIONS * workers * (pool + LISTENERS) + MONITORS
    narrowest = min(await _limits(connection), key=lambda limit: limit.room)
    sum_of = f"2 x {workers} worker(s) x ({pool} in the pool + {LISTENERS} listener) + {MONITORS} for the monitor"
    detail = f"an instance opens up to {needed} ({sum_of}), and there is room for {narrowest.room}: {narrowest.words}"
    fits = (narrowest.room - MONITORS) // (GENERATIONS * workers) - LISTENERS
    if fits > 0:
        lower = f"Set GATEPOST_DATABASE_POOL_SIZE to {fits} at most, or "
    else:
        lower = (
            "Run fewer workers, or "
            if workers > 1
            else f"One worker needs {GENERATIONS * (1 + LISTENERS) + MONITORS} at least: "
        )
    hint = f"{lower}{narrowest.raising}. While a rolling restart replaces workers, old and new ones are connected."
    return DoctorFinding("connections", needed <= narrowest.room, detail, hint)


async def _limits(connection: "RawConnection") -> list[Limit]:
    row = await connection.fetchrow(_ROOM)
    assert row is not None  # noqa: S101 - a role and a database that we are connected as and to
    server, reserved, others = row["server"], row["reserved"], row["others"]
    limits = [
        Limit(
            f"max_connections {server} - {reserved} reserved - {others} of others",
            server - reserved - others,
            "raise `max_connections` of PostgreSQL",
        )
    ]
    for kind in ("role", "database"):
        limit, used, name = row[kind], row[f"others_of_{kind}"], row[f"{kind}_name"]
        if limit is not None:
            words = f"connection limit {limit} of {kind} {name} - {used} of others"
            limits.append(Limit(words, limit - used, f"`ALTER {kind.upper()} {name} CONNECTION LIMIT ...`"))
    return limits
