"""Filters: which fields can be filtered and sorted by, and the condition that a filter becomes.

No client can cause a full table scan: a field can be filtered or sorted by only where it has an index, which it has
anyway or gets from `sort=`, `filter=` or `search=` of its resource.
"""

from typing import Any

import msgspec
import sqlalchemy as sa

from gatepost.models.document_paths import SEPARATOR, path_operators
from gatepost.models.index_uses import Use, uses_of
from gatepost.models.operators import OPERATORS, Operator, is_comparable
from gatepost.models.recipes import Bound, Part
from gatepost.models.relation_steps import RelationStep
from gatepost.models.served_model import ServedModel
from gatepost.models.table_refs import TableRef


class Filter(Part, frozen=True):
    """A condition on the field `name` of the row, or of the rows that `steps` lead to. Of the `operand` only a flag is
    part of the SQL."""

    steps: tuple[RelationStep, ...]
    name: str
    operator: Operator
    operand: Bound | bool

    @classmethod
    def of(cls, steps: tuple[RelationStep, ...], name: str, operator: Operator, value: Any) -> "Filter":
        """The filter by an operand as `Operator` describes it. Raises `ValueError` as `Operator.convert` does."""
        if operator.operand == "flag":
            return cls(steps, name, operator, value)
        return cls(steps, name, operator, Bound(value if operator.convert is None else operator.convert(value)))

    def bounds(self) -> list[Bound]:
        """The values that it binds."""
        found = [bound for step in self.steps for bound in step.rule.bounds()]
        if isinstance(self.operand, Bound):
            found.append(self.operand)
        return found

    def condition(self, source: TableRef) -> sa.ColumnElement[bool]:
        """The condition on `source`. A path over relations means that some related row satisfies it."""
        return self._over(self.steps, source)

    def _over(self, steps: tuple[RelationStep, ...], source: TableRef) -> sa.ColumnElement[bool]:
        if not steps:
            return self._compared(source.column(self.name))
        step = steps[0]
        inner = TableRef.alias(step.target.entity)
        return inner.exists(
            source, inner.joined_by(step.relation, source), *step.rule.conditions(inner), self._over(steps[1:], inner)
        )

    def _compared(self, column: sa.ColumnElement[Any]) -> sa.ColumnElement[bool]:
        if not isinstance(self.operand, Bound):
            return self.operator.sql(column, self.operand)
        return self.operator.sql(column, self.operator.parameter(self.operand, column))


class Filterable(msgspec.Struct, frozen=True):
    """What can be done with the fields of a resource: operators by the name of a field or the path into a document, and
    the fields to sort by.

    `by_trigrams` are the pairs of field and operator that only a trigram index serves, and so not for every text.
    """

    operators: dict[str, dict[str, Operator]]
    sortable: tuple[str, ...]
    by_trigrams: frozenset[tuple[str, Operator]]


def filterable(served: ServedModel) -> Filterable:
    """Read the indexes of the table, as they are once the schema is completed."""
    operators: dict[str, dict[str, Operator]] = {}
    sortable: list[str] = []
    by_trigrams: set[tuple[str, Operator]] = set()
    for name, attribute in served.entity.attributes.items():
        shape = attribute.shape
        uses = uses_of(served.entity.table, attribute.column)
        possible = [item for item in OPERATORS if item.uses & uses and item.suits(shape)]
        by_trigrams.update((name, item) for item in possible if item.uses & uses == Use.TRIGRAMS)
        if possible:
            operators[name] = {item.name: item for item in possible}
        order = Use.ASCENDING | Use.DESCENDING if attribute.nullable else Use.ASCENDING
        if is_comparable(shape) and order in uses:
            sortable.append(name)
    operators |= {name: path_operators(name) for name in served.resource.filter if SEPARATOR in name}
    return Filterable(operators, tuple(sortable), frozenset(by_trigrams))
