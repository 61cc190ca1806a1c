"""Writing statements: one INSERT, UPDATE or DELETE with its policies, which returns the row as the response shows it.

A verb that no service overrides is one statement. Policies on the present row are in its WHERE clause. What depends on
the written row (may the actor read it, does it still satisfy the policy) is returned with it.
"""

from collections.abc import Callable, Mapping, Sequence
from operator import itemgetter
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import Insert, insert

from gatepost.database.connection import Record
from gatepost.database.statements import Statement
from gatepost.declaring.policies import Decision
from gatepost.models.bind_types import bind_type
from gatepost.models.candidates import bind_name, candidate_conditions, cells_of_insert, cells_of_update, written_binds
from gatepost.models.conditions import ACTOR_ID, BoundRule
from gatepost.models.differences import differs
from gatepost.models.entity import Entity, Key
from gatepost.models.entity_tags import ReadTag, add_tag
from gatepost.models.json_output import decoder_of
from gatepost.models.literals import literal_integer, literal_text
from gatepost.models.reads import KEY, KeyRecipe, is_key, key_binds
from gatepost.models.recipes import Bound, Options, Part, Recipe
from gatepost.models.rows import Build, Columns, version_column
from gatepost.models.selections import RowSelection
from gatepost.models.served_model import ServedModel
from gatepost.models.table_refs import TableRef

VERSIONS = "versions"
"""Bind name of the versions that `If-Match` admits."""


SUPPRESSED = "a trigger suppressed this DELETE: "
"""In the message of the error with which a DELETE fails that deleted nothing of a row that it met."""


class WritePlan(msgspec.Struct, frozen=True, eq=False):
    """A compiled write. `key_of` reads the key in the returned record, and `tag` makes its entity tag; the indexes are
    the positions of whether the row may be read and written."""

    statement: Statement
    build: Build
    key_of: Callable[[Record], Any]
    tag: ReadTag | None
    readable_index: int
    permitted_index: int


TOO_LARGE = ""
"""Returned in place of a document that is too large to be read; no document has an empty text."""

FieldStatus = int | bool
"""The index of a boolean in the record, or the value itself where it is known when the statement is compiled."""


class RowStatusPlan(msgspec.Struct, frozen=True, eq=False):
    """A compiled read of one row's status: before a change, or to explain why one had no effect. The record begins with
    the raw current values of `names`; `documents` are those that are JSON. `shown` and `writable` say for each
    requested field whether the actor sees it and may write it on this row, `differs` whether the change would write
    other values than the row has."""

    statement: Statement
    names: tuple[str, ...]
    documents: frozenset[str]
    readable_index: int
    permitted_index: int
    version_index: int
    shown: Mapping[str, FieldStatus]
    writable: Mapping[str, FieldStatus]
    differs: FieldStatus

    def is_different(self, record: Record) -> bool:
        """Whether one of the compared values differs from the row's."""
        return _status_of(record, self.differs)

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


class WriteRecipe(Recipe[WritePlan], frozen=True):
    """A write of the attributes `names`, whose row must satisfy `permitted` and is returned. With `checks_candidate`
    the rule is evaluated on the candidate first: where that fails, nothing is written and no constraint is checked."""

    selection: RowSelection
    permitted: BoundRule
    names: tuple[str, ...]
    values: Bound
    checks_candidate: bool

    def bounds(self) -> list[Bound]:
        return [*self.selection.bounds(), *self.permitted.bounds()]

    def named(self) -> dict[str, Any]:
        return {**written_binds(self.values), ACTOR_ID: self.permitted.actor.id}

    def returning(self, statement: sa.Insert | sa.Update | sa.Select[Any], action: str, options: Options) -> WritePlan:
        """The plan of a statement that writes the row, or finds it."""
        source = self.selection.source()
        _, pieces = self.selection.row(source, source.table)
        columns = Columns()
        build = columns.add_row(pieces)
        key = record_key_reader(
            source.entity.key, [columns.add(source.column(name)) for name in source.entity.key.names]
        )
        prefix = options.tag_prefix
        tag = add_tag(columns, source, self.selection, prefix) if self.selection.has_tag else None
        readable = columns.add(self.selection.rule.outcome(source))
        allowed = columns.add(self.permitted.outcome(source))
        name = f"{self.selection.served.full_path}.{action}"
        add: Any = statement.add_columns if isinstance(statement, sa.Select) else statement.returning
        return WritePlan(self.statement(add(*columns.selected), name), build, key, tag, readable, allowed)


