"""Statements about the row with unique values: make it unless it is there, find it, tell whether it is taken."""

from collections.abc import Callable
from typing import Any

import msgspec
import sqlalchemy as sa

from gatepost.database.connection import Record
from gatepost.database.statements import Statement
from gatepost.models.candidates import bind_name, written_binds
from gatepost.models.conditions import ACTOR_ID, BoundRule
from gatepost.models.object_loading import locked, select_objects
from gatepost.models.reads import LoadPlan
from gatepost.models.recipes import Bound, Options, Recipe
from gatepost.models.rows import Columns
from gatepost.models.served_model import ServedModel
from gatepost.models.table_refs import TableRef
from gatepost.models.writes import insert_of, record_key_reader


class UniqueInsertPlan(msgspec.Struct, frozen=True, eq=False):
    """A compiled INSERT that does nothing where the row is there. `key_of` reads the key in the returned record, whose
    last value is whether the policy holds for the row."""

    statement: Statement
    key_of: Callable[[Record], Any]


class InsertUnique(Recipe[UniqueInsertPlan], frozen=True):
    """INSERT of a row of the attributes `names`, if none has the same values of `unique` and the policy holds for it,
    as far as that can be known before."""

    served: ServedModel
    permitted: BoundRule
    names: tuple[str, ...]
    unique: tuple[str, ...]
    values: Bound

    def compile(self, options: Options) -> UniqueInsertPlan:
        """The INSERT, which returns the key."""
        entity, source = self.served.entity, TableRef.of(self.served.entity)
        statement = insert_of(entity, self.names, None if self.permitted.decision is True else self.permitted)
        arbiter = [entity.attributes[name].column for name in self.unique]
        columns = Columns()
        key = record_key_reader(entity.key, [columns.add(source.column(name)) for name in entity.key.names])
        columns.add(self.permitted.outcome(source))
        statement = statement.on_conflict_do_nothing(index_elements=arbiter)
        returning = statement.returning(*columns.selected)
        return UniqueInsertPlan(self.statement(returning, f"{self.served.full_path}.ensure"), key)

    def bounds(self) -> list[Bound]:
        return self.permitted.bounds()

    def named(self) -> dict[str, Any]:
        return {**written_binds(self.values), ACTOR_ID: self.permitted.actor.id}


class LoadUnique(Recipe[LoadPlan], frozen=True):
    """The ORM object with these values of the attributes `unique`, where the rule holds."""

    served: ServedModel
    rule: BoundRule
    unique: tuple[str, ...]
    values: Bound
    is_locking: bool = False

    def compile(self, options: Options) -> LoadPlan:
        """The SELECT of the object."""
        source = TableRef.of(self.served.entity)
        statement = select_objects(source.entity).where(
            *_has_values(source, self.unique), *self.rule.conditions(source)
        )
        if self.is_locking:
            statement = locked(statement, source.entity)
        return LoadPlan(statement, tuple(bound.name for bound in self.bounds()))

    def bounds(self) -> list[Bound]:
        return self.rule.bounds()

    def named(self) -> dict[str, Any]:
        return {**written_binds(self.values), ACTOR_ID: self.rule.actor.id}


class FindTaken(Recipe[Statement], frozen=True):
    """Any row with these values of the attributes `unique`, of whatever class, whoever may read it."""

    served: ServedModel
    unique: tuple[str, ...]
    values: Bound

    def compile(self, options: Options) -> Statement:
        """The SELECT of the row."""
        source = TableRef.of(self.served.entity)
        statement = sa.select(1).select_from(source.table).where(*_has_values(source, self.unique))
        return self.statement(statement, f"{self.served.full_path}.taken")

    def bounds(self) -> list[Bound]:
        return []

    def named(self) -> dict[str, Any]:
        return written_binds(self.values)


def _has_values(source: TableRef, names: tuple[str, ...]) -> list[sa.ColumnElement[bool]]:
    columns = {name: source.column(name) for name in names}
    return [column == sa.bindparam(bind_name(name), type_=column.type) for name, column in columns.items()]
