"""The SQL condition of one constraint: on a value, or on every element of an array.

Outside the request path. A CHECK cannot hold a subquery, so elements are compared by `operator ALL (array)`, by casts
of the whole array, and by JSON paths.
"""

from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

import msgspec

from gatepost.models.constraints import LENGTHS, Constraint
from gatepost.models.shape import Form, Shape

SQL_OPERATORS: Mapping[str, str] = {
    "ge": ">=",
    "gt": ">",
    "le": "<=",
    "lt": "<",
    "min_length": ">=",
    "max_length": "<=",
}
MIRRORED: Mapping[str, str] = {">=": "<=", ">": "<", "<=": ">=", "<": ">"}
"""The same with their sides exchanged."""

MEASURES: Mapping[Form, str] = {
    Form.ARRAY: "cardinality",
    Form.BYTES: "octet_length",
    Form.TEXT: "char_length",
}
"""The functions that count what the decoders count."""

VARCHAR_MAX = 10_485_760
REPETITIONS_MAX = 255
"""The most repetitions that PostgreSQL's regular expressions allow."""


class CheckConstraintSQL(msgspec.Struct, frozen=True):
    """One bound of one column: `condition` is SQL, `code` one of FIELD_CODES, `params` the values in `detail`."""

    name: str
    condition: str
    code: str
    detail: str
    params: Mapping[str, Any] = {}


def value_check(shape: Shape, quoted: str, item: Constraint) -> CheckConstraintSQL | None:
    """The CHECK of one constraint on a column's value; None where SQL cannot express it."""
    operator, measure, literal = SQL_OPERATORS.get(item.name), MEASURES.get(shape.form), _literal(item.value, shape)
    if item.name in LENGTHS and measure:
        condition = f"{measure}({quoted}) {operator} {item.value}"
    elif operator and literal and item.name not in LENGTHS:
        condition = f"{quoted} {operator} {literal}"
    elif item.name == "multiple_of" and literal:
        # A float is compared by its shortest decimal text: 0.3 is a multiple of 0.1.
        number = f"({quoted}::text)::numeric" if shape.form is Form.FLOAT else quoted
        condition = f"mod({number}, {literal}) = 0"
    else:
        return None
    return CheckConstraintSQL(item.name, condition, item.code, item.detail(shape.unit), item.params)


def element_check(shape: Shape, quoted: str, item: Constraint) -> CheckConstraintSQL | None:
    """The same for every element of an array column, whose elements are of this shape."""
    operator, measure, literal = SQL_OPERATORS.get(item.name), MEASURES.get(shape.form), _literal(item.value, shape)
    condition: str | None = None
    if item.name in LENGTHS and measure:
        condition = (_longer if item.name == "min_length" else _shorter)(measure, quoted, item.value)
    elif operator and literal and item.name not in LENGTHS:
        condition = f"{literal} {MIRRORED[operator]} ALL ({quoted})"
    elif item.name == "multiple_of" and literal:
        condition = _none_of(quoted, f"@ % {literal} != 0")
    if condition is None:
        return None
    detail = f"In every element: {item.detail(shape.unit)}"
    return CheckConstraintSQL(f"each_{item.name}", condition, item.code, detail, item.params)


def _longer(measure: str, quoted: str, length: int) -> str | None:
    if length == 1:
        return f"'' <> ALL ({quoted})"
    if measure == "char_length" and 1 < length <= REPETITIONS_MAX:
        return _none_of(quoted, f'!(@ like_regex "^.{{{length}}}" flag "s")')
    return None


def _shorter(measure: str, quoted: str, length: int) -> str | None:
    """A cast of the whole array cuts elements that are too long, and the result is then unequal to the original."""
    if length == 0:
        return f"'' = ALL ({quoted})"
    if measure == "char_length" and 0 < length <= VARCHAR_MAX:
        return f"({quoted}::varchar({length})[])::text[] = {quoted}::text[]"
    return None


def _none_of(quoted: str, path: str) -> str:
    return f"NOT jsonb_path_exists(to_jsonb({quoted}), '$[*] ? ({path})')"


def finite_check(shape: Shape, quoted: str) -> Iterator[CheckConstraintSQL]:
    """Bodies cannot hold NaN or infinity. PostgreSQL sorts NaN above every number, so that it would pass `Ge`."""
    number = shape.items or shape
    if not number.not_finite or (shape.items is not None and number.is_decorated):
        return
    form = "{1} <> '{0}'" if shape.items is None else "'{0}' <> ALL ({1})"
    condition = " AND ".join(form.format(value, quoted) for value in number.not_finite)
    yield CheckConstraintSQL("finite", condition, "not_finite", "NaN and infinity are not numbers here.")


def _literal(value: object, shape: Shape) -> str | None:
    """The bound as SQL, or None for a number that is not finite."""
    if isinstance(value, int | float | Decimal):
        return str(value) if Decimal(value).is_finite() else None
    if isinstance(value, timedelta):
        return f"'{value // timedelta(microseconds=1)} microseconds'::interval"
    if isinstance(value, datetime) and shape.is_naive:
        return f"'{value.astimezone(UTC).replace(tzinfo=None).isoformat(sep=' ')}'::timestamp"
    if isinstance(value, datetime):
        return f"'{value.isoformat(sep=' ')}'::timestamptz"
    return f"'{value.isoformat()}'::{type(value).__name__}" if isinstance(value, date | time) else None
