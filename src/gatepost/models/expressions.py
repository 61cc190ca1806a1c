"""Attributes that are SQL expressions instead of columns: `column_property()` and hybrids. Read-only fields.

Outside the request path. `entity.py` asks for those of a class; statements then evaluate the expression on the table or
alias that they select from (`TableRef.column`). An expression over the row's own columns can have an index; one with a
subquery reads other rows, to which no policies apply, because it is the application's own SQL.
"""

from typing import Any, cast

from sqlalchemy import Column, ColumnElement, Table
from sqlalchemy.ext.hybrid import HybridExtensionType
from sqlalchemy.orm import Mapper
from sqlalchemy.sql import visitors
from sqlalchemy.sql.selectable import SelectBase
from sqlalchemy.sql.util import _deep_deannotate  # pyright: ignore[reportPrivateUsage, reportUnknownVariableType]
from sqlalchemy.types import NullType

from gatepost.database.statements import DIALECT
from gatepost.models.shape import Unsupported

STANDINS = "gatepost.expressions"
"""Key in `Table.info`: for the SQL of each expression that may have an index, the column that stands for it."""


def expression_names(mapper: "Mapper[Any]") -> list[str]:
    """The names of the attributes of a class that are expressions."""
    properties = [prop.key for prop in mapper.column_attrs if not isinstance(prop.columns[0], Column)]
    hybrids = [
        name
        for name, item in mapper.all_orm_descriptors.items()
        if item.extension_type is HybridExtensionType.HYBRID_PROPERTY
        # Under the name of a function for `inplace.expression` stands the hybrid itself.
        and getattr(item, "__name__", name) == name
    ]
    return properties + hybrids


def standin_column(model: type[Any], name: str) -> Column[Any] | Unsupported:
    """A column with the name and type of an expression, which is in no table; or why it cannot be served."""
    try:
        kind = expression_on(model, name).type
    except Exception as error:
        return Unsupported(
            f"is a hybrid that is not an SQL expression: on the class it raises {type(error).__name__}: {error}.",
            f"Write its SQL with @{name}.inplace.expression, make it a plain @property, which is not a field, or "
            f'hide it: fields={{"{name}": hidden}}.',
        )
    if isinstance(kind, NullType):
        return Unsupported(
            "is an SQL expression whose type SQLAlchemy does not know.",
            f'Write type_coerce(..., Text) or func.name(..., type_=Text), or hide it: fields={{"{name}": hidden}}.',
        )
    return Column(name, kind, nullable=True)


def expression_on(model: Any, name: str) -> ColumnElement[Any]:
    """The expression on a class or an alias of it. A subquery keeps the annotations of the ORM, by which SQLAlchemy
    adds the condition on the discriminator where it selects from a class of a hierarchy."""
    found = getattr(model, name)
    element = found.__clause_element__() if hasattr(found, "__clause_element__") else found
    return cast("ColumnElement[Any]", element if reads_other_rows(element) else _deep_deannotate(element))


def reads_other_rows(expression: ColumnElement[Any]) -> bool:
    """Whether an expression has a subquery."""
    return any(isinstance(element, SelectBase) for element in visitors.iterate(expression))


def sql_of(expression: Any) -> str:
    """The SQL of an expression on a table, by which an index and an attribute recognise each other."""
    compiled = cast("Any", _deep_deannotate)(expression).compile(
        dialect=DIALECT, compile_kwargs={"literal_binds": True}
    )
    return str(compiled)


def indexed_standin(table: "Table[Any]", expression: ColumnElement[Any], column: Column[Any]) -> Column[Any]:
    """The column that stands for an expression which may have an index: `column`, or the one that does already."""
    return cast("dict[str, Column[Any]]", table.info.setdefault(STANDINS, {})).setdefault(sql_of(expression), column)


def find_standin(table: "Table[Any]", expression: Any) -> Column[Any] | None:
    """The column that stands for the expression of an index; None where no attribute is this expression."""
    known = cast("dict[str, Column[Any]]", table.info.get(STANDINS, {}))
    return known.get(sql_of(expression)) if known else None
