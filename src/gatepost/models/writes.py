"""Writing statements: one INSERT, UPDATE or DELETE with its policies, which returns the row as the response shows it.

A verb that no service overrides is one statement. Policies on the present row are in its WHERE clause. What depends on
the written row (may the actor read it, does it still satisfy the policy) is returned with it.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from sqlalchemy import (
    ARRAY,
    JSON,
    Column,
    ColumnElement,
    Text,
    any_,
    bindparam,
    delete,
    false,
    func,
    insert,
    or_,
    select,
    true,
    update,
)
from sqlalchemy import case as sql_case
from sqlalchemy import cast as sql_cast

from gatepost.database.connection import Record
from gatepost.database.statements import Statement
from gatepost.models.candidates import bind_name, candidate_conditions, cells_of_insert, cells_of_update
from gatepost.models.catalog import ServedModel, View
from gatepost.models.conditions import BoundRule, TableRef, bind_decision
from gatepost.models.filters import bind_type
from gatepost.models.json_output import literal_number, literal_text
from gatepost.models.reads import KEY, field_rules, shown_names
from gatepost.models.rows import Build, Columns, row_pieces, version_column

VERSIONS = "versions"
"""Bind name of the versions that `If-Match` admits."""


class WritePlan(msgspec.Struct, frozen=True, eq=False):
    """A compiled write. The indexes are the positions in the returned record of the key, the version, and whether the
    row may be read and written."""

    statement: Statement
    build: Build
    key_index: int
    version_index: int
    readable_index: int
    permitted_index: int


TOO_LARGE = ""
"""Returned in place of a document that is too large to be read; no document has an empty text."""

FieldStatus = int | bool
"""The index of a boolean in the record, or the value itself where it is known when the statement is compiled."""


class RowStatusPlan(msgspec.Struct, frozen=True, eq=False):
    """A compiled read of one row's status: before a change, or to explain why one had no effect. The record begins with
    the raw current values of `names`; `documents` are those that are JSON. `shown` and `writable` say for each
    requested field whether the actor sees it and may write it on this row."""

    statement: Statement
    names: tuple[str, ...]
    documents: frozenset[str]
    readable_index: int
    permitted_index: int
    version_index: int
    shown: Mapping[str, FieldStatus]
    writable: Mapping[str, FieldStatus]

    def is_shown(self, record: Record, name: str) -> bool:
        """Whether the actor sees this field on the row."""
        return _status_of(record, self.shown[name])

    def is_writable(self, record: Record, name: str) -> bool:
        """Whether the field's rule lets the actor write it on the row, apart from the action's policy."""
        return _status_of(record, self.writable[name])

    def is_refused(self, record: Record, name: str) -> bool:
        """Whether the field's rule is a condition on the row, and does not hold for this one."""
        status = self.writable[name]
        return not (isinstance(status, bool) or record[status])


def _status_of(record: Record, status: FieldStatus) -> bool:
    return status if isinstance(status, bool) else bool(record[status])


def insert_plan(
    served: ServedModel,
    view: View,
    names: tuple[str, ...],
    read: BoundRule,
    permitted: BoundRule,
    *,
    checks_candidate: bool,
    bigint_as_string: bool,
) -> WritePlan:
    """INSERT of these attributes; `permitted` is what the new row must satisfy. With `checks_candidate` it is
    evaluated on the candidate first: where that fails, nothing is inserted and no constraint is checked."""
    entity = served.entity
    source = TableRef(entity, entity.table)
    values = _values(served, names)
    statement: Any = insert(entity.table)
    candidate, known = (
        candidate_conditions(entity, permitted, cells_of_insert(entity, names)) if checks_candidate else (None, [])
    )
    if candidate is not None and known and values:
        chosen = select(*values.values()).select_from(candidate).where(*known)
        statement = statement.from_select(list(values), chosen)
    else:
        statement = statement.values(values)
    return _returning(statement, served, view, source, read, permitted, bigint_as_string=bigint_as_string)


def update_plan(
    served: ServedModel,
    view: View,
    names: tuple[str, ...],
    read: BoundRule,
    permitted: BoundRule,
    *,
    checks_candidate: bool,
    versioned: bool,
    bigint_as_string: bool,
) -> WritePlan:
    """UPDATE of these attributes of the row with the key, where the actor may read and change it. With
    `checks_candidate` the row as changed must satisfy `permitted` as well."""
    source = TableRef(served.entity, served.entity.table)
    statement = update(served.entity.table).values(_values(served, names))
    for condition in _conditions(source, read, permitted, versioned=versioned):
        statement = statement.where(condition)
    if checks_candidate:
        candidate, known = candidate_conditions(served.entity, permitted, cells_of_update(served.entity, names))
        if known:
            statement = statement.where(select(1).select_from(candidate).where(*known).exists())
    return _returning(statement, served, view, source, read, permitted, bigint_as_string=bigint_as_string)


def delete_statement(served: ServedModel, read: BoundRule, permitted: BoundRule, *, versioned: bool) -> Statement:
    """DELETE of the row with the key, where the actor may read and delete it."""
    source = TableRef(served.entity, served.entity.table)
    statement = delete(served.entity.table)
    for condition in _conditions(source, read, permitted, versioned=versioned):
        statement = statement.where(condition)
    return Statement(statement.returning(source.column(served.entity.key.name)))


