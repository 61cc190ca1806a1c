"""Which extensions and domains the tables need: for the types of columns, and for indexes with trigrams.

Outside the request path: `complete_schema` declares them when the app is built, and the migrations create them.
"""

from collections.abc import Iterator
from typing import Any

from sqlalchemy import MetaData, Table
from sqlalchemy.dialects.postgresql import DOMAIN

from gatepost.models.schema_objects import add_object, domain, extension
from gatepost.models.shape import element_type
from gatepost.models.type_traits import extension_of


def add_extensions(metadata: MetaData) -> None:
    """Declare the extensions of all tables, those that no resource serves included."""
    for table in metadata.tables.values():
        for name in _needed(table):
            add_object(table, extension(name))


def add_domains(metadata: MetaData) -> None:
    """Declare the domains of all columns, but for those that the model says others create."""
    for table in metadata.tables.values():
        for column in table.columns:
            kind = element_type(column.type)
            if isinstance(kind, DOMAIN) and kind.create_type:
                add_object(table, domain(kind))


def _needed(table: "Table[Any]") -> Iterator[str]:
    yield from (name for column in table.columns if (name := extension_of(column.type)))
    for index in table.indexes:
        classes: dict[str, str] = index.dialect_options["postgresql"]["ops"] or {}
        yield from ("pg_trgm" for each in classes.values() if "_trgm_ops" in each.lower())
