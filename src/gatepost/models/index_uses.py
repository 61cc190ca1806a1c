"""What the indexes of a table can serve, column by column: the one place that decides whether there is an index.

Outside the request path. Filters and sorting ask when the app is built (`filters.py`), and so does the schema before it
adds an index (`indexes.py`). An index counts for its first column, if it holds the column itself, in the column's
collation (one of trigrams in the database's). Expressions, partial indexes and included columns do not count, nor does
an index written as text.
"""

from collections.abc import Sequence
from enum import Flag, auto
from typing import Any, NamedTuple, cast

from sqlalchemy import Column, ColumnElement, Index, PrimaryKeyConstraint, Table, UniqueConstraint
from sqlalchemy.sql.elements import Grouping, Label, UnaryExpression
from sqlalchemy.sql.operators import asc_op, collate, desc_op, nulls_first_op, nulls_last_op

from gatepost.models.expressions import find_standin, sql_of
from gatepost.models.type_traits import DEFAULT_COLLATION, collation_of, ignores_case


class Use(Flag):
    """What a query can ask of an index without reading the whole table."""

    NOTHING = 0
    EQUAL = auto()
    """`=` and `IN`."""
    NULL = auto()
    """`IS NULL` and `IS NOT NULL`."""
    RANGE = auto()
    """`<`, `<=`, `>`, `>=`, in the order of the column's own collation."""
    PREFIX = auto()
    """`LIKE 'text%'`, whatever the database's collation."""
    ASCENDING = auto()
    """`ORDER BY column`, and the same read backwards: `DESC NULLS FIRST`."""
    DESCENDING = auto()
    """`ORDER BY column DESC NULLS LAST`, and the same read backwards."""
    TRIGRAMS = auto()
    """`LIKE '%text%'` and `ILIKE`, in the database's collation, where the text has a trigram."""
    CONTAINMENT = auto()
    """`@>`: arrays with an element."""


BTREE_USES = Use.EQUAL | Use.NULL | Use.RANGE
"""What every B-tree index in the default order of its type serves."""

DEFAULT_CLASSES = frozenset({
    "array_ops", "bit_ops", "bool_ops", "bpchar_ops", "bytea_ops", "char_ops", "cidr_ops", "citext_ops",
    "date_ops", "enum_ops", "float4_ops", "float8_ops", "hstore_ops", "inet_ops", "int2_ops", "int4_ops",
    "int8_ops", "interval_ops", "jsonb_ops", "macaddr_ops", "macaddr8_ops", "money_ops", "multirange_ops",
    "name_ops", "numeric_ops", "oid_ops", "pg_lsn_ops", "range_ops", "text_ops", "time_ops", "timestamp_ops",
    "timestamptz_ops", "timetz_ops", "tsvector_ops", "uuid_ops", "varbit_ops", "varchar_ops",
})  # fmt: skip
"""Operator classes of B-trees that have the default order of their type: naming one changes nothing."""

PATTERN_CLASSES = frozenset({"bpchar_pattern_ops", "text_pattern_ops", "varchar_pattern_ops"})
"""Those that order text by its characters, for `LIKE 'text%'`."""

CONTAINMENT_CLASSES = frozenset({None, "array_ops"})
"""Those of GIN that serve `@>` for arrays; without a name it is that of the type."""


class IndexKey(NamedTuple):
    """One column of an index, in its order. `collation` is None for the column's own."""

    column: Column[Any]
    is_descending: bool = False
    is_nulls_first: bool = False
    collation: str | None = None

    @property
    def mirrored(self) -> "IndexKey":
        """The same, read backwards."""
        return self._replace(is_descending=not self.is_descending, is_nulls_first=not self.is_nulls_first)

    def is_like(self, other: "IndexKey") -> bool:
        """Whether both order the same column in the same way."""
        return self.column is other.column and self[1:] == other[1:]

    @property
    def order(self) -> Use:
        """Which order of pages it serves."""
        return Use.ASCENDING if self.is_descending == self.is_nulls_first else Use.DESCENDING


def uses_of(table: "Table[Any]", column: Column[Any]) -> Use:
    """All that the indexes and constraints of the table serve for a column."""
    found = Use.NOTHING
    for constraint in table.constraints:
        if isinstance(constraint, PrimaryKeyConstraint | UniqueConstraint):
            found |= BTREE_USES | Use.ASCENDING if next(iter(constraint.columns), None) is column else Use.NOTHING
    for index in table.indexes:
        found |= uses_of_index(index, column)
    return found


