"""Whether a change would write other values than a row has: one that would not, is not written.

Compared in PostgreSQL where it can tell. What it cannot is compared in Python (`services/current_values.py`).
"""

from collections.abc import Collection
from typing import Any, cast

import sqlalchemy as sa

from gatepost.models.candidates import bind_name
from gatepost.models.entity import Attribute
from gatepost.models.shape import Form
from gatepost.models.table_refs import TableRef

_SINGLE = cast("Any", sa).REAL()


def is_comparable(attribute: Attribute) -> bool:
    """Whether PostgreSQL can tell that a written value is the one that is there: not of a type that may store something
    else each time, nor of JSON, which may have no equality. Of intervals it takes a month for 30 days, and of arrays it
    compares the bounds, which are not shown."""
    shape = attribute.shape
    return not (shape.is_converted or shape.form in (Form.DOCUMENT, Form.ARRAY, Form.INTERVAL, Form.OTHER))


def differs(source: TableRef, names: Collection[str]) -> sa.ColumnElement[bool]:
    """Whether the row has another value in one of these attributes than the one that is written. Texts are compared
    character by character, whatever their collation or type takes to be equal."""
    return sa.or_(*(_differs(source, name) for name in names))


def _differs(source: TableRef, name: str) -> sa.ColumnElement[bool]:
    attribute = source.entity.attributes[name]
    column = cast("Any", source.column(name))
    value: Any = sa.bindparam(bind_name(name), type_=attribute.column.type)
    if attribute.shape.is_single:
        value = sa.cast(value, _SINGLE)  # it is bound in double precision
    if attribute.shape.form is Form.TEXT:
        column, value = (sa.cast(each, sa.Text()).collate("C") for each in (column, value))
    return cast("sa.ColumnElement[bool]", column.is_distinct_from(value))
