"""The SQL condition of one constraint: on a value, or on every element of an array.

Outside the request path. A CHECK cannot hold a subquery, so elements are compared by `operator ALL (array)`, by casts
of the whole array, and by JSON paths.
"""

from collections.abc import Iterator, Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

import msgspec
from annotated_types import Ge, Gt, Le, Lt, MaxLen, MinLen, MultipleOf
from sqlalchemy import ARRAY, Float, Integer, LargeBinary, Numeric, String
from sqlalchemy.types import Date, DateTime, Enum, Interval, Time

BOUNDS: Sequence[tuple[type[Any], str, str, str, str, str]] = (
    (Ge, "ge", ">=", "<=", "too_small", "The value must be at least {0}."),
    (Gt, "gt", ">", "<", "too_small", "The value must be greater than {0}."),
    (Le, "le", "<=", ">=", "too_large", "The value must be at most {0}."),
    (Lt, "lt", "<", ">", "too_large", "The value must be less than {0}."),
)
"""Class, name, operator, the operator with its sides exchanged, code, sentence."""

LENGTHS: Sequence[tuple[type[Any], str, str, str, str]] = (
    (MinLen, "min_length", ">=", "too_short", "The length must be at least {0}."),
    (MaxLen, "max_length", "<=", "too_long", "The length must be at most {0}."),
)

NUMBERS = (Integer, Numeric, Float)

VARCHAR_MAX = 10_485_760
REPETITIONS_MAX = 255
"""The most repetitions that PostgreSQL's regular expressions allow."""


class CheckConstraintSQL(msgspec.Struct, frozen=True):
    """One bound of one column: `condition` is SQL, `code` one of FIELD_CODES."""

    name: str
    condition: str
    code: str
    detail: str


def value_check(kind: Any, quoted: str, item: object) -> CheckConstraintSQL | None:
    """The CHECK of one constraint on a column's value; None where SQL cannot express it."""
    for constraint, name, operator, _, code, detail in BOUNDS:
        if isinstance(item, constraint):
            bound = getattr(item, name)
            literal = _literal(kind, bound)
            return (
                CheckConstraintSQL(name, f"{quoted} {operator} {literal}", code, detail.format(bound))
                if literal
                else None
            )
    for constraint, name, operator, code, detail in LENGTHS:
        if isinstance(item, constraint):
            length, measure = getattr(item, name), _measure(kind)
            condition = f"{measure}({quoted}) {operator} {length}"
            return CheckConstraintSQL(name, condition, code, detail.format(length)) if measure else None
    if isinstance(item, MultipleOf) and (step := _literal(kind, item.multiple_of)):
        # A float is compared by its shortest decimal text: 0.3 is a multiple of 0.1.
        number = f"({quoted}::text)::numeric" if isinstance(kind, Float) else quoted
        return _multiple(item, f"mod({number}, {step}) = 0")
    return None


def element_check(kind: Any, quoted: str, item: object) -> CheckConstraintSQL | None:
    """The same for every element of an array column, whose elements are of this type."""
    rule = _element_check(kind, quoted, item)
    if rule is None:
        return None
    return CheckConstraintSQL(f"each_{rule.name}", rule.condition, rule.code, f"In every element: {rule.detail}")


def _element_check(kind: Any, quoted: str, item: object) -> CheckConstraintSQL | None:
    for constraint, name, _, mirrored, code, detail in BOUNDS:
        if isinstance(item, constraint):
            bound = getattr(item, name)
            literal = _literal(kind, bound)
            return (
                CheckConstraintSQL(name, f"{literal} {mirrored} ALL ({quoted})", code, detail.format(bound))
                if literal
                else None
            )
    for constraint, name, _, code, detail in LENGTHS:
        if isinstance(item, constraint):
            length = getattr(item, name)
            longer, shorter = _longer(kind, quoted, length), _shorter(kind, quoted, length)
            condition = longer if constraint is MinLen else shorter
            return CheckConstraintSQL(name, condition, code, detail.format(length)) if condition else None
    if isinstance(item, MultipleOf) and (step := _literal(kind, item.multiple_of)):
        return _multiple(item, _none_of(quoted, f"@ % {step} != 0"))
    return None


def _longer(kind: Any, quoted: str, length: int) -> str | None:
    if length == 1 and _measure(kind):
        return f"'' <> ALL ({quoted})"
    if _measure(kind) == "char_length" and 1 < length <= REPETITIONS_MAX:
        return _none_of(quoted, f'!(@ like_regex "^.{{{length}}}" flag "s")')
    return None


def _shorter(kind: Any, quoted: str, length: int) -> str | None:
    """A cast of the whole array cuts elements that are too long, and the result is then unequal to the original."""
    if length == 0 and _measure(kind):
        return f"'' = ALL ({quoted})"
    if _measure(kind) == "char_length" and 0 < length <= VARCHAR_MAX:
        return f"({quoted}::varchar({length})[])::text[] = {quoted}::text[]"
    return None


def _none_of(quoted: str, path: str) -> str:
    return f"NOT jsonb_path_exists(to_jsonb({quoted}), '$[*] ? ({path})')"


def _multiple(item: MultipleOf, condition: str) -> CheckConstraintSQL:
    return CheckConstraintSQL(
        "multiple_of", condition, "not_a_multiple", f"The number must be a multiple of {item.multiple_of}."
    )


def finite_check(kind: Any, quoted: str) -> Iterator[CheckConstraintSQL]:
    """Bodies cannot hold NaN or infinity. PostgreSQL sorts NaN above every number, so that it would pass `Ge`."""
    number = getattr(kind, "item_type", kind)
    if not isinstance(number, Numeric | Float):
        return
    excluded = ("NaN",) if not isinstance(number, Float) and number.precision else ("NaN", "Infinity", "-Infinity")
    form = "'{0}' <> ALL ({1})" if isinstance(kind, ARRAY) else "{1} <> '{0}'"
    condition = " AND ".join(form.format(value, quoted) for value in excluded)
    yield CheckConstraintSQL("finite", condition, "not_finite", "NaN and infinity are not numbers here.")


def _measure(kind: Any) -> str | None:
    if isinstance(kind, ARRAY):
        return "cardinality"
    if isinstance(kind, LargeBinary):
        return "octet_length"
    return "char_length" if isinstance(kind, String) and not isinstance(kind, Enum) else None


def _literal(kind: Any, value: object) -> str | None:
    """The bound as SQL, or None where the column's type cannot be compared with it."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int | Decimal) and isinstance(kind, NUMBERS):
        return str(value) if Decimal(value).is_finite() else None
    if isinstance(value, float) and isinstance(kind, NUMBERS):
        return repr(value) if Decimal(value).is_finite() else None
    return _temporal_literal(kind, value)


def _temporal_literal(kind: Any, value: object) -> str | None:
    if isinstance(value, datetime) and isinstance(kind, DateTime):
        return f"'{value.isoformat(sep=' ')}'::timestamptz" if value.tzinfo else None
    if isinstance(value, date) and isinstance(kind, Date) and not isinstance(value, datetime):
        return f"'{value.isoformat()}'::date"
    if isinstance(value, time) and isinstance(kind, Time):
        return f"'{value.isoformat()}'::time"
    if isinstance(value, timedelta) and isinstance(kind, Interval):
        return f"'{value // timedelta(microseconds=1)} microseconds'::interval"
    return None
