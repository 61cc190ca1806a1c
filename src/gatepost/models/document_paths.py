"""Paths into JSON documents, which a resource declares for filters: `Resource(filter=["data.color"])`.

Such a filter is a containment, `data @> '{"color": "red"}'`: one GIN index of the column serves all its paths, however
long the values are. It compares as JSON does: numbers by their value, texts letter by letter.
"""

from collections.abc import Iterable
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.types import TypeEngine

from gatepost.models.index_uses import Use
from gatepost.models.operators import Operator

SEPARATOR = "."


def field_of(name: str) -> str:
    """The field that a path begins with; a name without a path is one."""
    return name.partition(SEPARATOR)[0]


def path_operators(path: str) -> dict[str, Operator]:
    """What a path can be filtered by. A text in a query string may stand for several JSON values, so that each value of
    these operators is a list of them."""
    keys = path.split(SEPARATOR)[1:]

    def equal(values: Iterable[Any]) -> list[Any]:
        return [_document(keys, value) for value in values]

    def equal_to_one(members: Iterable[Iterable[Any]]) -> list[Any]:
        return equal(value for values in members for value in values)

    def has(values: Iterable[Any]) -> list[Any]:
        return equal([value] for value in values)

    found = (
        Operator("eq", Use.CONTAINMENT, _contains, convert=equal, bound_as=_documents),
        Operator("in", Use.CONTAINMENT, _contains, "list", convert=equal_to_one, bound_as=_documents),
        Operator("has", Use.CONTAINMENT, _contains, convert=has, bound_as=_documents),
    )
    return {item.name: item for item in found}


def _contains(column: sa.ColumnElement[Any], documents: Any) -> sa.ColumnElement[bool]:
    return column.bool_op("@>")(sa.any_(documents))


def _documents(kind: TypeEngine[Any]) -> TypeEngine[Any]:
    return sa.ARRAY(JSONB())


def _document(keys: list[str], value: Any) -> Any:
    """The smallest document with this value at the end of the path."""
    for key in reversed(keys):
        value = {key: value}
    return value
