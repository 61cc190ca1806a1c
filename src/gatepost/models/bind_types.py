"""The types that compared values are bound as.

A column's own precision, length or range would round, cut or refuse a value that is only compared with it.
"""

from typing import Any, cast

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import CITEXT
from sqlalchemy.types import TupleType, TypeEngine

from gatepost.models.recipes import Bound
from gatepost.models.shape import plain_type


def bind_type(kind: TypeEngine[Any]) -> TypeEngine[Any]:
    """The type a compared value is bound as: without precision, length or range."""
    if isinstance(plain_type(kind), sa.Integer):
        return _decorated(kind, sa.BigInteger())
    if isinstance(plain_type(kind), sa.Float):
        return _decorated(kind, sa.Double())  # a decimal number is not the float that is shown by the same digits
    if isinstance(kind, sa.CHAR | sa.NCHAR):
        return Unpadded()
    if isinstance(kind, CITEXT):
        return CITEXT()  # compared with another text it is a text itself: by case, and by no index
    if isinstance(kind, sa.String) and not isinstance(kind, sa.Enum):
        return sa.String()
    return unrounded(kind)


def member_types(kind: TypeEngine[Any]) -> list[TypeEngine[Any]] | None:
    """The types of the elements of the arrays that a list of compared values, or of tuples, is bound as. None where
    there is no array of such elements."""
    members: Any = kind.types if isinstance(kind, TupleType) else [kind]
    return None if any(_has_no_array(each) for each in members) else [bind_type(each) for each in members]


def _has_no_array(kind: TypeEngine[Any]) -> bool:
    """Whether the values are lists themselves, or of unknown type, or more than a bind in SQL."""
    plain = plain_type(kind)
    return isinstance(plain, sa.ARRAY | sa.JSON | sa.types.NullType) or cast("Any", kind)._has_bind_expression


class Unpadded(sa.types.UserDefinedType[str]):
    """`char` of any length: compared as `char(n)` is, without regard to spaces at the end, and by its index."""

    cache_ok = True
    render_bind_cast = True

    def get_col_spec(self, **_: Any) -> str:
        """As PostgreSQL calls it."""
        return "BPCHAR"


def stored_value(text: Bound, kind: TypeEngine[Any]) -> sa.ColumnElement[Any]:
    """A value of a column by its text as PostgreSQL wrote it, which PostgreSQL reads again: no value is lost or rounded
    on the way, and no program's type can refuse it."""
    plain = plain_type(kind)
    if isinstance(plain, sa.String) and not isinstance(plain, sa.Enum):
        return text.parameter(bind_type(plain))
    return sa.cast(text.parameter(sa.Text()), plain)


def unrounded(kind: TypeEngine[Any]) -> TypeEngine[Any]:
    """The type of a compared number without the precision of its column, with which PostgreSQL would round or refuse
    it. Types other than numbers are unchanged."""
    plain = plain_type(kind)
    if not isinstance(plain, sa.Numeric):
        return kind
    return _decorated(kind, sa.Numeric() if plain.asdecimal else sa.Numeric(asdecimal=False))


def _decorated(kind: TypeEngine[Any], plain: TypeEngine[Any]) -> TypeEngine[Any]:
    """The plain type; for a `TypeDecorator`, a copy of it that decorates the plain type."""
    if not isinstance(kind, sa.TypeDecorator):
        return plain
    changed: Any = cast("Any", kind).copy()
    changed.impl = changed.impl_instance = plain
    return cast("TypeEngine[Any]", changed)
