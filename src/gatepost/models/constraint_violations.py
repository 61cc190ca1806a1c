"""Constraint violations as refusals: the constraint's name identifies the declaration, which determines the response.

Runs only when PostgreSQL has refused a row. Violations in the body are found earlier, in `dtos`; those found here were
caused by a service or a trigger, or depend on other rows.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Literal

import msgspec
from sqlalchemy import (
    CheckConstraint,
    Constraint,
    ForeignKeyConstraint,
    MetaData,
    PrimaryKeyConstraint,
    Table,
    UniqueConstraint,
)

from gatepost.database.failures import Broken
from gatepost.errors import Conflict, FieldError, Problem, Unprocessable
from gatepost.models.check_constraints import VIOLATION
from gatepost.models.constraint_names import object_name
from gatepost.models.schema import ATTRIBUTE
from gatepost.models.sequences import find_sequence_behind


class ConstraintViolation(msgspec.Struct, frozen=True):
    """What a broken constraint means.

    `columns` are wire names. `code` is one of FIELD_CODES for a check and for NOT NULL, `already_exists` for a unique
    constraint or index, and `reference_not_found` for a foreign key: PostgreSQL names the same constraint when a row is
    deleted to which others refer; for a DELETE the database layer raises `still_referenced` instead.
    """

    kind: Literal["check", "unique", "foreign_key", "not_null"]
    table: str
    columns: tuple[str, ...]
    code: str
    detail: str


class ConstraintErrors:
    """Turns violations in the tables of these MetaDatas into errors. Called by `database` with what PostgreSQL
    reports."""

    def __init__(self, metadatas: Iterable[MetaData]) -> None:
        self._metadatas = tuple(metadatas)

    def __call__(self, broken: Broken) -> Exception | None:
        """The refusal, or `SequenceBehind`; None for a constraint that the declaration does not know."""
        for metadata in self._metadatas:
            found = describe(metadata, broken)
            if found is not None:
                return _behind(metadata, found, broken) or _problem(found)
        return None


def _behind(metadata: MetaData, found: ConstraintViolation, broken: Broken) -> Exception | None:
    """`SequenceBehind`, where a duplicate key was drawn by the column's own sequence and not sent by a client."""
    if found.kind != "unique" or broken.given is None:
        return None
    table = next(_tables(metadata, broken))
    columns = [column for column in table.columns if column.info.get(ATTRIBUTE, column.name) in found.columns]
    return find_sequence_behind(table, columns, broken.given)


def describe(metadata: MetaData, broken: Broken) -> ConstraintViolation | None:
    """What is violated, or None where the declaration has no such thing."""
    for table in _tables(metadata, broken):
        found = _described(table, broken)
        if found is not None:
            return found
    return None


def _tables(metadata: MetaData, broken: Broken) -> Iterator["Table[Any]"]:
    """The table that PostgreSQL names; constraints of a domain name none."""
    for table in metadata.tables.values():
        if broken.table in (None, table.name) and (table.schema is None or broken.schema in (None, table.schema)):
            yield table


def _described(table: "Table[Any]", broken: Broken) -> ConstraintViolation | None:
    if broken.constraint is None:
        return _not_null(table, broken.column) if broken.column else None
    for constraint in [*table.constraints, *(item for column in table.columns for item in column.constraints)]:
        if broken.constraint == _name(constraint, table):
            return _constraint(constraint, table)
    for index in table.indexes:
        if index.unique and index.name == broken.constraint:
            return _unique(table, [column.name for column in index.columns])
    return None


def _constraint(constraint: Constraint, table: "Table[Any]") -> ConstraintViolation | None:
    if isinstance(constraint, UniqueConstraint | PrimaryKeyConstraint):
        return _unique(table, list(constraint.columns.keys()))
    if isinstance(constraint, ForeignKeyConstraint):
        columns = _wire_names(table, constraint.column_keys)
        detail = "The reference names no row that you may read."
        return ConstraintViolation("foreign_key", table.name, columns, "reference_not_found", detail)
    if isinstance(constraint, CheckConstraint):
        return _check(constraint, table)
    return None


def _check(constraint: CheckConstraint, table: "Table[Any]") -> ConstraintViolation:
    if VIOLATION in constraint.info:
        attribute, code, detail = constraint.info[VIOLATION]
        return ConstraintViolation("check", table.name, (attribute,), code, detail)
    columns = _wire_names(table, [column.key for column in constraint.columns] or _mentioned(constraint, table))
    detail = f"The values violate the rule {constraint.name}."
    return ConstraintViolation("check", table.name, columns, "violates_check", detail)


def _mentioned(constraint: CheckConstraint, table: "Table[Any]") -> list[str]:
    """The columns that are named in a CHECK written as text."""
    words = set(re.findall(r"\w+", re.sub(r"'(?:[^']|'')*'", "", str(constraint.sqltext))))
    return [column.key for column in table.columns if column.name in words]


def _unique(table: "Table[Any]", columns: Sequence[str]) -> ConstraintViolation:
    names = _wire_names(table, columns)
    detail = f"Another row has the same {' and '.join(names)}." if names else "Another row has these values already."
    return ConstraintViolation("unique", table.name, names, "already_exists", detail)


def _not_null(table: "Table[Any]", column: str) -> ConstraintViolation | None:
    names = _wire_names(table, [column])
    return (
        ConstraintViolation("not_null", table.name, names, "not_nullable", "The field cannot be null.")
        if names
        else None
    )


def _wire_names(table: "Table[Any]", keys: Sequence[str]) -> tuple[str, ...]:
    columns = {column.key: column for column in table.columns} | {column.name: column for column in table.columns}
    return tuple(columns[key].info.get(ATTRIBUTE, columns[key].name) for key in keys if key in columns)


def _name(constraint: Constraint, table: "Table[Any]") -> str:
    """The declared name; for an unnamed primary key the one that PostgreSQL gives."""
    return constraint.name if isinstance(constraint.name, str) else object_name(table.name, "", "pkey")


def _problem(found: ConstraintViolation) -> Problem:
    if found.kind == "unique":
        errors = [FieldError(f"/{column}", "already_exists", found.detail) for column in found.columns]
        return Conflict("already_exists", found.detail, errors=errors)
    code = "not_found" if found.kind == "foreign_key" else found.code
    errors = [FieldError(f"/{column}", code, found.detail) for column in found.columns]
    if found.kind == "foreign_key":
        return Unprocessable("reference_not_found", "A referenced row does not exist.", errors=errors)
    return Unprocessable("invalid_body", "The body violates the declaration.", errors=errors)
