"""Computed members of DTOs: an expression over the row is checked, and gets the shape of its values.

Outside the request path. What cannot be written as SQL on every table or alias is refused when the app is built.
"""

import re
from typing import Any, cast

import msgspec
import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.types import NullType

from gatepost.database.statements import Statement
from gatepost.declaring.row_expressions import CallValue, Readable
from gatepost.errors import ConfigurationError
from gatepost.models.adapted_expressions import adapted, parts_of, plain_expression, row_columns
from gatepost.models.entity import Attribute, Entity
from gatepost.models.readable_rows import ReadableCondition
from gatepost.models.shape import Form, Shape, shape_of
from gatepost.models.table_refs import TableRef, bare

ROW = "gatepost_row"
"""Name of the alias on which an expression is compiled to check it."""


class ComputedField(msgspec.Struct, frozen=True, eq=False):
    """An expression with the attribute that its values are like, and the columns of the row that it reads."""

    attribute: Attribute
    expression: sa.ColumnElement[Any]
    columns: frozenset[sa.Column[Any]]
    is_volatile: bool

    @property
    def reads_other_rows(self) -> bool:
        """Whether it has a subquery."""
        return any(isinstance(part, sa.SelectBase) for part in parts_of(self.expression))

    @property
    def sources(self) -> tuple[str, ...]:
        """The sources of the values of the call in it."""
        found = (part.source for part in parts_of(self.expression) if isinstance(part, CallValue))
        return tuple(dict.fromkeys(found))

    @property
    def readables(self) -> tuple[Readable, ...]:
        """The policies of models in it."""
        return tuple(part for part in parts_of(self.expression) if isinstance(part, Readable))


def computed_field(name: str, given: Any, entity: Entity, location: str, *, bigint_as_string: bool) -> ComputedField:
    """Read the expression of a member. Raises `ConfigurationError` where it cannot be part of statements."""
    expression = plain_expression(given, location)
    if isinstance(expression.type, NullType):
        raise ConfigurationError(
            "is an SQL expression whose type SQLAlchemy does not know.",
            location=location,
            hint="Say which one: func.name(..., type_=Integer), or type_coerce(..., Text).",
        )
    column = sa.Column(name, expression.type, nullable=True)
    shape = _unbounded(shape_of(column.type, nullable=True, bigint_as_string=bigint_as_string))
    if shape.form is Form.TIMESTAMP and shape.unsupported is not None and not shape.is_decorated:
        raise shape.unsupported.error(location)
    _check_tables(expression, entity, location)
    is_volatile = _check_sql(expression, entity, location).tables is None
    attribute = Attribute(name, column, shape, False, True, True, None, is_expression=True)
    return ComputedField(attribute, expression, row_columns(expression, entity.table), is_volatile)


def _unbounded(shape: Shape) -> Shape:
    """The shape without the bounds of a column: a sum has more digits than what is added, a text that is put together
    is longer than its parts."""
    if shape.form in (Form.TEXT, Form.BYTES, Form.DECIMAL):
        return msgspec.structs.replace(shape, own=(), digits=None)
    return shape


def _check_tables(expression: Any, entity: Entity, location: str) -> None:
    """Nothing joins the tables of an expression: other rows are read by subqueries."""
    others = [table for table in map(bare, expression._from_objects) if table is not entity.table]
    if others:
        names = ", ".join(str(getattr(getattr(table, "element", table), "name", table)) for table in others)
        raise ConfigurationError(
            f"is about rows of {names}.",
            location=location,
            hint=f"Read other rows by a subquery that begins at {entity.name}: count({entity.name}.relation), "
            f"{entity.name}.relation.any(...), select(...).where(...).scalar_subquery().",
        )
    selects: list[Any] = [part for part in parts_of(expression) if isinstance(part, sa.Select)]
    for part in selects:
        if not part._correlate_except and any(bare(each) is entity.table for each in part._from_obj):
            raise ConfigurationError(
                f"reads other rows of {entity.name} by the name that stands for the row.",
                location=location,
                hint=f"Write other = aliased({entity.name}), and select from that.",
            )


def _check_sql(expression: sa.ColumnElement[Any], entity: Entity, location: str) -> Statement:
    row = TableRef(entity, entity.table.alias(ROW))
    try:
        made = adapted(expression, row, _stand_in)
        statement = Statement(sa.select(made).select_from(row.table))
    except SQLAlchemyError as error:
        raise ConfigurationError(
            f"cannot be written as SQL: {error.args[0] if error.args else error}.", location=location
        ) from None
    if len(re.findall(rf"\bAS {ROW}\b", statement.sql)) != 1:
        raise ConfigurationError(
            "has a subquery that reads all rows of the table instead of the one that it is about.",
            location=location,
            hint=f"Leave .correlate() out, and write other = aliased({entity.name}) for other rows.",
        )
    return statement


def _stand_in(part: Any) -> Any:
    if isinstance(part, Readable):
        return ReadableCondition(sa.true(), part.row)
    return sa.bindparam(None, None, type_=cast("Any", part).type, unique=True) if isinstance(part, CallValue) else None
