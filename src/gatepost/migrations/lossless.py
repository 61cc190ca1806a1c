"""`apply_lossless`: a database brought to the models without files, as far as nothing is lost by it.

Outside the request path: `gatepost dev` and `make run` call it before they serve. Where nothing has changed since the
last time, it asks the database one question and imports no Alembic.
"""

import hashlib

import msgspec
from asyncpg import exceptions as pg
from sqlalchemy import MetaData
from sqlalchemy.schema import CreateIndex, CreateTable
from sqlalchemy.types import Enum

from gatepost.migrations.connections import open_connection
from gatepost.models.schema_names import DIALECT
from gatepost.models.schema_objects import objects_of

ALGORITHM = "1"
"""Changed whenever the same models would be brought to another schema."""


class Applied(msgspec.Struct, frozen=True):
    """What was done: the statements that ran, and what was not done, each with the reason."""

    statements: list[str]
    refused: list[str]


async def apply_lossless(dsn: str, metadata: MetaData) -> Applied:
    """Create what the models declare and the database lacks, change what loses nothing, refuse and name the rest.

    Several starts at once wait for each other. Every change stands in one transaction with savepoints, but for new
    values of enums, which PostgreSQL lets nobody use before they are committed. Raises ConfigurationError where the
    database is away or a table stays locked by others.
    """
    fingerprint = fingerprint_of(metadata)
    if await _is_current(dsn, fingerprint):
        return Applied([], [])
    from gatepost.migrations.application import bring_forward

    return await bring_forward(dsn, metadata, fingerprint)


def fingerprint_of(metadata: MetaData) -> str:
    """A hash of everything that the models ask of the database."""
    digest = hashlib.sha256(ALGORITHM.encode())
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
    connection = await open_connection(dsn)
    try:
        return bool(await connection.fetchval("SELECT fingerprint FROM gatepost_schema") == fingerprint)
    except pg.UndefinedTableError:
        return False
    finally:
        await connection.close()
