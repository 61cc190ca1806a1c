"""`apply_lossless`: a database brought to the models without files, as far as nothing is lost by it.

Outside the request path: `gatepost dev`, `TestApp` and `make run` call it before they serve. Where nothing has changed
since the last time, it asks the database one question and imports no Alembic.
"""

import hashlib
from typing import TYPE_CHECKING

from asyncpg import exceptions as pg
from sqlalchemy import MetaData
from sqlalchemy.schema import CreateIndex, CreateTable
from sqlalchemy.types import Enum

from gatepost.migrations.applied import Applied, ApplyOptions
from gatepost.migrations.connections import opened, run_on
from gatepost.models.schema_names import DIALECT
from gatepost.models.schema_objects import objects_of
from gatepost.record_tables import KEPT_TABLES
from gatepost.sqlalchemy_refusals import as_configuration_error

if TYPE_CHECKING:
    from gatepost.migrations.plan import Plan

ALGORITHM = "3"
"""Changed whenever the same models would be brought to another schema."""

_NOTED = "SELECT fingerprint FROM gatepost.schema_fingerprints WHERE fingerprint = $1"
_IS_EMPTY = """
    WITH schemas AS (
      SELECT oid, nspname FROM pg_namespace WHERE nspname !~ '^pg_' AND nspname <> 'information_schema'
    ), found AS (
      SELECT 'pg_class'::regclass AS catalog, class.oid, nspname, relname AS name
      FROM pg_class AS class JOIN schemas ON schemas.oid = relnamespace WHERE relkind IN ('r', 'p', 'v', 'm', 'f', 'S')
      UNION ALL
      SELECT 'pg_type', type.oid, nspname, typname
      FROM pg_type AS type JOIN schemas ON schemas.oid = typnamespace
      WHERE typelem = 0 AND (typrelid = 0 OR EXISTS (SELECT FROM pg_class WHERE oid = typrelid AND relkind = 'c'))
      UNION ALL
      SELECT 'pg_proc', routine.oid, nspname, proname FROM pg_proc AS routine JOIN schemas ON schemas.oid = pronamespace
    )
    SELECT NOT EXISTS (
      SELECT FROM found
      WHERE NOT (nspname = 'gatepost' AND name = ANY ($1::text[]))
        AND NOT EXISTS (SELECT FROM pg_depend WHERE classid = catalog AND objid = found.oid AND deptype = 'e')
    )
"""


async def apply_lossless(
    dsn: str, metadata: MetaData, *, embedded: bool = False, extend: bool = False, all_or_nothing: bool = False
) -> Applied:
    """Create what the models declare and the database lacks, change what loses nothing, refuse and name the rest.

    Drops and replaces only what is Gatepost's; `options` may widen that. Several starts at once wait for each
    other. Every change, and the record of it, stands in one transaction with savepoints. Only where another change
    uses a new value of an enum, which PostgreSQL refuses before the value is committed, are the values committed
    first, once everything else has been tried. Raises ConfigurationError where the database is away, a table stays
    locked by others, or the role may not record what it makes.
    """
    fingerprint = fingerprint_of(metadata)
    if await _is_current(dsn, fingerprint):
        return Applied([], [])
    from gatepost.migrations.apply import apply_models

    options = ApplyOptions(embedded, extend, all_or_nothing)
    return await run_on(
        dsn,
        lambda connection: apply_models(connection, metadata, fingerprint, options),
        location="The database schema",
    )


async def find_pending(dsn: str, metadata: MetaData) -> "Plan | None":
    """What `apply_lossless` would do to a database that is not the embedded one, None for nothing. Changes nothing."""
    if await _is_current(dsn, fingerprint_of(metadata)):
        return None
    from gatepost.migrations.apply import find_plan

    return await find_plan(dsn, metadata)


async def is_empty(dsn: str) -> bool:
    """True where nothing is there but extensions and PostgreSQL's own: no table, view, type, function or sequence."""
    async with opened(dsn) as connection:
        return bool(await connection.fetchval(_IS_EMPTY, ["schema_objects", "schema_fingerprints", *KEPT_TABLES]))


def fingerprint_of(metadata: MetaData) -> str:
    """A hash of everything that the models ask of the database."""
    with as_configuration_error("The database schema"):
        return _hash_of(metadata)


def _hash_of(metadata: MetaData) -> str:
    digest = hashlib.sha256(ALGORITHM.encode())
    for record in KEPT_TABLES.values():  # another version may have more of them
        digest.update(repr(record.create).encode())
    for table in metadata.sorted_tables:
        digest.update(str(CreateTable(table).compile(dialect=DIALECT)).encode())
        for index in sorted(table.indexes, key=lambda index: str(index.name)):
            digest.update(str(CreateIndex(index).compile(dialect=DIALECT)).encode())
        for column in table.columns:
            kind = getattr(column.type, "item_type", column.type)
            if isinstance(kind, Enum):
                digest.update(repr(kind.enums).encode())
    for item in objects_of(metadata):
        digest.update(repr((item.key, item.create)).encode())
    return digest.hexdigest()


async def _is_current(dsn: str, fingerprint: str) -> bool:
    async with opened(dsn) as connection:
        try:
            return await connection.fetchval(_NOTED, fingerprint) is not None
        except (pg.SyntaxOrAccessError, pg.InvalidSchemaNameError):  # it is missing, another's, or not for this role
            return False
