"""Reading statements: selected fields, filters, order, position and to-one expansions, compiled once per shape.

A shape is everything that changes the SQL text; values are bound per request. Policies are conditions of the statement,
including those of rows that are expanded or that a filter follows.
"""

from collections.abc import Hashable, Sequence
from typing import Any

import msgspec
from sqlalchemy import (
    ARRAY,
    ColumnElement,
    FromClause,
    Integer,
    Select,
    Text,
    and_,
    any_,
    bindparam,
    case,
    false,
    func,
    literal_column,
    or_,
    select,
    true,
    tuple_,
)
from sqlalchemy.dialects.postgresql import aggregate_order_by

from gatepost.database.statements import Statement
from gatepost.models.catalog import ServedModel, View
from gatepost.models.conditions import BoundRule, TableRef, bind_decision
from gatepost.models.entity import Relation
from gatepost.models.filters import Filter, bind_type, filter_condition
from gatepost.models.row_size import fits, row_bytes_max, running_bytes
from gatepost.models.rows import (
    Build,
    Columns,
    FieldConditions,
    Pieces,
    is_spliced,
    or_null,
    row_expression,
    row_pieces,
    version_column,
)

KEY = "key"
"""Bind name of the primary key."""

SEPARATOR = ",\n"
"""Separates the rows of a page. JSON written by `json_output.py` holds no line feed, so it never occurs inside a
row."""

KEYS = "keys"
"""Bind name of a list of primary keys."""


class Expansion(msgspec.Struct, frozen=True, eq=False):
    """A to-one relation to include in the row: the target's view, the rule of its rows, and its own expansions."""

    relation: Relation
    served: ServedModel
    view: View
    rule: BoundRule
    inner: "tuple[Expansion, ...]" = ()

    @property
    def shape(self) -> Hashable:
        """What of this expansion changes the SQL."""
        ruled = ruled_shape(self.view, self.rule, self.served)
        return (self.relation.name, self.view, self.rule.shape, ruled, tuple(item.shape for item in self.inner))


class Order(msgspec.Struct, frozen=True):
    """One term of the order: an attribute's name, descending or ascending. NULLs come last either way."""

    name: str
    descending: bool


class Position(msgspec.Struct, frozen=True, eq=False):
    """Where a page begins: the order values of the row before it; a `backward` page ends there instead."""

    values: tuple[Any, ...]
    backward: bool


class ListQuery(msgspec.Struct, frozen=True, eq=False):
    """What a list shows. `fields` None means all that the view has; `order` ends with the key.

    With `by_keys` the rows are those whose keys are bound as `KEYS`, as a service chose them. A query that
    `is_cacheable` is the same object for every request with the same query string and view, and binds no value of the
    actor: what is computed from it can be kept.
    """

    order: tuple[Order, ...]
    limit: int
    filters: tuple[Filter, ...] = ()
    fields: tuple[str, ...] | None = None
    expand: tuple[Expansion, ...] = ()
    position: Position | None = None
    by_keys: bool = False
    is_cacheable: bool = False


class ReadPlan(msgspec.Struct, frozen=True, eq=False):
    """A compiled read of one row: `build` makes its JSON from a record, which holds the version at `version_index`. An
    unbounded row may be larger than a page."""

    statement: Statement
    build: Build
    version_index: int
    is_unbounded: bool


class RowsPlan(msgspec.Struct, frozen=True, eq=False):
    """A compiled page with one record per row. `order_indexes` are the positions of the order's values; `fits_index`,
    where bytes are counted, is the position of whether the row fits on the page (if not, its texts are NULL)."""

    statement: Statement
    build: Build
    order_indexes: tuple[int, ...]
    fits_index: int | None = None

    @property
    def is_cut(self) -> bool:
        """Whether bytes are counted, because nothing else bounds the page."""
        return self.fits_index is not None


