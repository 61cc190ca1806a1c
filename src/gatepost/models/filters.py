"""Filters: which fields can be filtered and sorted by, and the condition that a filter becomes.

No client can cause a full table scan: a field can be filtered or sorted by only where it has an index, which it has
anyway or gets from `sort=`, `filter=` or `search=` of its resource.
"""

from collections.abc import Callable, Hashable
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import (
    ARRAY,
    JSON,
    BigInteger,
    Boolean,
    ColumnElement,
    Enum,
    Integer,
    LargeBinary,
    String,
    TypeDecorator,
    any_,
    bindparam,
    select,
)
from sqlalchemy.dialects.postgresql import CITEXT
from sqlalchemy.types import TypeEngine

from gatepost.models.catalog import ServedModel
from gatepost.models.conditions import BoundRule, TableRef
from gatepost.models.entity import Relation, plain_type, unrounded, with_impl
from gatepost.models.index_uses import Use, uses_of

COMPARISONS: dict[str, Callable[[ColumnElement[Any], ColumnElement[Any]], ColumnElement[bool]]] = {
    "eq": lambda column, value: column == value,
    "ne": lambda column, value: column.is_distinct_from(value),
    "lt": lambda column, value: column < value,
    "lte": lambda column, value: column <= value,
    "gt": lambda column, value: column > value,
    "gte": lambda column, value: column >= value,
    "contains": lambda column, value: column.like(value),
    "starts_with": lambda column, value: column.like(value),
}

ORDERED = ("eq", "ne", "lt", "lte", "gt", "gte", "in", "null")
UNORDERED = ("eq", "ne", "in", "null")
SEARCHED = ("contains", "starts_with")
OPERATORS = (*ORDERED, *SEARCHED)


USES: dict[str, Use] = {
    **dict.fromkeys(("eq", "in"), Use.EQUAL),
    **dict.fromkeys(("ne", "null"), Use.NULL),
    **dict.fromkeys(("lt", "lte", "gt", "gte"), Use.RANGE),
    "contains": Use.TRIGRAMS,
    "starts_with": Use.TRIGRAMS | Use.PREFIX,
}
"""For each operator, the uses of an index that can serve it, of which one is enough."""


class RelationStep(NamedTuple):
    """One step of a filter's path: over a relation to rows that satisfy the target's read rule."""

    relation: Relation
    target: ServedModel
    rule: BoundRule


class Filter(msgspec.Struct, frozen=True, eq=False):
    """A condition on the field `name` of the row, or of the rows that `hops` lead to. `value` is bound, except for the
    operator `null`, where it changes the SQL."""

    hops: tuple[RelationStep, ...]
    name: str
    operator: str
    value: Any

    @property
    def shape(self) -> Hashable:
        """What changes the SQL of this filter."""
        value = self.value if self.operator == "null" else None
        return (*((hop.relation.name, hop.rule.shape) for hop in self.hops), self.name, self.operator, value)

    @property
    def bound(self) -> Any:
        """The value as it is bound."""
        if self.operator in SEARCHED:
            escaped = str(self.value).replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
            return f"%{escaped}%" if self.operator == "contains" else f"{escaped}%"
        return self.value


class Filterable(msgspec.Struct, frozen=True):
    """What can be done with the fields of a resource: operators by field name, and the fields to sort by.

    `by_trigrams` are the pairs of field and operator that only a trigram index serves, and so not for every text.
    """

    operators: dict[str, tuple[str, ...]]
    sortable: tuple[str, ...]
    by_trigrams: frozenset[tuple[str, str]]


def filterable(served: ServedModel) -> Filterable:
    """Read the indexes of the table, as they are once the schema is completed."""
    operators: dict[str, tuple[str, ...]] = {}
    sortable: list[str] = []
    by_trigrams: set[tuple[str, str]] = set()
    for name, attribute in served.entity.attributes.items():
        kind = plain_type(attribute.column.type)
        uses = uses_of(served.entity.table, attribute.column)
        if isinstance(kind, JSON | ARRAY | LargeBinary):
            uses = Use.NOTHING
        possible = [item for item in (UNORDERED if isinstance(kind, Boolean | Enum) else ORDERED) if USES[item] & uses]
        # Not for a `TypeDecorator`, which would convert the pattern.
        if isinstance(attribute.column.type, String) and not isinstance(kind, Enum):
            searched = [item for item in SEARCHED if USES[item] & uses]
            possible += searched
            by_trigrams.update((name, item) for item in searched if USES[item] & uses == Use.TRIGRAMS)
        if possible:
            operators[name] = tuple(possible)
        if (Use.ASCENDING | Use.DESCENDING if attribute.nullable else Use.ASCENDING) in uses:
            sortable.append(name)
    return Filterable(operators, tuple(sortable), frozenset(by_trigrams))


def bind_type(kind: TypeEngine[Any]) -> TypeEngine[Any]:
    """The type a compared value is bound as: without precision, length or range, which would round, cut or refuse."""
    if isinstance(kind, Integer):
        return BigInteger()
    if isinstance(kind, TypeDecorator) and isinstance(plain_type(kind), Integer):
        return with_impl(kind, BigInteger())
    if isinstance(kind, CITEXT):
        return CITEXT()  # compared with another text it is a text itself: by case, and by no index
    if isinstance(kind, String) and not isinstance(kind, Enum):
        return String()
    return unrounded(kind)


def filter_condition(item: Filter, source: TableRef, bind_name: str) -> ColumnElement[bool]:
    """The condition of a filter. A path over relations means that some related row satisfies it."""
    return _over(item.hops, item, source, bind_name)


def _over(hops: tuple[RelationStep, ...], item: Filter, source: TableRef, bind_name: str) -> ColumnElement[bool]:
    if not hops:
        return _compare(item, source, bind_name)
    hop = hops[0]
    inner = TableRef(hop.target.entity, hop.target.entity.table.alias())
    found = (
        select(1)
        .select_from(inner.table)
        .where(inner.column_of(hop.relation.remote) == source.column_of(hop.relation.local))
    )
    rule = hop.rule.condition(inner)
    if rule is not None:
        found = found.where(rule)
    return found.where(_over(hops[1:], item, inner, bind_name)).correlate(source.table).exists()


def _compare(item: Filter, source: TableRef, bind_name: str) -> ColumnElement[bool]:
    column = source.column(item.name)
    if item.operator == "null":
        return column.is_(None) if item.value else column.is_not(None)
    kind = bind_type(column.type)
    if item.operator == "in":
        return column == any_(bindparam(bind_name, type_=ARRAY(kind)))
    return COMPARISONS[item.operator](column, bindparam(bind_name, type_=kind))
