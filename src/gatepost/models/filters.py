"""Filters: which fields can be filtered and sorted by, and the condition that a filter becomes.

No client can cause a full table scan: a field can be filtered or sorted by only where it has an index, which it has
anyway or gets from `sort=`, `filter=` or `search=` of its resource.
"""

from collections.abc import Callable
from typing import Any, Literal

import msgspec
import sqlalchemy as sa
from sqlalchemy.sql.elements import Grouping

from gatepost.models.bind_types import bind_type
from gatepost.models.catalog import ServedModel
from gatepost.models.index_uses import Use, uses_of
from gatepost.models.recipes import Bound, Part
from gatepost.models.relation_steps import RelationStep
from gatepost.models.shape import Form, Shape
from gatepost.models.table_refs import TableRef

Condition = Callable[[sa.ColumnElement[Any], Any], sa.ColumnElement[bool]]

MEMBERS_MAX = 100
"""Values that one list of a filter may have."""


def _is_comparable(shape: Shape) -> bool:
    return shape.form not in (Form.DOCUMENT, Form.ARRAY, Form.BYTES)


def _is_ordered(shape: Shape) -> bool:
    return _is_comparable(shape) and shape.form not in (Form.BOOLEAN, Form.ENUM)


def _is_text(shape: Shape) -> bool:
    # Not a `TypeDecorator`, which would convert the pattern.
    return shape.form is Form.TEXT and not shape.is_decorated


class Operator(msgspec.Struct, frozen=True, eq=False):
    """What a field can be compared by: the only place that knows an operator.

    A client writes `name` in brackets. `uses` are the uses of an index that can serve it, of which one is enough, and
    `suits` tells for which fields it is. `at_beginning` is set where a text is looked for at the beginning alone, so
    that a trigram index finds shorter ones.

    `operand` is what the client sends, and decides what `sql` gets besides the column:

    - "scalar": a value of the field. `sql` gets a parameter.
    - "list": values separated by commas, so no text among them can contain one. `sql` gets one array parameter, in
      parentheses: `values[1]` is its first element.
    - "flag": true or false. `sql` gets the `bool`, which becomes part of the statement.

    Scalars and lists are bound as `convert` returns them; it raises `ValueError` with a sentence for those that the
    operator refuses. It must not compare texts: their order is the collation's, which only PostgreSQL knows.
    """

    name: str
    uses: Use
    sql: Condition
    operand: Literal["scalar", "list", "flag"] = "scalar"
    suits: Callable[[Shape], bool] = _is_comparable
    convert: Callable[[Any], Any] | None = None
    at_beginning: bool = False

    def read(self, text: str, parse: Callable[[str], Any]) -> Any:
        """The operand in a query string, whose values `parse` reads. Raises `ValueError` with a sentence."""
        if self.operand == "flag":
            if text not in ("true", "false"):
                raise ValueError("Send true or false.")
            return text == "true"
        if self.operand == "scalar":
            return parse(text)
        members = text.split(",")
        if len(members) > MEMBERS_MAX:
            raise ValueError(f"There are more than {MEMBERS_MAX} values.")
        return [parse(member) for member in members]


def _escaped(text: object) -> str:
    return str(text).replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")


OPERATORS = (
    Operator("eq", Use.EQUAL, lambda column, value: column == value),
    Operator("ne", Use.NULL, lambda column, value: column.is_distinct_from(value)),
    Operator("lt", Use.RANGE, lambda column, value: column < value, suits=_is_ordered),
    Operator("lte", Use.RANGE, lambda column, value: column <= value, suits=_is_ordered),
    Operator("gt", Use.RANGE, lambda column, value: column > value, suits=_is_ordered),
    Operator("gte", Use.RANGE, lambda column, value: column >= value, suits=_is_ordered),
    Operator("in", Use.EQUAL, lambda column, values: column == sa.any_(values), operand="list"),
    Operator("null", Use.NULL, lambda column, flag: column.is_(None) if flag else column.is_not(None), operand="flag"),
    Operator(
        "contains",
        Use.TRIGRAMS,
        lambda column, value: column.like(value),
        suits=_is_text,
        convert=lambda text: f"%{_escaped(text)}%",
    ),
    Operator(
        "starts_with",
        Use.TRIGRAMS | Use.PREFIX,
        lambda column, value: column.like(value),
        suits=_is_text,
        convert=lambda text: f"{_escaped(text)}%",
        at_beginning=True,
    ),
)
DEFAULT_OPERATOR = OPERATORS[0]
"""What `name=value` compares by."""


class Filter(Part, frozen=True):
    """A condition on the field `name` of the row, or of the rows that `steps` lead to. Of the `operand` only a flag is
    part of the SQL."""

    steps: tuple[RelationStep, ...]
    name: str
    operator: Operator
    operand: Bound | bool

    @classmethod
    def of(cls, steps: tuple[RelationStep, ...], name: str, operator: Operator, value: Any) -> "Filter":
        """The filter by an operand that `Operator.read` returned. Raises `ValueError` as `Operator.convert` does."""
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
        kind = bind_type(column.type)
        if self.operator.operand == "list":
            # Elements have to be named like this: `($1::bigint[])[1]`.
            return self.operator.sql(column, Grouping(self.operand.parameter(sa.ARRAY(kind))))
        return self.operator.sql(column, self.operand.parameter(kind))


class Filterable(msgspec.Struct, frozen=True):
    """What can be done with the fields of a resource: operators by field name, and the fields to sort by.

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
        uses = uses_of(served.entity.table, attribute.column) if _is_comparable(shape) else Use.NOTHING
        possible = [item for item in OPERATORS if item.uses & uses and item.suits(shape)]
        by_trigrams.update((name, item) for item in possible if item.uses & uses == Use.TRIGRAMS)
        if possible:
            operators[name] = {item.name: item for item in possible}
        if (Use.ASCENDING | Use.DESCENDING if attribute.nullable else Use.ASCENDING) in uses:
            sortable.append(name)
    return Filterable(operators, tuple(sortable), frozenset(by_trigrams))