class InsertRow(WriteRecipe, frozen=True):
    """INSERT of a row."""

    def compile(self, options: Options) -> WritePlan:
        """The INSERT, which returns the row."""
        rule = self.permitted if self.checks_candidate else None
        return self.returning(insert_of(self.selection.served.entity, self.names, rule), "create", options)


class UpdateRow(WriteRecipe, frozen=True):
    """UPDATE of the row with the key, where the actor may read and change it as it is, and where it has one of the
    versions if they are not None. A row that has the same values of all that are `compared` is left alone."""

    key: Bound
    versions: Bound | None
    compared: tuple[str, ...]

    def compile(self, options: Options) -> WritePlan:
        """The UPDATE, which returns the row."""
        entity, source = self.selection.served.entity, self.selection.source()
        statement = sa.update(entity.table).values(_values(entity, self.names))
        statement = statement.where(*_conditions(source, self.selection.rule, self.permitted, self.versions))
        if self.checks_candidate:
            statement = statement.where(*_holds_afterwards(entity, self.permitted, self.names))
        if self.compared:
            statement = statement.where(differs(source, self.compared))
        return self.returning(statement, "update", options)

    def named(self) -> dict[str, Any]:
        key = key_binds(self.selection.served.entity.key, self.key.value)
        return {**super().named(), **key, VERSIONS: _value_of(self.versions)}


class FindUnchanged(UpdateRow, frozen=True):
    """The row that such an UPDATE leaves alone, as the response shows it."""

    def compile(self, options: Options) -> WritePlan:
        """The SELECT of the row."""
        source = self.selection.source()
        conditions = _conditions(source, self.selection.rule, self.permitted, self.versions)
        found = sa.select().where(*conditions, sa.not_(differs(source, self.compared)))
        return self.returning(found, "unchanged", options)


class CheckUpdate(KeyRecipe[Statement], frozen=True):
    """The row with the key, where it satisfies the rule with other values of `names`, as far as that can be known
    before it is written."""

    names: tuple[str, ...]
    values: Bound

    def compile(self, options: Options) -> Statement:
        """The SELECT; an UPDATE under the same condition writes the row, unless a trigger suppresses that."""
        entity = self.served.entity
        conditions = is_key(TableRef.of(entity)), *_holds_afterwards(entity, self.rule, self.names)
        return self.statement(sa.select(1).where(*conditions), f"{self.served.full_path}.candidate")

    def named(self) -> dict[str, Any]:
        return {**super().named(), **written_binds(self.values)}


class DeleteRow(KeyRecipe[Statement], frozen=True):
    """DELETE of the row with the key, where the actor may read (`rule`) and delete it, and where it has one of the
    versions if they are not None."""

    permitted: BoundRule
    versions: Bound | None

    def compile(self, options: Options) -> Statement:
        """The DELETE, as a part of a SELECT that has a row where it has deleted one, and none where no row was met.

        Where a row was met and not deleted, a trigger suppressed that: the SELECT fails, with `SUPPRESSED` in the
        message, so that nothing is left of what the trigger did instead.
        """
        entity, source = self.served.entity, TableRef.of(self.served.entity)
        conditions = _conditions(source, self.rule, self.permitted, self.versions)
        key = source.column(entity.key.names[0])
        gone = sa.delete(entity.table).where(*conditions).returning(key.label("key")).cte("gone")
        met = sa.select(key.label("key")).where(*conditions).subquery("met")
        is_kept = gone.c.key.is_(None)
        # No other expression without a function of our own can fail.
        failure = sa.cast(literal_text(SUPPRESSED).concat(sa.cast(is_kept, sa.Text)), sa.Boolean)
        statement = sa.select(sa.case((is_kept, failure))).select_from(met.outerjoin(gone, sa.true()))
        return self.statement(statement, f"{self.served.full_path}.delete", entity.table)

    def bounds(self) -> list[Bound]:
        return [*self.rule.bounds(), *self.permitted.bounds()]

    def named(self) -> dict[str, Any]:
        return {**super().named(), VERSIONS: _value_of(self.versions)}


