"""What a list is asked for: filters, order, position and limit, as the query string says them or a service does.

`RowRange` is their SQL, a part of the recipes of lists.
"""

from collections.abc import Sequence
from typing import Any

import msgspec
from sqlalchemy import BigInteger, ColumnElement, Select, and_, false, func, or_, select, tuple_

from gatepost.models.bind_types import stored_value
from gatepost.models.chosen_rows import ChosenRows
from gatepost.models.conditions import Below, BoundRule
from gatepost.models.filters import Filter
from gatepost.models.literals import literal_integer
from gatepost.models.recipes import Bound, Part
from gatepost.models.selections import Expansion
from gatepost.models.table_refs import TableRef

TOTAL_MAX = 10_000
"""The largest total of a list: counting costs as much as reading that many rows of an index, however many there are."""


class Order(msgspec.Struct, frozen=True):
    """One term of the order: an attribute's name, descending or ascending. NULLs come last either way."""

    name: str
    descending: bool


class Position(Part, frozen=True):
    """Where a page begins: the order values of the row before it, as PostgreSQL's texts and None for NULL; a `backward`
    page ends there instead."""

    values: tuple[Bound | None, ...]
    backward: bool


class RowRange(Part, frozen=True):
    """Which rows of a table a list has, and in which order. The limit is a literal: with a parameter PostgreSQL would
    plan for a guess."""

    order: tuple[Order, ...]
    limit: int
    filters: tuple[Filter, ...] = ()
    position: Position | None = None
    offset: Bound | None = None
    chosen: ChosenRows | None = None

    @property
    def is_backward(self) -> bool:
        """Whether the rows are read in reverse, up to a position."""
        return self.position is not None and self.position.backward

    def bounds(self) -> list[Bound]:
        """The values that filters, position and offset bind, and those of rows that the application has chosen."""
        found = [bound for item in self.filters for bound in item.bounds()]
        if self.chosen is not None:
            found += self.chosen.bounds()
        if self.position is not None:
            found += [bound for bound in self.position.values if bound is not None]
        if self.offset is not None:
            found.append(self.offset)
        return found

    def applied(self, statement: Select[Any], rule: BoundRule, source: TableRef) -> Select[Any]:
        """Add position, rule, filters, order and limit, and one row to the limit. The position comes first: PostgreSQL
        starts its index scan at the first of several conditions on the index, and a deep page must not read all the
        rows before it."""
        if self.position is not None:
            statement = statement.where(_beyond(self.order, self.position, source))
        statement = self._restricted(statement, rule, source).order_by(*self.orderings(source))
        if self.offset is not None:
            statement = statement.offset(self.offset.parameter(BigInteger()))
        return statement.limit(literal_integer(self.limit + 1))

    def conditions(self, rule: BoundRule, source: TableRef) -> list[ColumnElement[bool]]:
        """What a row of this range satisfies, by the rule and the filters: the position first, as in `applied`."""
        beyond = [] if self.position is None else [_beyond(self.order, self.position, source)]
        return [*beyond, *rule.conditions(source), *(item.condition(source) for item in self.filters)]

    def orderings(self, source: TableRef) -> list[ColumnElement[Any]]:
        """The order that the rows are read in: reversed, where the page ends at its position."""
        return [_ordering(term, source, backward=self.is_backward) for term in self.order]

    def total(self, rule: BoundRule, source: TableRef) -> ColumnElement[int]:
        """How many rows of `source` satisfy the rule and the filters, wherever the page begins. PostgreSQL stops at one
        more than `TOTAL_MAX`, which shows that there are more."""
        counted = self._restricted(select(literal_integer(1)).select_from(source.table), rule, source)
        found = counted.limit(literal_integer(TOTAL_MAX + 1)).subquery("counted")
        return select(func.count()).select_from(found).scalar_subquery()

    def _restricted(self, statement: Select[Any], rule: BoundRule, source: TableRef) -> Select[Any]:
        """The statement, of the rows that the rule and the filters admit."""
        conditions = [*rule.conditions(source), *(item.condition(source) for item in self.filters)]
        if self.chosen is not None:
            statement = self.chosen.restricted(statement, source, conditions)
        return statement.where(*conditions)


class ListQuery(msgspec.Struct, frozen=True, eq=False):
    """What a list shows. `fields` None means all that the view has; `order` ends with the key. The page begins behind
    a position or an offset. With `counts` its total is wanted: how many rows there are, wherever it begins.

    A query that `is_cacheable` is the same object for every request with the same query string and view, and binds no
    value of the actor: what is computed from it can be kept. The rows may be `below` another.
    """

    order: tuple[Order, ...]
    limit: int
    filters: tuple[Filter, ...] = ()
    fields: tuple[str, ...] | None = None
    expand: tuple[Expansion, ...] = ()
    position: Position | None = None
    offset: int = 0
    counts: bool = False
    is_cacheable: bool = False
    below: Below | None = None
    chosen: ChosenRows | None = None

    @property
    def is_backward(self) -> bool:
        """Whether the page ends at its position."""
        return self.position is not None and self.position.backward

    @property
    def rows(self) -> RowRange:
        """Which rows it has."""
        offset = Bound(self.offset) if self.offset else None
        return RowRange(self.order, self.limit, self.filters, self.position, offset, self.chosen)


def _beyond(order: Sequence[Order], position: Position, source: TableRef) -> ColumnElement[bool]:
    """The condition for rows beyond a position: one row comparison where an index can serve it."""
    columns = [source.column(term.name) for term in order]
    binds = [
        None if value is None else stored_value(value, column.type)
        for column, value in zip(columns, position.values, strict=True)
    ]
    nullable = any(source.entity.attributes[term.name].nullable for term in order)
    descending = {term.descending for term in order}
    if not nullable and len(descending) == 1:
        downward = descending.pop() is not position.backward
        compared: list[Any] = [*binds]
        return tuple_(*columns) < tuple_(*compared) if downward else tuple_(*columns) > tuple_(*compared)
    alternatives: list[ColumnElement[bool]] = []
    equal: list[ColumnElement[bool]] = []
    for term, column, bind in zip(order, columns, binds, strict=True):
        alternatives.append(and_(*equal, _past(term, column, bind, source, backward=position.backward)))
        equal.append(column.is_(None) if bind is None else column == bind)
    return or_(*alternatives)


def _past(
    term: Order, column: ColumnElement[Any], bind: ColumnElement[Any] | None, source: TableRef, *, backward: bool
) -> ColumnElement[bool]:
    """One term strictly past its value, NULLs being last in either direction of the order."""
    if bind is None:
        return column.is_not(None) if backward else false()
    compared = column < bind if term.descending is not backward else column > bind
    if backward or not source.entity.attributes[term.name].nullable:
        return compared
    return or_(compared, column.is_(None))


def _ordering(term: Order, source: TableRef, *, backward: bool) -> ColumnElement[Any]:
    column = source.column(term.name)
    ordered = column.desc() if term.descending is not backward else column.asc()
    if term.descending and source.entity.attributes[term.name].nullable:
        return ordered.nulls_first() if backward else ordered.nulls_last()
    return ordered
