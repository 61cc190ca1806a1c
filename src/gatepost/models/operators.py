"""The operators of filters: what a field can be compared by, what that is in SQL, and which index has to serve it.

`filters.py` chooses among them when the app is built, and makes conditions of them per statement.
"""

from collections.abc import Callable
from typing import Any, Literal

import msgspec
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql
from sqlalchemy.sql.elements import Grouping
from sqlalchemy.types import TypeEngine

from gatepost.models.bind_types import bind_type
from gatepost.models.index_uses import Use
from gatepost.models.recipes import Bound
from gatepost.models.shape import Form, Shape, plain_type
from gatepost.models.type_traits import DEFAULT_COLLATION, collation_of, ignores_case

Condition = Callable[[sa.ColumnElement[Any], Any], sa.ColumnElement[bool]]


def is_comparable(shape: Shape) -> bool:
    """Whether a single text in a query string can stand for a value."""
    return shape.unsupported is None and shape.form not in (Form.DOCUMENT, Form.ARRAY, Form.BYTES)


def _is_ordered(shape: Shape) -> bool:
    return is_comparable(shape) and shape.form not in (Form.BOOLEAN, Form.ENUM)


def is_searchable(shape: Shape) -> bool:
    """Whether parts of a text can be looked for; not behind a `TypeDecorator`, which would convert the pattern."""
    return shape.form is Form.TEXT and not shape.is_decorated


def has_elements(shape: Shape) -> bool:
    """Whether an array can be asked for one of its elements."""
    return shape.items is not None and is_comparable(shape.items) and not shape.is_converted


class Operator(msgspec.Struct, frozen=True, eq=False):
    """What a field can be compared by: the only place that knows an operator.

    A client writes `name` in brackets. `uses` are the uses of an index that can serve it, of which one is enough, and
    `suits` tells for which fields it is. `at_beginning` is set where a text is looked for at the beginning alone, so
    that a trigram index finds shorter ones.

    `operand` is what the client sends, and decides what `sql` gets besides the column:

    - "scalar": a value of the field, or of the elements of an array. `sql` gets a parameter.
    - "list": values separated by commas. `sql` gets one array parameter, in parentheses: `values[1]` is its first
      element.
    - "flag": true or false. `sql` gets the `bool`, which becomes part of the statement.

    Scalars and lists are bound as `convert` returns them; it raises `ValueError` with a sentence for those that the
    operator refuses. It must not compare texts: their order is the collation's, which only PostgreSQL knows. `bound_as`
    is the type of the parameter, by the type of the column.
    """

    name: str
    uses: Use
    sql: Condition
    operand: Literal["scalar", "list", "flag"] = "scalar"
    suits: Callable[[Shape], bool] = is_comparable
    convert: Callable[[Any], Any] | None = None
    bound_as: Callable[[TypeEngine[Any]], TypeEngine[Any]] = bind_type
    at_beginning: bool = False

    def parameter(self, value: Bound, column: sa.ColumnElement[Any]) -> sa.ColumnElement[Any]:
        """What `sql` gets for a value that is bound."""
        parameter = value.parameter(self.bound_as(column.type))
        # The elements of an array have to be named like this: `($1::bigint[])[1]`.
        return Grouping(parameter) if self.operand == "list" else parameter


def in_default_collation(column: sa.ColumnElement[Any]) -> sa.ColumnElement[Any]:
    """A column of text in the database's collation, which is the one that a trigram index folds letters by. In others
    a pattern may mean something else, or be refused by PostgreSQL."""
    return column if collation_of(column.type) == DEFAULT_COLLATION else column.collate(DEFAULT_COLLATION)


def _like(column: sa.ColumnElement[Any], pattern: Any) -> sa.ColumnElement[bool]:
    if ignores_case(column.type):
        return _ilike(column, pattern)
    return in_default_collation(column).like(pattern)


def _ilike(column: sa.ColumnElement[Any], pattern: Any) -> sa.ColumnElement[bool]:
    text = in_default_collation(column)
    if ignores_case(column.type):
        text = sa.cast(text, sa.Text)  # the operators of CITEXT itself use no index
    return text.ilike(pattern)


def _list_type(kind: TypeEngine[Any]) -> TypeEngine[Any]:
    return sa.ARRAY(bind_type(kind))


def _element_type(kind: TypeEngine[Any]) -> TypeEngine[Any]:
    element: TypeEngine[Any] = plain_type(kind).item_type
    return element


def _has(column: sa.ColumnElement[Any], element: Any) -> sa.ColumnElement[bool]:
    # Both sides have to be arrays of exactly one type.
    return column.bool_op("@>")(sa.cast(postgresql.array([element]), column.type))


def _escaped(text: object) -> str:
    return str(text).replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")


def _anywhere(text: object) -> str:
    return f"%{_escaped(text)}%"


def _at_beginning(text: object) -> str:
    return f"{_escaped(text)}%"


def _search(name: str, uses: Use, sql: Condition, *, at_beginning: bool) -> Operator:
    return Operator(
        name,
        uses,
        sql,
        suits=is_searchable,
        convert=_at_beginning if at_beginning else _anywhere,
        bound_as=lambda kind: sa.String(),
        at_beginning=at_beginning,
    )


OPERATORS = (
    Operator("eq", Use.EQUAL, lambda column, value: column == value),
    Operator("ne", Use.NULL, lambda column, value: column.is_distinct_from(value)),
    Operator("lt", Use.RANGE, lambda column, value: column < value, suits=_is_ordered),
    Operator("lte", Use.RANGE, lambda column, value: column <= value, suits=_is_ordered),
    Operator("gt", Use.RANGE, lambda column, value: column > value, suits=_is_ordered),
    Operator("gte", Use.RANGE, lambda column, value: column >= value, suits=_is_ordered),
    Operator("in", Use.EQUAL, lambda column, values: column == sa.any_(values), "list", bound_as=_list_type),
    Operator("null", Use.NULL, lambda column, flag: column.is_(None) if flag else column.is_not(None), "flag"),
    _search("contains", Use.TRIGRAMS, _like, at_beginning=False),
    _search("starts_with", Use.TRIGRAMS | Use.PREFIX, _like, at_beginning=True),
    _search("icontains", Use.TRIGRAMS, _ilike, at_beginning=False),
    _search("istarts_with", Use.TRIGRAMS, _ilike, at_beginning=True),
    Operator("has", Use.CONTAINMENT, _has, suits=has_elements, bound_as=_element_type),
)
DEFAULT_OPERATOR = OPERATORS[0]
"""What `name=value` compares by."""