def uses_of_index(index: Index, column: Column[Any]) -> Use:
    """All that one index serves for a column."""
    keys = [_key(expression, cast("Table[Any]", index.table)) for expression in index.expressions]
    place = next((place for place, key in enumerate(keys) if key is not None and key.column is column), None)
    if place is None or _is_partial(index):
        return Use.NOTHING
    key, method = cast("IndexKey", keys[place]), method_of(index)
    operators = _class(index, index.expressions[place])
    if method == "gin" or (method, place) == ("gist", 0):  # every column of a GIN index is equal, whatever its place
        return _uses_of_inverted(key, method, operators)
    if place != 0 or method not in ("btree", "hash") or key.collation is not None:
        return Use.NOTHING
    return _uses_of_first(key, method, operators)


def is_ordered_by(table: "Table[Any]", keys: Sequence[IndexKey]) -> bool:
    """Whether some index begins with these keys, in this order or read backwards."""
    wanted = (list(keys), [key.mirrored for key in keys])
    return any(_begins(found, each) for found in map(keys_of, table.indexes) for each in wanted)


def keys_of(index: Index) -> list[IndexKey]:
    """The keys of a plain B-tree index, up to the first that is not a column."""
    found: list[IndexKey] = []
    if method_of(index) != "btree" or _is_partial(index):
        return found
    for expression in index.expressions:
        key = _key(expression, cast("Table[Any]", index.table))
        if key is None or key.collation or _class(index, expression) not in (None, *DEFAULT_CLASSES):
            break
        found.append(key)
    return found


def is_indexed(table: "Table[Any]", expression: ColumnElement[Any]) -> bool:
    """Whether a B-tree begins with an expression that is written in the same way."""
    return any(
        method_of(index) == "btree" and not _is_partial(index) and sql_of(index.expressions[0]) == sql_of(expression)
        for index in table.indexes
    )


def _uses_of_inverted(key: IndexKey, method: str, operators: str | None) -> Use:
    if operators == f"{method}_trgm_ops":
        is_default = (key.collation or collation_of(key.column.type)) == DEFAULT_COLLATION
        return Use.TRIGRAMS if is_default else Use.NOTHING
    if method == "gin" and key.collation is None and operators in CONTAINMENT_CLASSES:
        return Use.CONTAINMENT
    return Use.NOTHING


def _uses_of_first(key: IndexKey, method: str, operators: str | None) -> Use:
    if method == "hash":
        return Use.EQUAL if operators is None else Use.NOTHING
    if ignores_case(key.column.type) and operators not in (None, "citext_ops"):
        return Use.NOTHING  # other classes compare by case
    if operators in PATTERN_CLASSES:
        return Use.EQUAL | Use.NULL | Use.PREFIX
    return BTREE_USES | key.order if operators is None or operators in DEFAULT_CLASSES else Use.NOTHING


def _begins(keys: Sequence[IndexKey], wanted: Sequence[IndexKey]) -> bool:
    return len(keys) >= len(wanted) and all(key.is_like(other) for key, other in zip(keys, wanted, strict=False))


def _key(expression: Any, table: "Table[Any]") -> IndexKey | None:
    """The column that an index holds directly; None for an expression."""
    is_descending, nulls_first = False, None
    while isinstance(expression, UnaryExpression):
        modifier = expression.modifier
        if modifier in (nulls_first_op, nulls_last_op):
            nulls_first = modifier is nulls_first_op
        elif modifier in (asc_op, desc_op):
            is_descending = modifier is desc_op
        else:
            return None
        expression = expression.element
    expression, collation = _uncollated(
        cast("Any", expression).element if isinstance(expression, Label) else expression
    )
    # By hash: a mapped attribute gives the index a copy of the column, which has the same hash.
    column = next((each for each in table.columns if hash(each) == hash(expression)), None)
    if column is None:
        column = find_standin(
            table, cast("Any", expression).element if isinstance(expression, Grouping) else expression
        )
    if column is None:
        return None
    collation = None if collation == collation_of(column.type) else collation
    return IndexKey(column, is_descending, is_descending if nulls_first is None else nulls_first, collation)


def _uncollated(expression: Any) -> tuple[Any, str | None]:
    """The expression without a collation, and the collation."""
    if getattr(expression, "operator", None) is collate:
        return expression.left, expression.right.collation
    return expression, None


def method_of(index: Index) -> str:
    """The method of an index, such as "btree"."""
    return str(index.dialect_options["postgresql"]["using"] or "btree").lower()


def _class(index: Index, expression: Any) -> str | None:
    """The operator class that is named for a column, without its schema and its parameters."""
    named: dict[str, str] = index.dialect_options["postgresql"]["ops"] or {}
    given = named.get(getattr(expression, "key", None) or "")
    return None if given is None else given.partition("(")[0].strip().lower().rpartition(".")[2]


def _is_partial(index: Index) -> bool:
    # No filter of a request implies the condition of a partial index.
    return index.dialect_options["postgresql"]["where"] is not None
