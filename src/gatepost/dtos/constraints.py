"""Constraints on one value, from `annotated-types`: those that msgspec checks itself, and those checked after it.

A `Constraint` holds both forms of one constraint, so that the fast decoder and the strict reader always agree.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Sized
from datetime import date, datetime, time, timedelta
from decimal import Context, Decimal
from typing import Any, cast

import annotated_types
import msgspec

from gatepost.dtos.violations import Violation
from gatepost.errors import ConfigurationError

WIDE = Context(prec=12_000)
"""Exact for every number that the decoder lets through; the default context would round at 28 digits."""

NUMBERS: tuple[type, ...] = (int, float, Decimal)
ORDERED: tuple[type, ...] = (*NUMBERS, date, datetime, time, timedelta)
SIZED: tuple[type, ...] = (str, bytes, list, dict)

NOTHING: Mapping[str, Any] = {}

_INT64 = range(-(2**63), 2**63)


class Constraint(msgspec.Struct, frozen=True):
    """One condition on a decoded value; `native` is the same as arguments of `msgspec.Meta`, where they exist."""

    holds: Callable[[Any], bool]
    code: str
    detail: str
    native: Mapping[str, Any] = NOTHING


def check(value: Any, rules: Sequence[Constraint]) -> None:
    """Raise the `Violation` of the first rule that does not hold."""
    for rule in rules:
        if not rule.holds(value):
            raise Violation(rule.code, rule.detail)


def native_meta(rules: Iterable[Constraint]) -> msgspec.Meta | None:
    """All native rules as one msgspec constraint: the tightest bound of each sort."""
    merged: dict[str, Any] = {}
    for rule in rules:
        for name, bound in rule.native.items():
            tightest = max if name in ("ge", "min_length") else min
            merged[name] = tightest(merged[name], bound) if name in merged else bound
    return msgspec.Meta(**merged) if merged else None


def at_least(bound: Any, *, python_type: type, code: str = "too_small") -> Constraint:
    """`value >= bound`."""
    return Constraint(
        lambda value: value >= bound,
        code,
        f"The value must be {_bound_text(bound)} or more.",
        _native("ge", bound, python_type),
    )


def at_most(bound: Any, *, python_type: type, code: str = "too_large") -> Constraint:
    """`value <= bound`."""
    return Constraint(
        lambda value: value <= bound,
        code,
        f"The value must be {_bound_text(bound)} or less.",
        _native("le", bound, python_type),
    )


def length_at_least(count: int, noun: str, code: str = "too_short") -> Constraint:
    """At least `count` characters, bytes or elements."""
    return Constraint(
        lambda value: _size(value) >= count, code, f"Send at least {_counted(count, noun)}.", {"min_length": count}
    )


def length_at_most(count: int, noun: str) -> Constraint:
    """At most `count` characters, bytes or elements."""
    return Constraint(
        lambda value: 0 <= _size(value) <= count,
        "too_long",
        f"Send at most {_counted(count, noun)}.",
        {"max_length": count},
    )


def constraints_of(constraints: Iterable[Any], python_type: type, location: str) -> tuple[Constraint, ...]:
    """The rules that `Annotated[...]` declares; other metadata is ignored.

    Raises `ConfigurationError` where a constraint makes no sense for the column's type.
    """
    return tuple(rule for item in _flat(constraints) for rule in _rules(item, python_type, location))


def _flat(constraints: Iterable[Any]) -> Iterator[Any]:
    for item in constraints:
        if isinstance(item, annotated_types.GroupedMetadata):
            yield from _flat(cast("Iterable[Any]", item))
        else:
            yield item


def _rules(item: Any, python_type: type, location: str) -> Iterator[Constraint]:
    match item:
        case annotated_types.Ge(bound):
            yield at_least(_bound(item, bound, python_type, location), python_type=python_type)
        case annotated_types.Le(bound):
            yield at_most(_bound(item, bound, python_type, location), python_type=python_type)
        case annotated_types.Gt(bound):
            yield _above(_bound(item, bound, python_type, location), python_type)
        case annotated_types.Lt(bound):
            yield _below(_bound(item, bound, python_type, location), python_type)
        case annotated_types.MultipleOf(step):
            yield _multiple(item, step, python_type, location)
        case annotated_types.MinLen(count):
            yield length_at_least(_count(item, count, python_type, location), _UNITS[python_type])
        case annotated_types.MaxLen(count):
            yield length_at_most(_count(item, count, python_type, location), _UNITS[python_type])
        case annotated_types.Predicate(function):
            yield _predicate(function)
        case annotated_types.Not():
            yield _predicate(item)
        case _:
            return


def _above(bound: Any, python_type: type) -> Constraint:
    native = _native("ge", bound + 1, int) if python_type is int and type(bound) is int else NOTHING
    return Constraint(
        lambda value: value > bound, "too_small", f"The value must be more than {_bound_text(bound)}.", native
    )


def _below(bound: Any, python_type: type) -> Constraint:
    native = _native("le", bound - 1, int) if python_type is int and type(bound) is int else NOTHING
    return Constraint(
        lambda value: value < bound, "too_large", f"The value must be less than {_bound_text(bound)}.", native
    )


def _multiple(item: Any, step: Any, python_type: type, location: str) -> Constraint:
    """Exact for decimal fractions: 1.10 is a multiple of 0.01."""
    if python_type not in NUMBERS or not isinstance(step, NUMBERS) or isinstance(step, bool) or _decimal(step) <= 0:
        raise _misfit(item, python_type, location)
    exact = _decimal(step)

    def holds(value: Any) -> bool:
        return not WIDE.remainder(_decimal(value), exact)

    return Constraint(holds, "not_a_multiple", f"The value must be a multiple of {step}.")


def _predicate(function: Callable[[Any], object]) -> Constraint:
    """A predicate may also refuse by raising ValueError, as validators commonly do."""

    def holds(value: Any) -> bool:
        try:
            return bool(function(value))
        except ValueError:
            return False

    return Constraint(holds, "pattern_mismatch", f"The value does not satisfy {_name(function)}.")


def _name(function: Callable[[Any], object]) -> str:
    if isinstance(function, annotated_types.Not):
        return f"not {_name(function.func)}"
    name = getattr(function, "__name__", "")
    return name.strip("_") if name and name != "<lambda>" else "the condition of this field"


def _bound(item: Any, bound: Any, python_type: type, location: str) -> Any:
    if python_type in NUMBERS and isinstance(bound, NUMBERS) and not isinstance(bound, bool):
        return _decimal(bound) if python_type is Decimal else bound
    if python_type in ORDERED and type(bound) is python_type:
        aware = getattr(bound, "tzinfo", None) is not None
        if python_type is not datetime or aware:
            return bound
    raise _misfit(item, python_type, location)


def _count(item: Any, count: Any, python_type: type, location: str) -> int:
    if python_type not in SIZED or not isinstance(count, int) or count < 0:
        raise _misfit(item, python_type, location)
    return count


def _misfit(item: Any, python_type: type, location: str) -> ConfigurationError:
    return ConfigurationError(
        f"{item!r} does not fit a column whose values are of type {python_type.__name__}.",
        location=location,
        hint="Take it out of Annotated[...], or correct its bound (timestamps need a time zone).",
    )


def _native(name: str, bound: Any, python_type: type) -> Mapping[str, Any]:
    if python_type is int and type(bound) is int and bound in _INT64:
        return {name: bound}
    return {name: float(bound)} if python_type is float and isinstance(bound, float) else NOTHING


def _decimal(value: Any) -> Decimal:
    return value if isinstance(value, Decimal) else Decimal(repr(value))


def _size(value: Any) -> int:
    return len(cast("Sized", value)) if isinstance(value, SIZED) else -1


def _bound_text(bound: Any) -> str:
    return bound.isoformat() if isinstance(bound, date | time) else str(bound)


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


_UNITS: dict[type, str] = {str: "character", bytes: "byte", list: "element", dict: "element"}