class AskedField(Part, frozen=True):
    """A field whose status on a row is read: by the rules, whether it is shown there and may be written."""

    name: str
    shown: BoundRule
    writable: BoundRule


class ReadStatus(KeyRecipe[RowStatusPlan], frozen=True):
    """The status of the row with the key: whether it may be read (`rule`) and changed, its version, the raw values of
    `names`, and the status of the fields in `asked`, which includes `names`.

    A value that is not shown on this row is NULL, so that it does not leave the database. A document whose text is
    longer than `document_bytes_max` is replaced by `TOO_LARGE`. Those of `values` that are `compared` are compared with
    the row's.
    """

    permitted: BoundRule
    is_locking: bool = False
    names: tuple[str, ...] = ()
    asked: tuple[AskedField, ...] = ()
    document_bytes_max: int = 0
    compared: tuple[str, ...] = ()
    values: Bound = Bound(None)

    def compile(self, options: Options) -> RowStatusPlan:
        """The SELECT of the row's status."""
        source = TableRef.of(self.served.entity)
        columns = Columns()
        shown = {item.name: (item.shown.decision, item.shown.outcome(source)) for item in self.asked}
        for name in self.names:
            column, (decision, outcome) = _exact(source, name, self.document_bytes_max), shown[name]
            columns.add(column if decision is True else sa.case((outcome, column)))
        readable = columns.add(self.rule.outcome(source))
        allowed = columns.add(self.permitted.outcome(source))
        version = columns.add(sa.cast(version_column(source), sa.Text))

        def status(decision: Decision, outcome: sa.ColumnElement[bool]) -> FieldStatus:
            return decision if isinstance(decision, bool) else columns.add(outcome)

        shown_statuses = {name: status(*rule) for name, rule in shown.items()}
        writable_statuses = {
            item.name: status(item.writable.decision, item.writable.outcome(source)) for item in self.asked
        }
        different = columns.add(differs(source, self.compared)) if self.compared else True
        statement = sa.select(*columns.selected).where(is_key(source))
        if self.is_locking:
            statement = statement.with_for_update()
        documents = frozenset(name for name in self.names if source.entity.attributes[name].shape.is_document)
        return RowStatusPlan(
            self.statement(statement, f"{self.served.full_path}.status"),
            self.names,
            documents,
            readable,
            allowed,
            version,
            shown_statuses,
            writable_statuses,
            different,
        )

    def named(self) -> dict[str, Any]:
        return {**super().named(), **written_binds(self.values)} if self.compared else super().named()

    def bounds(self) -> list[Bound]:
        fields = [rule for item in self.asked for rule in (item.shown, item.writable)]
        return [bound for rule in (self.rule, self.permitted, *fields) for bound in rule.bounds()]


class FindReference(KeyRecipe[Statement], frozen=True):
    """A row that satisfies the rule and has the key in the attribute `name`, which a foreign key refers to."""

    name: str

    def compile(self, options: Options) -> Statement:
        """The SELECT of the row, if there is one."""
        source = TableRef.of(self.served.entity)
        column = source.column(self.name)
        statement = sa.select(column).where(column == sa.bindparam(KEY, type_=bind_type(column.type)))
        return self.statement(statement.where(*self.rule.conditions(source)), f"{self.served.full_path}.reference")

    def named(self) -> dict[str, Any]:
        return {KEY: self.key.value, ACTOR_ID: self.rule.actor.id}