class PagePlan(msgspec.Struct, frozen=True, eq=False):
    """A compiled page in one record: the rows' JSON joined by `SEPARATOR`, their number, and for each of the order's
    `terms` its value on the first row and on the last one shown. Without `is_cut` the text includes one row beyond the
    limit, which `page_of_record` removes. With `is_cut` bytes are counted and PostgreSQL leaves out what does not fit;
    the number of all rows follows the number of those shown."""

    statement: Statement
    terms: int
    is_cut: bool = False


def shown_names(view: View, fields: tuple[str, ...] | None) -> tuple[str, ...]:
    """The names of the fields in the response."""
    return fields if fields is not None else (*view.names, *view.ruled)


def field_rules(view: View, rule: BoundRule, source: TableRef) -> FieldConditions:
    """The conditions of the view's ruled fields, for the actor of `rule`."""

    def condition(name: str) -> ColumnElement[bool]:
        bound = bind_decision(view.ruled[name], rule.actor, source.entity, f"{rule.prefix}_{name}")
        found = bound.condition(source)
        return found.is_(True) if found is not None else true()

    return condition


def row_plan(
    served: ServedModel,
    view: View,
    rule: BoundRule,
    fields: tuple[str, ...] | None,
    expand: tuple[Expansion, ...],
    *,
    bigint_as_string: bool,
) -> ReadPlan:
    """The statement that reads one row by its key."""
    source = TableRef(served.entity, served.entity.table)
    joined, pieces = _row(view, rule, source, fields, expand, source.table, bigint_as_string=bigint_as_string)
    columns = Columns()
    build = columns.add_row(pieces)
    version = columns.add(version_column(source))
    key = served.entity.key
    statement = select(*columns.selected).select_from(joined)
    statement = statement.where(source.column(key.name) == bindparam(KEY, type_=key.column.type))
    is_unbounded = row_bytes_max(served, shown_names(view, fields), expand) is None
    return ReadPlan(Statement(_under(statement, rule, source)), build, version, is_unbounded)


def page_plan(
    served: ServedModel, view: View, rule: BoundRule, query: ListQuery, *, bigint_as_string: bool, bytes_max: int
) -> PagePlan | RowsPlan:
    """The statement that reads a page and one row more, which shows whether there is another page. A page ends before
    the row that would take it over `bytes_max` bytes, and has at least one row."""
    source = TableRef(served.entity, served.entity.table)
    joined, pieces = _row(
        view, rule, source, query.fields, query.expand, source.table, bigint_as_string=bigint_as_string
    )
    row_max = row_bytes_max(served, shown_names(view, query.fields), query.expand)
    is_cut = row_max is None or row_max * query.limit > bytes_max
    if query.by_keys or is_spliced(pieces):
        return _rows_plan(source, rule, query, joined, pieces, bytes_max if is_cut else None)
    terms = [source.column(term.name).label(f"o{index}") for index, term in enumerate(query.order)]
    inner = select(row_expression(pieces).label("row"), *terms).select_from(joined)
    page: Any = _ordered(inner, rule, query, source).subquery("page")
    backward = query.position is not None and query.position.backward
    if backward or is_cut:
        counted = [running_bytes([page.c.row]).label("bytes")] if is_cut else []
        page = select(page, func.row_number().over().label("number"), *counted).subquery("numbered")
    separator = literal_column(r"E',\n'", Text())
    text = func.string_agg(page.c.row, aggregate_order_by(separator, page.c.number.desc()) if backward else separator)
    selected: list[ColumnElement[Any]] = [text, func.count()]
    last: ColumnElement[int] = func.least(func.count(), _literal(query.limit))
    if is_cut:
        room = and_(page.c.number <= _literal(query.limit), fits(page.c.number, page.c.bytes, bytes_max))
        last = func.count().filter(room)
        selected = [text.filter(room), last, func.count()]
    for index, term in enumerate(terms):
        column = page.c[f"o{index}"]
        # The aggregates read their input in one order: PostgreSQL sorts it for an ordered aggregate, and one without
        # ORDER BY gets that order as well. Only a backward page, whose text is joined in reverse, has to say its own.
        values = func.array_agg(
            aggregate_order_by(column, page.c.number) if backward else column, type_=ARRAY(term.type)
        )
        selected += [values[_literal(1)], values[last]]
    return PagePlan(Statement(select(*selected)), len(terms), is_cut)


