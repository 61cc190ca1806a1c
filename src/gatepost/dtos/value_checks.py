"""Constraints of a shape as checks of one value: those that msgspec makes itself, and those made after it.

A `ValueCheck` holds both forms of one constraint, so that the fast decoder and the strict reader always agree.
"""

from collections.abc import Callable, Iterable, Mapping, Sized
from datetime import timedelta
from decimal import Context, Decimal
from typing import Any, cast

import msgspec

from gatepost.models.constraints import LENGTHS, Constraint, ConstraintName
from gatepost.models.shape import Form, Shape

WIDE = Context(prec=12_000)
"""Exact for every number that the decoder lets through; the default context would round at 28 digits."""

SIZED: tuple[type, ...] = (str, bytes, list, dict, tuple, set, frozenset)
"""A tuple: Python would make `str | bytes` anew at every call."""

NOTHING: Mapping[str, Any] = {}

_INT64 = range(-(2**63), 2**63)


class ValueCheck(msgspec.Struct, frozen=True):
    """One condition on a decoded value; `native` is the same as arguments of `msgspec.Meta`, where they exist, and
    `params` are the values in `detail`."""

    holds: Callable[[Any], bool]
    code: str
    detail: str
    native: Mapping[str, Any] = NOTHING
    params: Mapping[str, Any] = NOTHING


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
        ValueCheck(
            _HOLDS[item.name](_bound(item, shape)),
            item.code,
            item.detail(shape.unit),
            _native(item, shape),
            item.params,
        )
        for item in constraints
    )


def _bound(item: Constraint, shape: Shape) -> Any:
    return _decimal(item.value) if shape.form is Form.DECIMAL and item.name in _INCLUSIVE else item.value


def _native(item: Constraint, shape: Shape) -> Mapping[str, Any]:
    if item.name in LENGTHS:
        return {item.name: item.value}
    if item.name not in _INCLUSIVE or shape.form is not Form.INTEGER or type(item.value) is not int:
        return NOTHING
    name, distance = _INCLUSIVE[item.name]
    bound = item.value + distance
    return {name: bound} if bound in _INT64 else NOTHING


_INCLUSIVE = {"ge": ("ge", 0), "gt": ("ge", 1), "le": ("le", 0), "lt": ("le", -1)}
"""For integers the inclusive bound as msgspec names it, with its distance from the declared one."""


def _multiple_of(step: Any) -> Callable[[Any], bool]:
    """Exact for decimal fractions: 1.10 is a multiple of 0.01."""
    exact = _decimal(step)
    return lambda value: not WIDE.remainder(_decimal(value), exact)


def _satisfies(function: Callable[[Any], object]) -> Callable[[Any], bool]:
    """A predicate may also refuse by raising ValueError, as validators commonly do."""

    def holds(value: Any) -> bool:
        try:
            return bool(function(value))
        except ValueError:
            return False

    return holds


def _has_second_digits(digits: int) -> Callable[[Any], bool]:
    """PostgreSQL would round what `timestamptz(0)` or `interval(3)` cannot keep."""
    step = 10 ** (6 - digits)

    def holds(value: Any) -> bool:
        count: int = value.microseconds if isinstance(value, timedelta) else value.microsecond
        return not count % step

    return holds


_HOLDS: Mapping[ConstraintName, Callable[[Any], Callable[[Any], bool]]] = {
    "ge": lambda bound: lambda value: value >= bound,
    "gt": lambda bound: lambda value: value > bound,
    "le": lambda bound: lambda value: value <= bound,
    "lt": lambda bound: lambda value: value < bound,
    "multiple_of": _multiple_of,
    "min_length": lambda count: lambda value: _size(value) >= count,
    "max_length": lambda count: lambda value: 0 <= _size(value) <= count,
    "predicate": _satisfies,
    "second_digits": _has_second_digits,
}
"""From a bound to the check of a value. (Python calls a function of its own faster than a partial.)"""


def _decimal(value: Any) -> Decimal:
    return value if isinstance(value, Decimal) else Decimal(repr(value))


def _size(value: Any) -> int:
    return len(cast("Sized", value)) if isinstance(value, SIZED) else -1
