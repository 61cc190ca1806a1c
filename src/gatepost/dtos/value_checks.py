"""Constraints of a shape as checks of one value: those that msgspec makes itself, and those made after it.

A `ValueCheck` holds both forms of one constraint, so that the fast decoder and the strict reader always agree.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence, Sized
from datetime import date, time, timedelta
from decimal import Context, Decimal
from typing import Any, cast

import msgspec

from gatepost.dtos.violations import Violation
from gatepost.models.constraints import Constraint, predicate_name
from gatepost.models.shape import UNITS, Form, Shape

WIDE = Context(prec=12_000)
"""Exact for every number that the decoder lets through; the default context would round at 28 digits."""

SIZED: tuple[type, ...] = (str, bytes, list, dict)
"""A tuple: Python would make `str | bytes` anew at every call."""

NOTHING: Mapping[str, Any] = {}

_INT64 = range(-(2**63), 2**63)


class ValueCheck(msgspec.Struct, frozen=True):
    """One condition on a decoded value; `native` is the same as arguments of `msgspec.Meta`, where they exist."""

    holds: Callable[[Any], bool]
    code: str
    detail: str
    native: Mapping[str, Any] = NOTHING


def check(value: Any, checks: Sequence[ValueCheck]) -> None:
    """Raise the `Violation` of the first check that does not hold."""
    for item in checks:
        if not item.holds(value):
            raise Violation(item.code, item.detail)


def native_meta(checks: Iterable[ValueCheck]) -> msgspec.Meta | None:
    """All native checks as one msgspec constraint: the tightest bound of each sort."""
    merged: dict[str, Any] = {}
    for item in checks:
        for name, bound in item.native.items():
            tightest = max if name in ("ge", "min_length") else min
            merged[name] = tightest(merged[name], bound) if name in merged else bound
    return msgspec.Meta(**merged) if merged else None


def value_checks(constraints: Iterable[Constraint], shape: Shape) -> tuple[ValueCheck, ...]:
    """The checks of values of this shape."""
    return tuple(
        _comparison(item, shape) if item.name in _COMPARISONS else _CHECKS[item.name](item.value, shape)
        for item in constraints
    )


_COMPARISONS: Mapping[str, tuple[Callable[[Any], Callable[[Any], bool]], str, str, str, int]] = {
    "ge": (lambda bound: lambda value: value >= bound, "too_small", "{} or more", "ge", 0),
    "gt": (lambda bound: lambda value: value > bound, "too_small", "more than {}", "ge", 1),
    "le": (lambda bound: lambda value: value <= bound, "too_large", "{} or less", "le", 0),
    "lt": (lambda bound: lambda value: value < bound, "too_large", "less than {}", "le", -1),
}
"""The comparison (Python calls a function of its own faster than a partial), the code, the words, and for integers the
inclusive bound as msgspec names it, with its distance from the declared one."""


def _comparison(constraint: Constraint, shape: Shape) -> ValueCheck:
    compared, code, words, inclusive, distance = _COMPARISONS[constraint.name]
    bound: Any = _decimal(constraint.value) if shape.form is Form.DECIMAL else constraint.value
    is_native = shape.form is Form.INTEGER and type(bound) is int and bound + distance in _INT64
    return ValueCheck(
        compared(bound),
        code,
        f"The value must be {words.format(_written(bound))}.",
        {inclusive: bound + distance} if is_native else NOTHING,
    )


def _multiple(step: Any, shape: Shape) -> ValueCheck:
    """Exact for decimal fractions: 1.10 is a multiple of 0.01."""
    exact = _decimal(step)

    def holds(value: Any) -> bool:
        return not WIDE.remainder(_decimal(value), exact)

    return ValueCheck(holds, "not_a_multiple", f"The value must be a multiple of {step}.")


def _length_at_least(count: int, shape: Shape) -> ValueCheck:
    detail = f"Send at least {_counted(count, UNITS[shape.form])}."
    return ValueCheck(lambda value: _size(value) >= count, "too_short", detail, {"min_length": count})


def _length_at_most(count: int, shape: Shape) -> ValueCheck:
    detail = f"Send at most {_counted(count, UNITS[shape.form])}."
    return ValueCheck(lambda value: 0 <= _size(value) <= count, "too_long", detail, {"max_length": count})


def _predicate(function: Callable[[Any], object], shape: Shape) -> ValueCheck:
    """A predicate may also refuse by raising ValueError, as validators commonly do."""

    def holds(value: Any) -> bool:
        try:
            return bool(function(value))
        except ValueError:
            return False

    return ValueCheck(holds, "pattern_mismatch", f"The value does not satisfy {predicate_name(function)}.")


def _second_digits(digits: int, shape: Shape) -> ValueCheck:
    """PostgreSQL would round what `timestamptz(0)` or `interval(3)` cannot keep."""
    step = 10 ** (6 - digits)

    def holds(value: Any) -> bool:
        count: int = value.microseconds if isinstance(value, timedelta) else value.microsecond
        return not count % step

    return ValueCheck(holds, "too_precise", f"Send at most {digits} digits of a second.")


_CHECKS: Mapping[str, Callable[[Any, Shape], ValueCheck]] = {
    "multiple_of": _multiple,
    "min_length": _length_at_least,
    "max_length": _length_at_most,
    "predicate": _predicate,
    "second_digits": _second_digits,
}


def _decimal(value: Any) -> Decimal:
    return value if isinstance(value, Decimal) else Decimal(repr(value))


def _size(value: Any) -> int:
    return len(cast("Sized", value)) if isinstance(value, SIZED) else -1


def _written(bound: Any) -> str:
    return bound.isoformat() if isinstance(bound, date | time) else str(bound)


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
