"""The declared type of a column compared with the real one: would a value read, shown or stored be another one?

Outside the request path: on the first connection. Only what makes a wrong response counts: a column that stores more
than the model declares does not.
"""

import re
from typing import Any, cast

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql
from sqlalchemy.exc import CompileError

from gatepost.database.reflection import BaseType, TypeName
from gatepost.models.schema_names import DIALECT, quote
from gatepost.models.shape import Form, element_type, plain_type, shape_of

TEXTS = ("text", "varchar")

INTEGERS = ("int2", "int4", "int8")

TIMES = ("timestamp", "timestamptz", "time", "timetz", "interval")

_DETAILS = re.compile(r"(?<!FLOAT)\([^)]*\)| COLLATE .*")
"""What makes no other type, but for FLOAT, whose digits do."""


def type_text(kind: Any) -> str:
    """A declared type as PostgreSQL would write it; the name of its class where it has none there."""
    try:
        text = str(kind.compile(dialect=DIALECT))
    except CompileError:
        return type(kind).__name__
    return text if '"' in text else text.lower()


def type_name(kind: Any) -> TypeName | None:
    """What PostgreSQL has to be asked about a declared type, of an array about that of its elements; None for a type
    that no body and no filter can hold, which is shown as it is."""
    named = element_type(kind)
    if shape_of(named).form is Form.OTHER:
        return None
    if isinstance(named, postgresql.DOMAIN) or (isinstance(named, sa.Enum) and named.native_enum):
        name = str(cast("Any", named).name)
        schema: str | None = cast("Any", named).schema
        return (None, quote(name)) if schema is None else (schema, name)
    try:
        return None, _DETAILS.sub("", str(named.compile(dialect=DIALECT)))
    except CompileError:
        return None


def base_type(kind: Any) -> Any:
    """The type of the values, of an array that of its elements, without domains."""
    return plain_type(element_type(plain_type(kind)))


def fits(kind: Any, declared: BaseType, actual: BaseType, *, is_key: bool) -> bool:
    """Whether every value that the declared type admits is stored unchanged in a column of the actual type, and shown
    and compared as declared. Wider integers are, but as a key (`is_key`) no path leads to those beyond the type."""
    plain = base_type(kind)
    if isinstance(plain_type(kind), sa.ARRAY) != actual.is_array:
        return False
    if declared.name in TEXTS and actual.name in TEXTS:
        return _is_no_longer(declared_length(plain), actual)
    if declared.name in INTEGERS and actual.name in INTEGERS and not is_key:
        return INTEGERS.index(declared.name) <= INTEGERS.index(actual.name)
    return declared.oid == actual.oid and _keeps_values(plain, actual)


def _keeps_values(plain: Any, actual: BaseType) -> bool:
    """Whether a column of the declared type stores what its length, precision or values admit."""
    if isinstance(plain, sa.Enum) and plain.native_enum:
        return set(plain.enums) <= set(actual.labels)
    if actual.name == "bpchar":
        return _is_no_longer(declared_length(plain), actual)
    if actual.name == "numeric":
        return _is_no_preciser(plain, actual)
    return actual.name not in TIMES or _keeps_fractions(plain, actual)


def declared_length(plain: Any) -> int | None:
    """The most characters that the declared type admits."""
    length: int | None = getattr(plain, "length", None)
    return length


def _is_no_longer(length: int | None, actual: BaseType) -> bool:
    """PostgreSQL cuts spaces at the end off a text that is too long for its column, without an error."""
    return actual.modifier < 0 or (length is not None and length <= actual.modifier - 4)


def _is_no_preciser(plain: Any, actual: BaseType) -> bool:
    """PostgreSQL rounds a number with more digits after the point than its column has."""
    if actual.modifier < 0:
        return True
    if getattr(plain, "precision", None) is None:
        return False
    actual_scale = (((actual.modifier - 4) & 0x7FF) ^ 0x400) - 0x400  # 11 bits with a sign
    return (plain.scale or 0) <= actual_scale


def _keeps_fractions(plain: Any, actual: BaseType) -> bool:
    """PostgreSQL rounds fractions of a second, and cuts an interval to its fields."""
    digits, fields = actual.modifier & 0xFFFF, actual.modifier >> 16 & 0x7FFF
    if actual.modifier < 0:
        return True
    if actual.name == "interval" and fields != 0x7FFF and not getattr(plain, "fields", None):
        return False
    declared = getattr(plain, "precision", None)
    if declared is None:
        declared = getattr(plain, "second_precision", None)
    return digits == 0xFFFF or (declared is not None and declared <= digits)
