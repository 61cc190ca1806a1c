"""CHECK constraints from what `Annotated` declares, so that PostgreSQL holds the same bounds as the validation.

Outside the request path: `complete_schema` adds them once, when the app is built. The rules here and in the DTO
compiler are two readings of the same annotations; annotations that neither knows (`Predicate`) bind neither.
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any, cast

import msgspec
from annotated_types import Ge, GroupedMetadata, Gt, Le, Lt, MaxLen, MinLen, MultipleOf
from sqlalchemy import ARRAY, CheckConstraint, Column, Float, Integer, LargeBinary, Numeric, String, Table
from sqlalchemy.schema import conv
from sqlalchemy.types import Date, DateTime, Enum, Interval, Time, TypeDecorator

from gatepost.models.entity import Attribute, Entity
from gatepost.models.schema_names import quote, schema_name

VIOLATION = "gatepost.violation"
"""Key in `CheckConstraint.info`: the `(attribute, code, detail)` that its violation means."""

_BOUNDS: Sequence[tuple[type[Any], str, str, str, str]] = (
    (Ge, "ge", ">=", "too_small", "The value must be at least {0}."),
    (Gt, "gt", ">", "too_small", "The value must be greater than {0}."),
    (Le, "le", "<=", "too_large", "The value must be at most {0}."),
    (Lt, "lt", "<", "too_large", "The value must be less than {0}."),
)
_LENGTHS: Sequence[tuple[type[Any], str, str, str, str]] = (
    (MinLen, "min_length", ">=", "too_short", "The length must be at least {0}."),
    (MaxLen, "max_length", "<=", "too_long", "The length must be at most {0}."),
)


_NUMBERS = (Integer, Numeric, Float)


class Rule(msgspec.Struct, frozen=True):
    """One bound of one column: `condition` is SQL, `code` one of FIELD_CODES."""

    name: str
    condition: str
    code: str
    detail: str


def add_checks(entity: Entity) -> None:
    """Add the CHECK constraints of an entity's attributes to its table; those that are there already stay."""
    present = {constraint.name for constraint in entity.table.constraints}
    for attribute in entity.attributes.values():
        for rule in rules_of(attribute):
            name = schema_name("ck", entity.table.name, attribute.column.name, rule.name)
            if attribute.column.table is not entity.table or name in present:
                continue
            info = {VIOLATION: (attribute.name, rule.code, rule.detail)}
            check = CheckConstraint(_escape(rule.condition), name=conv(name), info=info)
            cast("Table", entity.table).append_constraint(check)


def rules_of(attribute: Attribute) -> list[Rule]:
    """Every bound that PostgreSQL can hold for this attribute; equal kinds are numbered."""
    rules: list[Rule] = []
    if not attribute.managed:
        rules.extend(_finite(attribute.column))
    for item in _unpack(attribute.constraints):
        rule = _rule(attribute.column, item)
        if rule is not None and rule.condition not in {known.condition for known in rules}:
            twins = sum(known.code == rule.code and known.name.startswith(rule.name) for known in rules)
            rules.append(msgspec.structs.replace(rule, name=f"{rule.name}_{twins + 1}") if twins else rule)
    return rules


def _unpack(constraints: Iterable[object]) -> Iterator[object]:
    for item in constraints:
        if isinstance(item, GroupedMetadata):
            yield from _unpack(cast("Iterable[object]", item))
        else:
            yield item


def _rule(column: Column[Any], item: object) -> Rule | None:
    quoted = quote(column.name)
    for kind, name, operator, code, detail in _BOUNDS:
        if isinstance(item, kind):
            bound = getattr(item, name)
            literal = _literal(column, bound)
            condition = f"{quoted} {operator} {literal}"
            return Rule(name, condition, code, detail.format(bound)) if literal else None
    for kind, name, operator, code, detail in _LENGTHS:
        if isinstance(item, kind):
            length = getattr(item, name)
            measure = _measure(column)
            condition = f"{measure}({quoted}) {operator} {length}"
            return Rule(name, condition, code, detail.format(length)) if measure else None
    if isinstance(item, MultipleOf) and isinstance(_kind(column), _NUMBERS):
        step = _literal(column, item.multiple_of)
        detail = f"The number must be a multiple of {item.multiple_of}."
        return Rule("multiple_of", f"mod({quoted}, {step}) = 0", "not_a_multiple", detail) if step else None
    return None


def _finite(column: Column[Any]) -> Iterator[Rule]:
    """The wire refuses NaN and infinity; to PostgreSQL NaN is greater than every bound, and so passes `Ge`."""
    kind = _kind(column)
    if not isinstance(kind, Numeric | Float):
        return
    outcasts = ("NaN",) if not isinstance(kind, Float) and kind.precision else ("NaN", "Infinity", "-Infinity")
    condition = " AND ".join(f"{quote(column.name)} <> '{value}'" for value in outcasts)
    yield Rule("finite", condition, "not_finite", "NaN and infinity are not numbers here.")


def _kind(column: Column[Any]) -> Any:
    if isinstance(column.type, TypeDecorator) and not isinstance(column.type, Interval):
        return column.type.impl_instance
    return column.type


def _measure(column: Column[Any]) -> str | None:
    kind = _kind(column)
    if isinstance(kind, ARRAY):
        return "cardinality"
    if isinstance(kind, LargeBinary):
        return "octet_length"
    return "char_length" if isinstance(kind, String) and not isinstance(kind, Enum) else None


def _literal(column: Column[Any], value: object) -> str | None:
    """The bound as SQL, or None where the column's type cannot be compared with it."""
    kind = _kind(column)
    if isinstance(value, bool):
        return None
    if isinstance(value, int | Decimal) and isinstance(kind, _NUMBERS):
        return str(value) if Decimal(value).is_finite() else None
    if isinstance(value, float) and isinstance(kind, _NUMBERS):
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


def _escape(condition: str) -> str:
    """SQLAlchemy reads `:name` in a text as a parameter; what looks like one here is part of a quoted name."""
    return condition.replace("\\", "\\\\").replace(":", "\\:") if ":" in _without_casts(condition) else condition


def _without_casts(condition: str) -> str:
    return condition.replace("::", "")