def _rows_plan(
    source: TableRef, rule: BoundRule, query: ListQuery, joined: FromClause, pieces: Pieces, bytes_max: int | None
) -> RowsPlan:
    """The same page with one record per row: for values that Python decodes, and for keys that a service chose."""
    columns = Columns()
    build = columns.add_row(pieces)
    parts = len(columns.selected)
    indexes = tuple(columns.add(source.column(term.name)) for term in query.order)
    statement = select(*columns.selected).select_from(joined)
    if query.by_keys:
        key = source.entity.key
        keys: Any = bindparam(KEYS, type_=ARRAY(key.column.type))
        statement = _under(statement.where(source.column(key.name) == any_(keys)), rule, source)
        statement = statement.order_by(func.array_position(keys, source.column(key.name)))
    else:
        statement = _ordered(statement, rule, query, source)
    if bytes_max is None:
        return RowsPlan(Statement(statement), build, indexes)
    page: Any = statement.subquery("page")
    running = running_bytes(list(page.c)[:parts]).label("bytes")
    page = select(page, func.row_number().over().label("number"), running).subquery("numbered")
    room = fits(page.c.number, page.c.bytes, bytes_max)
    found = [case((room, column)) for column in list(page.c)[:parts]]
    return RowsPlan(
        Statement(select(*found, *list(page.c)[parts : len(columns.selected)], room).order_by(page.c.number)),
        build,
        indexes,
        len(columns.selected),
    )


def object_select(served: ServedModel, rule: BoundRule) -> Select[Any]:
    """The SELECT that loads one ORM object by its key."""
    source = TableRef(served.entity, served.entity.table)
    key = served.entity.key
    statement = select(served.entity.model).where(source.column(key.name) == bindparam(KEY, type_=key.column.type))
    return _under(statement, rule, source)


def objects_select(served: ServedModel, rule: BoundRule, query: ListQuery) -> Select[Any]:
    """The SELECT that loads the objects of a page, and of one row more."""
    source = TableRef(served.entity, served.entity.table)
    return _ordered(select(served.entity.model), rule, query, source)


def query_shape(query: ListQuery) -> Hashable:
    """What of a query changes the SQL. The limit is a literal: with a parameter PostgreSQL would plan for a guess."""
    position = query.position
    return (
        query.order,
        query.limit,
        query.fields,
        query.by_keys,
        tuple(item.shape for item in query.filters),
        tuple(item.shape for item in query.expand),
        None if position is None else (position.backward, tuple(value is None for value in position.values)),
    )


def query_values(query: ListQuery) -> dict[str, Any]:
    """The values that a query binds."""
    values: dict[str, Any] = {f"f{index}": item.bound for index, item in enumerate(query.filters)}
    for item in query.filters:
        for hop in item.hops:
            values.update(hop.rule.values)
    values.update(expansion_values(query.expand))
    if query.position is not None:
        values.update({f"p{index}": value for index, value in enumerate(query.position.values)})
    return values


def expansion_values(expand: Sequence[Expansion]) -> dict[str, Any]:
    """The values that expansions bind: those of their rules."""
    values: dict[str, Any] = {}
    for item in expand:
        values.update(item.rule.values)
        values.update(ruled_values(item.view, item.rule, item.served))
        values.update(expansion_values(item.inner))
    return values


def ruled_shape(view: View, rule: BoundRule, served: ServedModel) -> Hashable:
    """What the rules of a view's fields change in the SQL: a `policy(function)` may have many shapes."""
    if not view.ruled:
        return ()
    return tuple(bind_decision(item, rule.actor, served.entity).shape for item in view.ruled.values())


def ruled_values(view: View, rule: BoundRule, served: ServedModel) -> dict[str, Any]:
    """The values that the rules of a view's fields bind."""
    values: dict[str, Any] = {}
    for name, decision in view.ruled.items():
        values.update(bind_decision(decision, rule.actor, served.entity, f"{rule.prefix}_{name}").values)
    return values


