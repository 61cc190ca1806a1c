"""Writing statements: one INSERT, UPDATE or DELETE that carries its policies, and what the answer shows of the row.

A verb that no service overrides is one statement. Policies of the row stand in its WHERE clause; what only the written
row can tell (may it be read, does it still satisfy the rule) comes back with it.
"""

from collections.abc import Collection
from typing import Any

import msgspec
from sqlalchemy import ARRAY, JSON, ColumnElement, Text, any_, bindparam, delete, false, insert, select, true, update
from sqlalchemy import case as sql_case
from sqlalchemy import cast as sql_cast

from gatepost.database.statements import Statement
from gatepost.models.catalog import Served, View
from gatepost.models.conditions import BoundRule, Source
from gatepost.models.filters import bind_type
from gatepost.models.reads import KEY, field_rules, shown
from gatepost.models.rows import Build, Columns, row_pieces, version_column

VERSIONS = "versions"
"""Bind name of the versions that `If-Match` admits."""


class WritePlan(msgspec.Struct, frozen=True, eq=False):
    """A compiled write. The indexes say where the returned record holds the key, the version and the two outcomes."""

    statement: Statement
    build: Build
    key_index: int
    version_index: int
    readable_index: int
    permitted_index: int


class LocatePlan(msgspec.Struct, frozen=True, eq=False):
    """A compiled look at one row before it is changed, or to say why it was not. `names` are raw present values."""

    statement: Statement
    names: tuple[str, ...]
    readable_index: int
    permitted_index: int
    version_index: int


def bind_name(name: str) -> str:
    """The bind of a written value; prefixed, so that no column can collide with a bind of ours."""
    return f"v_{name}"


def insert_plan(
    served: Served, view: View, names: tuple[str, ...], read: BoundRule, permitted: BoundRule, *, bigint_as_string: bool
) -> WritePlan:
    """INSERT of these attributes; `permitted` is what the new row has to satisfy."""
    source = Source(served.entity, served.entity.table)
    statement = insert(served.entity.table).values(_values(served, names))
    return _returning(statement, served, view, source, read, permitted, bigint_as_string=bigint_as_string)


def update_plan(
    served: Served,
    view: View,
    names: tuple[str, ...],
    read: BoundRule,
    permitted: BoundRule,
    *,
    versioned: bool,
    bigint_as_string: bool,
) -> WritePlan:
    """UPDATE of these attributes of the row with the key, where it can be read and changed by the actor."""
    source = Source(served.entity, served.entity.table)
    statement = update(served.entity.table).values(_values(served, names))
    for condition in _conditions(source, read, permitted, versioned=versioned):
        statement = statement.where(condition)
    return _returning(statement, served, view, source, read, permitted, bigint_as_string=bigint_as_string)


def delete_statement(served: Served, read: BoundRule, permitted: BoundRule, *, versioned: bool) -> Statement:
    """DELETE of the row with the key, where it can be read and deleted by the actor."""
    source = Source(served.entity, served.entity.table)
    statement = delete(served.entity.table)
    for condition in _conditions(source, read, permitted, versioned=versioned):
        statement = statement.where(condition)
    return Statement(statement.returning(source.column(served.entity.key.name)))


def locate_plan(
    served: Served,
    names: tuple[str, ...],
    read: BoundRule,
    permitted: BoundRule,
    *,
    lock: bool,
    view: View | None = None,
) -> LocatePlan:
    """SELECT of one row by key: may it be read and changed, which version has it, and the raw values of `names`.

    With a `view`, a value that it does not show on this row is NULL: whoever may not see it cannot guess it either.
    """
    source = Source(served.entity, served.entity.table)
    rules = field_rules(view, read, source) if view is not None else None
    hidden: Collection[str] = view.ruled if view is not None else ()
    columns = [_exact(source.column(name)) for name in names]
    if rules is not None:
        columns = [
            sql_case((rules(name), column)) if name in hidden else column
            for name, column in zip(names, columns, strict=True)
        ]
    selected: list[ColumnElement[Any]] = [column.label(f"c{i}") for i, column in enumerate(columns)]
    selected += [_outcome(read, source), _outcome(permitted, source), sql_cast(version_column(source), Text)]
    key = served.entity.key
    statement = select(*selected).where(source.column(key.name) == bindparam(KEY, type_=key.column.type))
    if lock:
        statement = statement.with_for_update()
    count = len(names)
    return LocatePlan(Statement(statement), names, count, count + 1, count + 2)


def _exact(column: ColumnElement[Any]) -> ColumnElement[Any]:
    """A document as its text: the driver would make floats of its numbers, for services to compute with."""
    return sql_cast(column, Text) if isinstance(column.type, JSON) else column


def reference_statement(served: Served, column_name: str, rule: BoundRule) -> Statement:
    """SELECT of whether a row that the actor may read has this value in the referred column."""
    source = Source(served.entity, served.entity.table)
    column = source.same(served.entity.table.c[column_name])
    statement = select(column).where(column == bindparam(KEY, type_=bind_type(column.type)))
    condition = rule.condition(source)
    return Statement(statement if condition is None else statement.where(condition))


def _values(served: Served, names: tuple[str, ...]) -> dict[Any, Any]:
    attributes = served.entity.attributes
    return {attributes[name].column: bindparam(bind_name(name), type_=attributes[name].column.type) for name in names}


def _conditions(source: Source, read: BoundRule, permitted: BoundRule, *, versioned: bool) -> list[ColumnElement[bool]]:
    key = source.entity.key
    conditions: list[ColumnElement[bool]] = [source.column(key.name) == bindparam(KEY, type_=key.column.type)]
    conditions += [found for rule in (read, permitted) if (found := rule.condition(source)) is not None]
    if versioned:
        conditions.append(sql_cast(version_column(source), Text) == any_(bindparam(VERSIONS, type_=ARRAY(Text()))))
    return conditions


def _outcome(rule: BoundRule, source: Source) -> ColumnElement[bool]:
    if isinstance(rule.decision, bool):
        return true() if rule.decision else false()
    condition = rule.condition(source)
    return true() if condition is None else condition.is_(True)


def _returning(
    statement: Any,
    served: Served,
    view: View,
    source: Source,
    read: BoundRule,
    permitted: BoundRule,
    *,
    bigint_as_string: bool,
) -> WritePlan:
    pieces = row_pieces(
        source,
        shown(view, None),
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
