"""Indexes for the fields that clients may sort by, filter by and search, so that no client can cause a full table scan.

Outside the request path: `complete_schema` adds them once, when the app is built, where `index_uses.py` finds none that
serves. `models/reads.py` decides the order of a sorted page; the two must agree, because PostgreSQL uses an index only
for its exact order:

- a NOT NULL column: `(column, key)`, read forwards and backwards (so a descending page must not say NULLS LAST);
- a nullable one: `(column, key)` for ascending pages and `(column DESC NULLS LAST, key DESC)` for descending ones.
"""

from typing import Any

from sqlalchemy import Index
from sqlalchemy.sql.elements import Grouping

from gatepost.models.document_paths import SEPARATOR, field_of, keys_of, value_at
from gatepost.models.entity import Entity
from gatepost.models.index_uses import BTREE_USES, IndexKey, Use, is_indexed, is_ordered_by, uses_of
from gatepost.models.operators import in_default_collation
from gatepost.models.schema_names import schema_name
from gatepost.models.shape import Form
from gatepost.models.table_refs import TableRef

NEED = "gatepost.need"
"""Key in `Index.info`: the option of a resource that an index was added for, as it is written: `sort=["title"]`."""


def add_sort_index(entity: Entity, field: str) -> None:
    """Index one field for sorted pages; the key itself has an index already."""
    column, key = entity.attributes[field].column, [item.column for item in entity.key.attributes]
    if column is key[0]:
        return
    key = [each for each in key if each is not column]
    names = [each.name for each in (column, *key)]
    indexed = _indexed(entity, field)
    if not is_ordered_by(entity.table, [IndexKey(column), *(IndexKey(each) for each in key)]):
        _add(entity, schema_name("ix", entity.table.name, *names), f'sort=["{field}"]', indexed, *key)
    descending = (IndexKey(each, is_descending=True, is_nulls_first=True) for each in key)
    if column.nullable and not is_ordered_by(entity.table, [IndexKey(column, is_descending=True), *descending]):
        name = schema_name("ix", entity.table.name, *names, "desc")
        _add(entity, name, f'sort=["{field}"]', indexed.desc().nulls_last(), *(each.desc() for each in key))


def add_filter_index(entity: Entity, field: str, need: str = "") -> None:
    """Index one field for filters where no other index serves them: a GIN index of an array, otherwise a B-tree, also
    of the value that a path into a document leads to."""
    name, need = field_of(field), need or f'filter=["{field}"]'
    table, column = entity.table, entity.attributes[name].column
    if SEPARATOR in field:
        expression = value_at(_indexed(entity, name), field)
        if not is_indexed(table, expression):
            _add(entity, schema_name("ix", table.name, column.name, *keys_of(field)), need, expression)
    elif entity.attributes[name].shape.form is Form.ARRAY:
        if Use.CONTAINMENT not in uses_of(table, column):
            index = schema_name("ix", table.name, column.name, "gin")
            _add(entity, index, need, _named(entity, name), postgresql_using="gin")
    elif BTREE_USES not in uses_of(table, column):
        _add(entity, schema_name("ix", table.name, column.name), need, _indexed(entity, name))


def add_search_index(entity: Entity, field: str) -> None:
    """A trigram index (extension `pg_trgm`), which serves patterns in either case."""
    column = entity.attributes[field].column
    if Use.TRIGRAMS not in uses_of(entity.table, column):
        name = schema_name("ix", entity.table.name, column.name, "trgm")
        expression = _named(entity, field, in_default_collation(_indexed(entity, field)))
        options: Any = {"postgresql_using": "gin", "postgresql_ops": {column.key: "gin_trgm_ops"}}
        _add(entity, name, f'search=["{field}"]', expression, **options)


def _indexed(entity: Entity, field: str) -> Any:
    """What an index of a field holds: its column, or its expression in parentheses."""
    found = TableRef.of(entity).column(field)
    return Grouping(found) if entity.attributes[field].is_expression else found


def _named(entity: Entity, field: str, expression: Any = None) -> Any:
    """The same with the name by which an operator class is chosen."""
    column = entity.attributes[field].column
    found = _indexed(entity, field) if expression is None else expression
    return found if found is column else found.label(column.key)


def _add(entity: Entity, name: str, need: str, *expressions: Any, **options: Any) -> None:
    if any(index.name == name for index in entity.table.indexes):
        name = schema_name(name, "served")  # an index of that name is declared, and serves something else
    Index(name, *expressions, _table=entity.table, info={NEED: f"{need} of {entity.name}"}, **options)