def _under(statement: Select[Any], rule: BoundRule, source: TableRef) -> Select[Any]:
    condition = rule.condition(source)
    return statement if condition is None else statement.where(condition)


def _ordered(statement: Select[Any], rule: BoundRule, query: ListQuery, source: TableRef) -> Select[Any]:
    """Add position, rule, filters, order and limit. The position comes first: PostgreSQL starts its index scan at the
    first of several conditions on the index, and a deep page must not read all the rows before it."""
    if query.position is not None:
        statement = statement.where(_beyond(query.order, query.position, source))
    statement = _under(statement, rule, source)
    for index, item in enumerate(query.filters):
        statement = statement.where(filter_condition(item, source, f"f{index}"))
    backward = query.position is not None and query.position.backward
    statement = statement.order_by(*(_ordering(term, source, backward=backward) for term in query.order))
    return statement.limit(_literal(query.limit + 1))


def _row(
    view: View,
    rule: BoundRule,
    source: TableRef,
    fields: tuple[str, ...] | None,
    expand: Sequence[Expansion],
    joined: FromClause,
    *,
    bigint_as_string: bool,
) -> tuple[FromClause, Pieces]:
    """The pieces of a row and of what it expands, and what they are selected from."""
    nested: list[tuple[str, Pieces]] = []
    for item in expand:
        joined, pieces = _join(item, source, joined, bigint_as_string=bigint_as_string)
        nested.append((item.relation.name, pieces))
    pieces = row_pieces(
        source,
        shown_names(view, fields),
        rules=field_rules(view, rule, source) if view.ruled else None,
        ruled=frozenset(view.ruled),
        nested=nested,
        bigint_as_string=bigint_as_string,
    )
    return joined, pieces


def _join(item: Expansion, outer: TableRef, joined: FromClause, *, bigint_as_string: bool) -> tuple[FromClause, Pieces]:
    """Join one expansion: a row that is absent or hidden from the actor shows as null."""
    relation = item.relation
    source = TableRef(item.served.entity, item.served.entity.table.alias())
    condition = source.column_of(relation.remote) == outer.column_of(relation.local)
    rule = item.rule.condition(source)
    if rule is not None:
        condition = and_(condition, rule)
    joined = joined.outerjoin(source.table, condition)
    joined, pieces = _row(item.view, item.rule, source, None, item.inner, joined, bigint_as_string=bigint_as_string)
    return joined, or_null(pieces, source.column_of(relation.remote).is_not(None))


def _literal(limit: int) -> ColumnElement[int]:
    return literal_column(str(int(limit)), Integer)


def _beyond(order: Sequence[Order], position: Position, source: TableRef) -> ColumnElement[bool]:
    """The condition for rows beyond a position: one row comparison where an index can serve it."""
    columns = [source.column(term.name) for term in order]
    binds: list[ColumnElement[Any]] = [
        bindparam(f"p{index}", type_=bind_type(column.type), required=True) for index, column in enumerate(columns)
    ]
    nullable = any(source.entity.attributes[term.name].nullable for term in order)
    descending = {term.descending for term in order}
    if not nullable and len(descending) == 1:
        downward = descending.pop() is not position.backward
        return tuple_(*columns) < tuple_(*binds) if downward else tuple_(*columns) > tuple_(*binds)
    alternatives: list[ColumnElement[bool]] = []
    equal: list[ColumnElement[bool]] = []
    for term, column, bind, value in zip(order, columns, binds, position.values, strict=True):
        alternatives.append(and_(*equal, _past(term, column, bind, value, source, backward=position.backward)))
        equal.append(column.is_(None) if value is None else column == bind)
    return or_(*alternatives)


def _past(
    term: Order, column: ColumnElement[Any], bind: ColumnElement[Any], value: Any, source: TableRef, *, backward: bool
) -> ColumnElement[bool]:
    """One term strictly past its value, NULLs being last in either direction of the order."""
    if value is None:
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