class FindCompositeReference(KeyRecipe[Statement], frozen=True):
    """The row with the key, where it names, by all the columns of `pairs` (here, there) together, a row of the target
    that satisfies the rule. One that is NULL in any of them names nothing, and passes."""

    target: ServedModel
    pairs: tuple[tuple[sa.Column[Any], sa.Column[Any]], ...]

    def compile(self, options: Options) -> Statement:
        """The SELECT of the row, if it passes."""
        source, inner = TableRef.of(self.served.entity), TableRef.alias(self.target.entity)
        joined = [inner.column_of(there) == source.column_of(here) for here, there in self.pairs]
        is_named = inner.exists(source, *joined, *self.rule.conditions(inner))
        statement = sa.select(source.column(self.served.entity.key.names[0])).where(is_key(source))
        statement = statement.where(sa.or_(*(source.column_of(here).is_(None) for here, _ in self.pairs), is_named))
        return self.statement(statement, f"{self.served.full_path}.reference")


def insert_of(entity: Entity, names: tuple[str, ...], rule: BoundRule | None) -> Insert:
    """The INSERT of these attributes, of a row for which the rule holds, as far as that can be known before."""
    values = _values(entity, names)
    if rule is not None and values:
        candidate, known = candidate_conditions(entity, rule, cells_of_insert(entity, names))
        if known:
            chosen = sa.select(*values.values()).select_from(candidate).where(*known)
            return insert(entity.table).from_select(list(values), chosen)
    return insert(entity.table).values(values)


def record_key_reader(key: Key, indexes: Sequence[int]) -> Callable[[Record], Any]:
    """The function that reads the key in a record, whose values are at these positions."""
    read, decoders = itemgetter(*indexes), [decoder_of(item) for item in key.attributes]
    if not any(decoders):
        return read

    def decode(record: Record) -> Any:
        values = zip(key.values(read(record)), decoders, strict=True)
        return key.of([value if decode is None else decode(value) for value, decode in values])

    return decode


def _holds_afterwards(entity: Entity, rule: BoundRule, names: tuple[str, ...]) -> list[sa.ColumnElement[bool]]:
    """That the rule holds for the row with other values of `names`, as far as that can be known before."""
    candidate, known = candidate_conditions(entity, rule, cells_of_update(entity, names))
    return [sa.select(1).select_from(candidate).where(*known).exists()] if known else []


def _value_of(bound: Bound | None) -> Any:
    return None if bound is None else bound.value


def _exact(source: TableRef, name: str, bytes_max: int) -> sa.ColumnElement[Any]:
    """A document as text, to keep its numbers exact: the driver would decode them to floats."""
    column = source.column(name)
    if not source.entity.attributes[name].shape.is_document:
        return column
    text = sa.cast(column, sa.Text)
    return sa.case((sa.func.octet_length(text) > literal_integer(bytes_max), literal_text(TOO_LARGE)), else_=text)


def _values(entity: Entity, names: tuple[str, ...]) -> dict[Any, Any]:
    columns = {name: entity.attributes[name].column for name in names}
    return {column: sa.bindparam(bind_name(name), type_=column.type) for name, column in columns.items()}


def _conditions(
    source: TableRef, read: BoundRule, permitted: BoundRule, versions: Bound | None
) -> list[sa.ColumnElement[bool]]:
    conditions = [is_key(source), *read.conditions(source), *permitted.conditions(source)]
    if versions is not None:
        conditions.append(
            sa.cast(version_column(source), sa.Text) == sa.any_(sa.bindparam(VERSIONS, type_=sa.ARRAY(sa.Text())))
        )
    return conditions
