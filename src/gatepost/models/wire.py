"""How a column's value leaves PostgreSQL so that it is on the wire what the contract says.

UUIDs and decimals leave as text, because making Python objects of them only to print them again is most of the cost
of a page; what msgspec prints right by itself (timestamps as RFC 3339 with `Z`, dates, ISO 8601 intervals, base64)
stays as it is.
"""

from collections.abc import Callable
from typing import Any

from sqlalchemy import ARRAY, BigInteger, ColumnElement, Enum, Numeric, Text, Uuid, cast
from sqlalchemy.types import TypeDecorator, TypeEngine

from gatepost.database.statements import DIALECT
from gatepost.models.entity import wire_values

Decode = Callable[[Any], Any]


def wire_column(
    column: ColumnElement[Any], *, bigint_as_string: bool = False
) -> tuple[ColumnElement[Any], Decode | None]:
    """What to select for a column, and what to do with each value before it is encoded (None: nothing)."""
    kind: Any = column.type
    if _is_decorated(kind):
        return column, kind.result_processor(DIALECT, None)
    if _leaves_as_text(kind, bigint_as_string=bigint_as_string):
        return cast(column, Text), None
    if isinstance(kind, Enum):
        stored = wire_values(kind)
        changes = any(text != value for text, value in stored.items())
        return cast(column, Text), (_none_safe(stored.__getitem__) if changes else None)
    if isinstance(kind, ARRAY):
        return _array(column, kind, bigint_as_string=bigint_as_string)
    return column, None


def _is_decorated(kind: object) -> bool:
    return isinstance(kind, TypeDecorator)


def _leaves_as_text(kind: TypeEngine[Any], *, bigint_as_string: bool) -> bool:
    if isinstance(kind, Uuid):
        return True
    if isinstance(kind, Numeric):
        return bool(kind.asdecimal)
    return bigint_as_string and isinstance(kind, BigInteger)


def _array(
    column: ColumnElement[Any], kind: Any, *, bigint_as_string: bool
) -> tuple[ColumnElement[Any], Decode | None]:
    item = kind.item_type
    if isinstance(item, Enum):
        stored = wire_values(item)
        return cast(column, ARRAY(Text)), _none_safe(lambda values: [stored.get(value, value) for value in values])
    if _leaves_as_text(item, bigint_as_string=bigint_as_string):
        return cast(column, ARRAY(Text)), None
    return column, None


def _none_safe(decode: Decode) -> Decode:
    return lambda value: None if value is None else decode(value)
