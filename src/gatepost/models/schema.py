"""The database schema that a declaration implies, added to the user's own MetaData once, when the app is built.

Outside the request path, but for `describe_constraint`, which tells the error mapping what a violated constraint
means. CHECK constraints are made in `checks.py`, indexes in `indexes.py`, triggers in `schema_objects.py`; bringing a
database there is left to the `migrations` package, which a serving process never imports.
"""

import difflib
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, Literal

import msgspec
from sqlalchemy import (
    CheckConstraint,
    Constraint,
    ForeignKeyConstraint,
    MetaData,
    PrimaryKeyConstraint,
    String,
    Table,
    UniqueConstraint,
)
from sqlalchemy.types import Enum, TypeDecorator

from gatepost.errors import ConfigurationError
from gatepost.models.checks import VIOLATION, add_checks
from gatepost.models.entity import Entity
from gatepost.models.indexes import add_filter_index, add_search_index, add_sort_index
from gatepost.models.schema_objects import add_object, add_version_trigger, extension
from gatepost.resource import Resource

ATTRIBUTE = "gatepost.attribute"
"""Key in `Column.info`: the name of the attribute that maps the column, where the two differ."""


class Violation(msgspec.Struct, frozen=True):
    """What a broken constraint means.

    `columns` are wire names. `code` is one of FIELD_CODES for a check, `already_exists` for a unique constraint or
    index, and `reference_not_found` for a foreign key: PostgreSQL names the same constraint when a row is deleted to
    which others refer, and whoever ran the DELETE answers `still_referenced` instead.
    """

    kind: Literal["check", "unique", "foreign_key"]
    table: str
    columns: tuple[str, ...]
    code: str
    detail: str


def complete_schema(entities: Sequence[Entity], resources: Mapping[type, Resource[Any]]) -> None:
    """Add what the declaration implies to the tables' MetaData. Idempotent.

    `resources` maps models to their resource. Raises `ConfigurationError` for fields that do not exist or cannot be
    searched.
    """
    for entity in entities:
        _note_attribute_names(entity)
        add_checks(entity)
        add_version_trigger(entity)
        resource = resources.get(entity.model)
        if resource is not None:
            _check_names(entity, resource)
            _add_indexes(entity, resource)


def _note_attribute_names(entity: Entity) -> None:
    for attribute in entity.attributes.values():
        if attribute.name != attribute.column.name:
            attribute.column.info[ATTRIBUTE] = attribute.name


def _add_indexes(entity: Entity, resource: Resource[Any]) -> None:
    for field in resource.sort:
        add_sort_index(entity, field)
    for field in resource.filter:
        add_filter_index(entity, field)
    for field in resource.search:
        _check_is_text(entity, field)
        add_search_index(entity, field)
        add_object(entity.table, extension("pg_trgm"))


def _check_names(entity: Entity, resource: Resource[Any]) -> None:
    for option in ("sort", "filter", "search"):
        for field in getattr(resource, option):
            _check_name(entity, option, field, entity.attributes)
    for field in resource.fields:
        _check_name(entity, "fields", field, [*entity.attributes, *entity.relations])


def _check_name(entity: Entity, option: str, field: str, known: Collection[str]) -> None:
    if field in known:
        return
    nearest = difflib.get_close_matches(field, known, 1)
    cure = f"Did you mean {nearest[0]!r}?" if nearest else f"Known are: {', '.join(sorted(known))}."
    place = f"Resource({entity.name}, {option}=...)"
    raise ConfigurationError(f"{entity.name} has no field {field!r}.", place=place, cure=cure)


def _check_is_text(entity: Entity, field: str) -> None:
    kind = entity.attributes[field].column.type
    if isinstance(kind, TypeDecorator):
        kind = kind.impl_instance
    if not isinstance(kind, String) or isinstance(kind, Enum):
        raise ConfigurationError(
            f"The field {field!r} is not text.",
            place=f"Resource({entity.name}, search=...)",
            cure="Only text can be searched; name the field in filter= instead.",
        )


def describe_constraint(metadata: MetaData, name: str) -> Violation | None:
    """What the violation of the constraint or unique index `name` means, or None where the declaration has none."""
    for table in metadata.tables.values():
        for constraint in [*table.constraints, *(item for column in table.columns for item in column.constraints)]:
            if name in _names(constraint, table):
                return _describe(constraint, table)
        for index in table.indexes:
            if index.unique and index.name == name:
                return _unique(table, [column.name for column in index.columns])
    return None


def _describe(constraint: Constraint, table: "Table[Any]") -> Violation | None:
    if isinstance(constraint, UniqueConstraint | PrimaryKeyConstraint):
        return _unique(table, list(constraint.columns.keys()))
    if isinstance(constraint, ForeignKeyConstraint):
        columns = _wire_names(table, constraint.column_keys)
        detail = "The reference names no row that you may read."
        return Violation("foreign_key", table.name, columns, "reference_not_found", detail)
    if isinstance(constraint, CheckConstraint):
        return _check(constraint, table)
    return None


def _check(constraint: CheckConstraint, table: "Table[Any]") -> Violation:
    if VIOLATION in constraint.info:
        attribute, code, detail = constraint.info[VIOLATION]
        return Violation("check", table.name, (attribute,), code, detail)
    columns = _wire_names(table, [column.key for column in constraint.columns] or _mentioned(constraint, table))
    detail = f"The values violate the rule {constraint.name}."
    return Violation("check", table.name, columns, "violates_check", detail)


def _mentioned(constraint: CheckConstraint, table: "Table[Any]") -> list[str]:
    """The columns whose names stand in a check that was written as text."""
    words = set(re.findall(r"\w+", re.sub(r"'(?:[^']|'')*'", "", str(constraint.sqltext))))
    return [column.key for column in table.columns if column.name in words]


def _unique(table: "Table[Any]", columns: Sequence[str]) -> Violation:
    names = _wire_names(table, columns)
    detail = f"Another row has the same {' and '.join(names)}." if names else "Another row has these values already."
    return Violation("unique", table.name, names, "already_exists", detail)


def _wire_names(table: "Table[Any]", keys: Sequence[str]) -> tuple[str, ...]:
    columns = {column.key: column for column in table.columns} | {column.name: column for column in table.columns}
    return tuple(columns[key].info.get(ATTRIBUTE, columns[key].name) for key in keys if key in columns)


def _names(constraint: Constraint, table: "Table[Any]") -> Iterator[str]:
    """The declared name, or the one that PostgreSQL gives where none is declared."""
    if isinstance(constraint.name, str):
        yield constraint.name
    elif isinstance(constraint, PrimaryKeyConstraint):
        yield f"{table.name}_pkey"
    elif isinstance(constraint, UniqueConstraint | ForeignKeyConstraint):
        ending = "key" if isinstance(constraint, UniqueConstraint) else "fkey"
        yield "_".join([table.name, *constraint.columns.keys(), ending])
