"""CHECK constraints from the shapes of attributes, so that PostgreSQL enforces the same bounds as the validation.

Outside the request path: `complete_schema` adds them once, when the app is built. The conditions are in
`check_conditions.py`. The decoders of bodies are compiled from the same shapes; only they check a `Predicate`.
"""

from collections.abc import Iterable, Iterator
from typing import cast

import msgspec
from sqlalchemy import CheckConstraint, Table
from sqlalchemy.schema import conv

from gatepost.models.check_conditions import CheckConstraintSQL, element_check, finite_check, value_check
from gatepost.models.entity import Attribute, Entity
from gatepost.models.schema_names import quote, schema_name

VIOLATION = "gatepost.violation"
"""Key in `CheckConstraint.info`: the `(attribute, code, detail, params)` that its violation means."""


def add_checks(entity: Entity) -> None:
    """Add the CHECK constraints of an entity's attributes to its table; those that are there already stay."""
    present = {constraint.name for constraint in entity.table.constraints}
    for attribute in entity.attributes.values():
        for rule in checks_of(attribute):
            name = schema_name("ck", entity.table.name, attribute.column.name, rule.name)
            if attribute.column.table is not entity.table or name in present:
                continue
            info = {VIOLATION: (attribute.name, rule.code, rule.detail, rule.params)}
            check = CheckConstraint(_escape(rule.condition), name=conv(name), info=info)
            cast("Table", entity.table).append_constraint(check)


def checks_of(attribute: Attribute) -> list[CheckConstraintSQL]:
    """Every CHECK that SQL can express for this attribute; several of one kind are numbered."""
    shape, quoted = attribute.shape, quote(attribute.column.name)
    if shape.is_converted:
        return []
    found: list[CheckConstraintSQL | None] = [] if attribute.managed else [*finite_check(shape, quoted)]
    found += [value_check(shape, quoted, item) for item in shape.constraints]
    if shape.items is not None and not shape.items.is_converted:
        found += [element_check(shape.items, quoted, item) for item in shape.items.constraints]
    return list(_numbered(rule for rule in found if rule is not None))


def _numbered(rules: Iterable[CheckConstraintSQL]) -> Iterator[CheckConstraintSQL]:
    seen: dict[str, set[str]] = {}
    for rule in rules:
        conditions = seen.setdefault(rule.name, set())
        if rule.condition not in conditions:
            conditions.add(rule.condition)
            count = len(conditions)
            yield rule if count == 1 else msgspec.structs.replace(rule, name=f"{rule.name}_{count}")


def _escape(condition: str) -> str:
    """Escape `:name`, which SQLAlchemy would read as a parameter and which here is part of a quoted name."""
    has_name = ":" in condition.replace("::", "")  # which is a cast
    return condition.replace("\\", "\\\\").replace(":", "\\:") if has_name else condition
