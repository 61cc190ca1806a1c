"""`readable(Model)` in expressions: which rows it asks about, and the conditions that stand in its place.

Outside of the request path, but for `readables_in`. The policy of the other model is bound by `conditions.py`.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from typing import Any, cast

import sqlalchemy as sa
from sqlalchemy.sql import operators, visitors
from sqlalchemy.sql.elements import AsBoolean, BooleanClauseList, Grouping
from sqlalchemy.sql.visitors import InternalTraversal

from gatepost.declaring.policies import Policy
from gatepost.declaring.row_expressions import Readable
from gatepost.errors import ConfigurationError
from gatepost.models.entity import Entity
from gatepost.models.table_refs import bare

ConditionOn = Callable[[type[Any], sa.FromClause, bool], sa.ColumnElement[bool]]
"""Gives the condition that the actor may get the row of a model on this table, or alias of its table. It may be NULL
for false where it is one of those that choose rows."""


def read_policy(model: type[Any], entity: Entity) -> tuple[Policy, Entity]:
    """The policy of `get` for the rows of a model, and its entity, in an expression over another. Raises
    `ConfigurationError`, without a location, where no resource serves them."""
    found = None if entity.read_policies is None else entity.read_policies.find_read(model)
    if found is None:
        raise ConfigurationError(
            f"asks whether {model.__name__} is readable, which has no resource.",
            hint=f"Declare Resource({model.__name__}, read=...); with routes=False it has no routes of its own.",
        )
    return found


class ReadableCondition(Grouping[Any]):
    """A condition in place of `readable(Model)`. The table is read where the condition names no column of it, too."""

    inherit_cache = True
    _traverse_internals = [  # noqa: RUF012 - as SQLAlchemy declares it
        *Grouping._traverse_internals,  # pyright: ignore[reportPrivateUsage]
        ("row", InternalTraversal.dp_clauseelement),
    ]

    def __init__(self, condition: sa.ColumnElement[bool], row: Any) -> None:
        super().__init__(condition)
        self.row = row

    def get_children(self, *, omit_attrs: tuple[str, ...] = (), **options: Any) -> Any:
        """What the condition reads: the row is only named."""
        return super().get_children(omit_attrs=(*omit_attrs, "row"), **options)

    @property
    def _from_objects(self) -> Any:
        element: Any = self.element
        return [*element._from_objects, *self.row._from_objects]


class ReadablePlaces:
    """The places of `readable(...)` in an expression. `is_filter` says that the whole of it chooses rows, so that NULL
    is as good as false."""

    def __init__(self, expression: Any, *, is_filter: bool) -> None:
        choosing: list[Any] = list(_choosing(expression)) if is_filter else []
        for part in cast("Iterable[Any]", visitors.iterate(expression)):
            if part.__visit_name__ == "select":
                for criterion in part._where_criteria:
                    choosing += _choosing(criterion)
        times, all_times = Counter(map(id, choosing)), Counter(map(id, readables_in(expression)))
        others: list[Any] = [part for part in readables_in(expression) if all_times[id(part)] > times[id(part)]]
        self._others: set[Any] = set[Any]().union(*(part._cloned_set for part in others))
        self._choosing: set[Any] = set[Any]().union(*(part._cloned_set for part in choosing))

    def condition(self, part: Any, condition_on: ConditionOn) -> sa.ColumnElement[bool]:
        """What stands in place of one of them, or of a copy of it."""
        copies = part._cloned_set
        may_be_null = self._others.isdisjoint(copies) and not self._choosing.isdisjoint(copies)
        return ReadableCondition(condition_on(part.model, bare(part.row.table), may_be_null), part.row)


def readables_in(expression: Any) -> Iterator[Readable]:
    """Every `readable(...)` in an expression, inside subqueries as well."""
    return (part for part in visitors.iterate(expression) if isinstance(part, Readable))


def with_readable(
    expression: sa.ColumnElement[Any], condition_on: ConditionOn, *, is_filter: bool
) -> sa.ColumnElement[Any]:
    """The expression with the conditions in place of each `readable(...)`."""
    places = ReadablePlaces(expression, is_filter=is_filter)

    def replace(element: Any, **_: Any) -> Any:
        found: Any = places.condition(element, condition_on) if isinstance(element, Readable) else None
        return found

    found: sa.ColumnElement[Any] = visitors.replacement_traverse(expression, {}, replace)
    return found


def _choosing(condition: Any) -> Iterator[Readable]:
    """Those that stand between AND and OR alone."""
    if isinstance(condition, Readable):
        yield condition
    elif isinstance(condition, BooleanClauseList):
        for part in condition.clauses:
            yield from _choosing(part)
    elif isinstance(condition, Grouping) or (
        isinstance(condition, AsBoolean) and condition.operator is operators.is_true
    ):
        yield from _choosing(cast("Any", condition).element)