def row_status_plan(
    served: ServedModel,
    names: tuple[str, ...],
    read: BoundRule,
    permitted: BoundRule,
    *,
    lock: bool,
    document_bytes_max: int,
    view: View | None = None,
    asked: tuple[str, ...] = (),
) -> RowStatusPlan:
    """SELECT of one row's status by key: whether it may be read and changed, its version, the raw values of `names`,
    and for each field in `asked` (which includes `names`) whether the `view` shows it and lets it be written.

    A value that the view does not show on this row is NULL, so that it does not leave the database. A document whose
    text is longer than `document_bytes_max` is replaced by `TOO_LARGE`.
    """
    source = TableRef(served.entity, served.entity.table)
    columns = Columns()
    shown: dict[str, FieldStatus] = {}
    writable: dict[str, FieldStatus] = {}
    conditions: dict[str, ColumnElement[bool]] = {}
    if view is not None:
        rule = field_rules(view, read, source)
        conditions = {name: rule(name) for name in asked if name in view.ruled}
    for name in names:
        column = _exact(source.column(name), document_bytes_max)
        is_shown = view is not None and name in view.names
        columns.add(column if is_shown else sql_case((conditions.get(name, false()), column)))
    readable = columns.add(_outcome(read, source))
    allowed = columns.add(_outcome(permitted, source))
    version = columns.add(sql_cast(version_column(source), Text))
    if view is not None:
        for name in asked:
            shown[name] = columns.add(conditions[name]) if name in conditions else name in view.names
            writable[name] = name in view.updatable
            if name in view.update_rules:
                bound = bound_field_rule(served, view, name, permitted)
                writable[name] = columns.add(_outcome(bound, source))
    key = served.entity.key
    statement = select(*columns.selected).where(source.column(key.name) == bindparam(KEY, type_=key.column.type))
    if lock:
        statement = statement.with_for_update()
    documents = frozenset(name for name in names if _is_document(source.column(name)))
    return RowStatusPlan(Statement(statement), names, documents, readable, allowed, version, shown, writable)


def bound_field_rule(served: ServedModel, view: View, name: str, permitted: BoundRule) -> BoundRule:
    """The rule of writing a field, for the actor of the action's rule."""
    prefix = f"{permitted.prefix}_{name}"
    return bind_decision(view.update_rules[name], permitted.actor, served.entity, prefix)


def _exact(column: ColumnElement[Any], bytes_max: int) -> ColumnElement[Any]:
    """A document as text, to keep its numbers exact: the driver would decode them to floats."""
    if not _is_document(column):
        return column
    text = sql_cast(column, Text)
    return sql_case((func.octet_length(text) > literal_number(str(bytes_max)), literal_text(TOO_LARGE)), else_=text)


def _is_document(column: ColumnElement[Any]) -> bool:
    return isinstance(column.type, JSON)


def reference_statement(served: ServedModel, name: str, rule: BoundRule) -> Statement:
    """SELECT that returns a row where one that satisfies the rule has this value in the attribute."""
    source = TableRef(served.entity, served.entity.table)
    column = source.column(name)
    statement = select(column).where(column == bindparam(KEY, type_=bind_type(column.type)))
    condition = rule.condition(source)
    return Statement(statement if condition is None else statement.where(condition))


def composite_reference_statement(
    served: ServedModel, target: ServedModel, pairs: Sequence[tuple[Column[Any], Column[Any]]], rule: BoundRule
) -> Statement:
    """SELECT of whether the row with the key names, by all of these columns together, a row of the target that the
    actor may name. One that is NULL in any of them names nothing, and passes."""
    source = TableRef(served.entity, served.entity.table)
    inner = TableRef(target.entity, target.entity.table.alias())
    found = (
        select(1)
        .select_from(inner.table)
        .where(*(inner.column_of(there) == source.column_of(here) for here, there in pairs))
    )
    condition = rule.condition(inner)
    if condition is not None:
        found = found.where(condition)
    is_named = found.correlate(source.table).exists()
    key = source.column(served.entity.key.name)
    statement = select(key).where(key == bindparam(KEY, type_=key.type))
    return Statement(statement.where(or_(*(source.column_of(here).is_(None) for here, _ in pairs), is_named)))


def _values(served: ServedModel, names: tuple[str, ...]) -> dict[Any, Any]:
    attributes = served.entity.attributes
    return {attributes[name].column: bindparam(bind_name(name), type_=attributes[name].column.type) for name in names}


def _conditions(
    source: TableRef, read: BoundRule, permitted: BoundRule, *, versioned: bool
) -> list[ColumnElement[bool]]:
    key = source.entity.key
    conditions: list[ColumnElement[bool]] = [source.column(key.name) == bindparam(KEY, type_=key.column.type)]
    conditions += [found for rule in (read, permitted) if (found := rule.condition(source)) is not None]
    if versioned:
        conditions.append(sql_cast(version_column(source), Text) == any_(bindparam(VERSIONS, type_=ARRAY(Text()))))
    return conditions


def _outcome(rule: BoundRule, source: TableRef) -> ColumnElement[bool]:
    if isinstance(rule.decision, bool):
        return true() if rule.decision else false()
    condition = rule.condition(source)
    return true() if condition is None else condition.is_(True)


def _returning(
    statement: Any,
    served: ServedModel,
    view: View,
    source: TableRef,
    read: BoundRule,
    permitted: BoundRule,
    *,
    bigint_as_string: bool,
) -> WritePlan:
    pieces = row_pieces(
        source,
        shown_names(view, None),
        rules=field_rules(view, read, source) if view.ruled else None,
        ruled=frozenset(view.ruled),
        nested=(),
        bigint_as_string=bigint_as_string,
    )
    columns = Columns()
    build = columns.add_row(pieces)
    key = columns.add(source.column(served.entity.key.name))
    version = columns.add(version_column(source))
    readable = columns.add(_outcome(read, source))
    allowed = columns.add(_outcome(permitted, source))
    return WritePlan(Statement(statement.returning(*columns.selected)), build, key, version, readable, allowed)
