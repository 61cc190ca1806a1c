"""Constraint violations as refusals: the constraint's name identifies the declaration, which determines the response.

Runs only when PostgreSQL has refused a row. Violations in the body are found earlier, in `dtos`; those found here were
caused by a service or a trigger, or depend on other rows.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ExcludeConstraint

from gatepost.database.failures import Broken
from gatepost.declaring.wire_names import WireName
from gatepost.errors import Conflict, FieldError, Problem, Unprocessable
from gatepost.models.check_constraints import VIOLATION
from gatepost.models.constraint_names import constraints_of, object_name
from gatepost.models.index_limits import columns_in
from gatepost.models.schema import attribute_name
from gatepost.models.sequences import find_sequence_behind
from gatepost.models.shape import element_type


class ConstraintErrors:
    """Turns violations in the tables of these MetaDatas into errors. Called by `database` with what PostgreSQL
    reports."""

    def __init__(self, metadatas: Iterable[sa.MetaData], wire_name: WireName = str) -> None:
        """`wire_name` makes the names that clients know of those of attributes, for sentences."""
        self._metadatas = tuple(metadatas)
        self._wire_name = wire_name

    def __call__(self, broken: Broken) -> Exception | None:
        """The refusal, or `SequenceBehind`; None for a constraint that the declaration does not know."""
        wire_name = self._wire_name
        found = (
            _error(table, broken, wire_name) for metadata in self._metadatas for table in _tables(metadata, broken)
        )
        return next((error for error in found if error is not None), None)


def _tables(metadata: sa.MetaData, broken: Broken) -> Iterator["sa.Table[Any]"]:
    """The table that PostgreSQL names; constraints of a domain name none."""
    for table in metadata.tables.values():
        if broken.table in (None, table.name) and (table.schema is None or broken.schema in (None, table.schema)):
            yield table


def _error(table: "sa.Table[Any]", broken: Broken, wire_name: WireName) -> Exception | None:
    if broken.domain is not None:
        return _error_of_domain(table, broken)
    if broken.constraint is None:
        columns = [column for column in table.columns if column.name == broken.column]
        return _invalid(_names(columns), "not_nullable", "The field cannot be null.") if columns else None
    for constraint in constraints_of(table):
        # An unnamed primary key has the name that PostgreSQL gives.
        if broken.constraint == (constraint.name or object_name(table.name, "", "pkey")):
            return _error_of(constraint, table, broken, wire_name)
    for index in table.indexes:
        if index.unique and index.name == broken.constraint:
            return _duplicate(table, list(index.columns), broken, wire_name)
    return None


def _error_of_domain(table: "sa.Table[Any]", broken: Broken) -> Exception | None:
    """The refusal at the columns that are declared to be of the domain, of which PostgreSQL does not say which."""
    kinds = ((column, element_type(column.type)) for column in table.columns)
    columns = [column for column, kind in kinds if getattr(kind, "name", None) == broken.domain]
    names = _names(column for column in columns if broken.given is None or column.name in broken.given)
    detail = f"The value violates the rule {broken.constraint} of its type."
    params = {"constraint": broken.constraint}
    return _invalid(names, "violates_check", detail, params) if names else None


def _error_of(
    constraint: sa.Constraint, table: "sa.Table[Any]", broken: Broken, wire_name: WireName
) -> Exception | None:
    if isinstance(constraint, sa.UniqueConstraint | sa.PrimaryKeyConstraint):
        return _duplicate(table, list(constraint.columns), broken, wire_name)
    if isinstance(constraint, ExcludeConstraint):
        return _excluded(constraint, table)
    if isinstance(constraint, sa.ForeignKeyConstraint):
        # PostgreSQL names the same constraint when a row is deleted to which others refer: `database` knows that case.
        names, detail = _names(constraint.columns), "The reference names no row that you may read."
        errors = [FieldError(f"/{name}", "not_found", detail) for name in names]
        return Unprocessable("reference_not_found", "A referenced row does not exist.", errors=errors)
    if not isinstance(constraint, sa.CheckConstraint):
        return None
    if VIOLATION in constraint.info:
        attribute, code, detail, params = constraint.info[VIOLATION]
        return _invalid([attribute], code, detail, params)
    columns = list(constraint.columns) or _mentioned(constraint, table)
    detail = f"The values violate the rule {constraint.name}."
    return _invalid(_names(columns), "violates_check", detail, {"constraint": str(constraint.name)})


def _mentioned(constraint: sa.CheckConstraint, table: "sa.Table[Any]") -> list[sa.Column[Any]]:
    """The columns that are named in a CHECK written as text."""
    words = set(re.findall(r"\w+", re.sub(r"'(?:[^']|'')*'", "", str(constraint.sqltext))))
    return [column for column in table.columns if column.name in words]


def _duplicate(table: "sa.Table[Any]", columns: list[sa.Column[Any]], broken: Broken, wire_name: WireName) -> Exception:
    """The refusal of a second row with the same values; `SequenceBehind` where a column's own sequence drew one of
    them, and no client sent it."""
    behind = find_sequence_behind(table, columns, broken.given)
    if behind is not None:
        return behind
    return already_exists({name: wire_name(name) for name in _names(columns)})


def already_exists(names: Mapping[str, str]) -> Conflict:
    """The refusal of a second row with the same values of these attributes, given with the names that clients know."""
    detail = (
        f"Another row has the same {' and '.join(names.values())}."
        if names
        else "Another row has these values already."
    )
    return Conflict(
        "already_exists", detail, errors=[FieldError(f"/{name}", "already_exists", detail) for name in names]
    )


def _excluded(constraint: Any, table: "sa.Table[Any]") -> Problem:
    """The refusal of a row that an exclusion constraint keeps apart from another."""
    columns = columns_in([expression for expression, *_ in constraint._render_exprs], table)
    detail = "Another row excludes these values."
    errors = [FieldError(f"/{name}", "already_exists", detail) for name in _names(columns)]
    return Conflict("already_exists", detail, errors=errors)


def _invalid(names: Iterable[str], code: str, detail: str, params: Mapping[str, Any] = {}) -> Problem:
    errors = [FieldError(f"/{name}", code, detail, params) for name in names]
    return Unprocessable("invalid_body", "The body violates the declaration.", errors=errors)


def _names(columns: Iterable[sa.Column[Any]]) -> list[str]:
    return [attribute_name(column) for column in columns]
