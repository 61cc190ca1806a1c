"""The row that a path names, as an object: by its key, or by another unique attribute (`/articles/{article:slug}`)."""

from typing import Any

from gatepost.models.catalog import ServedModel
from gatepost.models.conditions import ACTOR_ID, BoundRule
from gatepost.models.object_loading import select_objects
from gatepost.models.reads import LoadPlan
from gatepost.models.recipes import Bound, Options, Recipe
from gatepost.models.table_refs import TableRef


class FindObject(Recipe[LoadPlan], frozen=True):
    """The ORM object whose attribute `name` has a value, under a rule. Where it `is_locking`, its row is locked until
    the transaction ends."""

    served: ServedModel
    rule: BoundRule
    name: str
    value: Bound
    is_locking: bool

    def compile(self, options: Options) -> LoadPlan:
        """The SELECT of the object."""
        source = TableRef.of(self.served.entity)
        column = source.column(self.name)
        statement = select_objects(source.entity).where(
            column == self.value.parameter(column.type), *self.rule.conditions(source)
        )
        if self.is_locking:  # joined relations are not: PostgreSQL cannot lock rows that are missing
            statement = statement.with_for_update(of=source.entity.table).execution_options(populate_existing=True)
        return LoadPlan(statement, tuple(bound.name for bound in self.bounds()))

    def bounds(self) -> list[Bound]:
        return [self.value, *self.rule.bounds()]

    def named(self) -> dict[str, Any]:
        return {ACTOR_ID: self.rule.actor.id}
