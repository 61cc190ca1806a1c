"""Indexes for what a resource lets clients sort by, filter by and search, so that no stranger can order a full scan.

Outside the request path: `complete_schema` adds them once, when the app is built. Which order a sorted page asks for is
decided in `models/statements`; the two have to agree, for PostgreSQL uses an index only for its exact order:

- a NOT NULL column: `(column, key)`, read forwards and backwards (so a descending page must not say NULLS LAST);
- a nullable one: `(column, key)` for ascending pages and `(column DESC NULLS LAST, key DESC)` for descending ones.
"""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Column, Index, PrimaryKeyConstraint, Table, UniqueConstraint
from sqlalchemy.sql.elements import ColumnElement

from gatepost.models.entity import Entity
from gatepost.models.schema_names import DIALECT, schema_name


def add_sort_index(entity: Entity, field: str) -> None:
    """Index one field for sorted pages; the key itself has an index already."""
    column, key = entity.attributes[field].column, entity.key.column
    if column is key:
        return
    _add(entity.table, schema_name("ix", entity.table.name, column.name, key.name), [column, key])
    if column.nullable:
        name = schema_name("ix", entity.table.name, column.name, key.name, "desc")
        _add(entity.table, name, [column.desc().nulls_last(), key.desc()])


def add_filter_index(entity: Entity, field: str) -> None:
    """Index one field for filters where no other index begins with it."""
    column = entity.attributes[field].column
    if not is_led_by_index(entity.table, column):
        _add(entity.table, schema_name("ix", entity.table.name, column.name), [column])


def add_search_index(entity: Entity, field: str) -> None:
    """A trigram index (extension `pg_trgm`), which serves `contains` and `starts_with` in either case."""
    column = entity.attributes[field].column
    name = schema_name("ix", entity.table.name, column.name, "trgm")
    if not any(_is_trigram(index, column) for index in entity.table.indexes):
        Index(name, column, postgresql_using="gin", postgresql_ops={column.key: "gin_trgm_ops"})


def is_led_by_index(table: "Table[Any]", column: Column[Any]) -> bool:
    """True where a whole (not partial) b-tree index or unique constraint has this column first."""
    for constraint in table.constraints:
        if isinstance(constraint, PrimaryKeyConstraint | UniqueConstraint) and next(iter(constraint.columns)) is column:
            return True
    return any(_is_plain(index) and _texts(index)[:1] == [_text(column)] for index in table.indexes)


def _add(table: "Table[Any]", name: str, expressions: Sequence[ColumnElement[Any]]) -> None:
    wanted = [_text(item) for item in expressions]
    for index in table.indexes:
        if index.name == name or (_is_plain(index) and _texts(index) == wanted):
            return
    Index(name, *expressions, _table=table)


def _texts(index: Index) -> list[str]:
    """The expressions of an index; its declaration may hold texts as well as columns."""
    return [_text(item) if isinstance(item, ColumnElement) else str(item) for item in index.expressions]


def _is_plain(index: Index) -> bool:
    options = index.dialect_options["postgresql"]
    return options["using"] in (False, None, "btree") and options["where"] is None and not options["ops"]


def _is_trigram(index: Index, column: Column[Any]) -> bool:
    operators: dict[str, str] = index.dialect_options["postgresql"]["ops"] or {}
    return column.name in index.columns and "gin_trgm_ops" in operators.values()


def _text(expression: ColumnElement[Any]) -> str:
    """An index expression as SQL, without what is the default anyway."""
    text = str(expression.compile(dialect=DIALECT, compile_kwargs={"literal_binds": True, "include_table": False}))
    return text.removesuffix(" ASC")
