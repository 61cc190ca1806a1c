"""CHECK constraints from what `Annotated` declares, so that PostgreSQL enforces the same bounds as the validation.

Outside the request path: `complete_schema` adds them once, when the app is built. The conditions are in
`check_conditions.py`. They and the constraints of the DTO compiler are made from the same annotations. Both ignore
annotations that are not constraints; a `Predicate` is checked on bodies only.
"""

from collections.abc import Iterable, Iterator
from typing import Any, cast

import msgspec
from annotated_types import GroupedMetadata
from sqlalchemy import CheckConstraint, Interval, Table
from sqlalchemy.schema import conv
from sqlalchemy.types import TypeDecorator

from gatepost.models.check_conditions import CheckConstraintSQL, element_check, finite_check, value_check
from gatepost.models.entity import Attribute, Entity
from gatepost.models.schema_names import quote, schema_name

VIOLATION = "gatepost.violation"
"""Key in `CheckConstraint.info`: the `(attribute, code, detail)` that its violation means."""


def add_checks(entity: Entity) -> None:
    """Add the CHECK constraints of an entity's attributes to its table; those that are there already stay."""
    present = {constraint.name for constraint in entity.table.constraints}
    for attribute in entity.attributes.values():
        for rule in checks_of(attribute):
            name = schema_name("ck", entity.table.name, attribute.column.name, rule.name)
            if attribute.column.table is not entity.table or name in present:
                continue
            info = {VIOLATION: (attribute.name, rule.code, rule.detail)}
            check = CheckConstraint(_escape(rule.condition), name=conv(name), info=info)
            cast("Table", entity.table).append_constraint(check)


def checks_of(attribute: Attribute) -> list[CheckConstraintSQL]:
    """Every CHECK that SQL can express for this attribute; several of one kind are numbered."""
    kind, quoted = _stored(attribute.column.type), quote(attribute.column.name)
    if kind is None:
        return []
    found: list[CheckConstraintSQL | None] = [] if attribute.managed else [*finite_check(kind, quoted)]
    found += [value_check(kind, quoted, item) for item in _unpack(attribute.constraints)]
    element = _stored(getattr(kind, "item_type", None))
    if element is not None:
        found += [element_check(element, quoted, item) for item in _unpack(attribute.element_constraints)]
    return list(_numbered(rule for rule in found if rule is not None))


def _numbered(rules: Iterable[CheckConstraintSQL]) -> Iterator[CheckConstraintSQL]:
    seen: dict[str, set[str]] = {}
    for rule in rules:
        conditions = seen.setdefault(rule.name, set())
        if rule.condition not in conditions:
            conditions.add(rule.condition)
            count = len(conditions)
            yield rule if count == 1 else msgspec.structs.replace(rule, name=f"{rule.name}_{count}")


def _unpack(constraints: Iterable[object]) -> Iterator[object]:
    for item in constraints:
        if isinstance(item, GroupedMetadata):
            yield from _unpack(cast("Iterable[object]", item))
        else:
            yield item


def _stored(kind: Any) -> Any:
    """The type that is stored; None for a `TypeDecorator` that converts values before they are stored."""
    if not isinstance(kind, TypeDecorator) or isinstance(kind, Interval):
        return kind
    own: Any = type(cast("object", kind))
    names = ("process_bind_param", "bind_processor", "bind_expression")
    is_plain = all(getattr(own, name) is getattr(TypeDecorator, name) for name in names)
    return cast("Any", kind).impl_instance if is_plain else None


def _escape(condition: str) -> str:
    """Escape `:name`, which SQLAlchemy would read as a parameter and which here is part of a quoted name."""
    return condition.replace("\\", "\\\\").replace(":", "\\:") if ":" in _without_casts(condition) else condition


def _without_casts(condition: str) -> str:
    return condition.replace("::", "")
