"""Reading statements: recipes of a row, a page, the rows with certain keys, and of the objects that a service loads."""

from collections.abc import Callable
from typing import Any, Generic

import msgspec
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import aggregate_order_by

from gatepost.database.own_binds import NO_BINDS, OwnBinds
from gatepost.database.statements import Statement
from gatepost.models.conditions import ACTOR_ID, BoundRule
from gatepost.models.entity import Key
from gatepost.models.entity_tags import ReadTag, add_tag
from gatepost.models.list_query import Order, RowRange
from gatepost.models.literals import literal_integer
from gatepost.models.object_loading import locked, select_objects
from gatepost.models.recipes import Bound, Options, P_co, Recipe
from gatepost.models.row_size import fits, running_bytes, total_bytes
from gatepost.models.rows import Build, Columns, Pieces, is_spliced, row_expression
from gatepost.models.selections import RowSelection
from gatepost.models.served_model import ServedModel
from gatepost.models.table_refs import TableRef

KEY = "key"
"""Bind name of the primary key; those of a composite key are numbered."""

SEPARATOR = ",\n"
"""Separates the rows of a page. JSON written by `json_output.py` holds no line feed, so it never occurs inside a
row."""

KEYS = "keys"
"""Bind name of the values of the primary key in a list of rows; those of a composite key are numbered."""


class ReadPlan(msgspec.Struct, frozen=True, eq=False):
    """A compiled read of one row: `build` makes its JSON from a record, and `tag` its entity tag, where it has one. An
    unbounded row may be larger than a page."""

    statement: Statement
    build: Build
    tag: ReadTag | None
    is_unbounded: bool


class RowsPlan(msgspec.Struct, frozen=True, eq=False):
    """A compiled page with one record per row. `order_indexes` are the positions of the order's values; `fits_index`,
    where bytes are counted, is the position of whether the row fits on the page (if not, its texts are NULL).
    `total_index`, where rows are counted, is the position of the total, before that of the row's number: then there is
    always a record, and one without a number has no row."""

    statement: Statement
    build: Build
    order_indexes: tuple[int, ...]
    fits_index: int | None = None
    total_index: int | None = None

    @property
    def is_cut(self) -> bool:
        """Whether bytes are counted, because nothing else bounds the page."""
        return self.fits_index is not None


class PagePlan(msgspec.Struct, frozen=True, eq=False):
    """A compiled page in one record: the rows' JSON joined by `SEPARATOR`, their number, and for each of the order's
    `terms` its value on the first row and on the last one shown. Without `is_cut` the text includes one row beyond the
    limit, which `page_of_record` removes. With `is_cut` bytes are counted and PostgreSQL leaves out what does not fit;
    the number of all rows follows the number of those shown. `total_index`, where rows are counted, is the position of
    the total."""

    statement: Statement
    terms: int
    is_cut: bool = False
    total_index: int | None = None


class LoadPlan(msgspec.Struct, frozen=True, eq=False):
    """A SELECT of ORM objects, and the binds that it has for the values of its recipe."""

    statement: sa.Select[Any]
    names: tuple[str, ...]


class KeyRecipe(Recipe[P_co], Generic[P_co], frozen=True):
    """A recipe for the row that has the key and satisfies the rule."""

    served: ServedModel
    rule: BoundRule
    key: Bound

    def bounds(self) -> list[Bound]:
        return self.rule.bounds()

    def named(self) -> dict[str, Any]:
        return key_binds(self.served.entity.key, self.key.value) | {ACTOR_ID: self.rule.actor.id}


class RangeRecipe(Recipe[P_co], Generic[P_co], frozen=True):
    """A recipe for the rows of a range that satisfy the rule."""

    served: ServedModel
    rule: BoundRule
    rows: RowRange

    def bounds(self) -> list[Bound]:
        return [*self.rule.bounds(), *self.rows.bounds()]

    def named(self) -> dict[str, Any]:
        return {ACTOR_ID: self.rule.actor.id}


class ReadRow(Recipe[ReadPlan], frozen=True):
    """One row by its key. Where the selection has some of the fields only, `whole` is that of all: the entity tag is
    that of the row, whatever is asked of it. A row with expansions has none."""

    selection: RowSelection
    key: Bound
    whole: RowSelection | None = None

    def compile(self, options: Options) -> ReadPlan:
        """The SELECT of the row."""
        source = self.selection.source()
        joined, pieces = self.selection.row(source, source.table)
        columns = Columns()
        build = columns.add_row(pieces)
        shown = self.whole or self.selection
        tag = add_tag(columns, source, shown, options.tag_prefix) if self.selection.has_tag else None
        statement = sa.select(*columns.selected).select_from(joined).where(is_key(source))
        statement = statement.where(*self.selection.rule.conditions(source))
        return ReadPlan(
            self.statement(statement, f"{self.selection.served.full_path}.get"),
            build,
            tag,
            self.selection.row_bytes_max is None,
        )

    def bounds(self) -> list[Bound]:
        return [*self.selection.bounds(), *(self.whole.bounds() if self.whole is not None else ())]

    def named(self) -> dict[str, Any]:
        key = self.selection.served.entity.key
        return key_binds(key, self.key.value) | {ACTOR_ID: self.selection.rule.actor.id}


class ReadPage(Recipe[PagePlan | RowsPlan], frozen=True):
    """A page and one row more, which shows whether there is another page. A page ends before the row that would take it
    over the maximum of bytes, and has at least one row. With `counts` its statement counts the total as well, which
    sees the same snapshot."""

    selection: RowSelection
    rows: RowRange
    counts: bool = False

    def compile(self, options: Options) -> PagePlan | RowsPlan:
        """The SELECT of the page."""
        source = self.selection.source()
        row = joined, pieces = self.selection.row(source, source.table)
        row_max, bytes_max = self.selection.row_bytes_max, options.page_bytes_max
        is_cut = row_max is None or row_max * self.rows.limit > bytes_max
        rule, rows = self.selection.rule, self.rows
        total = self.total(source)
        if is_spliced(pieces):
            # For values that Python decodes.
            return _rows_plan(
                self, row, rows.order, lambda found: rows.applied(found, rule, source), bytes_max if is_cut else None
            )
        terms = [source.column(term.name).label(f"o{index}") for index, term in enumerate(rows.order)]
        inner = sa.select(row_expression(pieces).label("row"), *terms).select_from(joined)
        page: Any = rows.applied(inner, rule, source).subquery("page")
        backward = rows.is_backward
        if backward or is_cut:
            counted = [running_bytes([page.c.row]).label("bytes")] if is_cut else []
            page = sa.select(page, sa.func.row_number().over().label("number"), *counted).subquery("numbered")
        separator = sa.literal_column(r"E',\n'", sa.Text())
        text = sa.func.string_agg(
            page.c.row, aggregate_order_by(separator, page.c.number.desc()) if backward else separator
        )
        selected: list[sa.ColumnElement[Any]] = [text.label("rows"), sa.func.count().label("count")]
        last: sa.ColumnElement[int] = sa.func.least(sa.func.count(), literal_integer(rows.limit))
        if is_cut:
            room = sa.and_(page.c.number <= literal_integer(rows.limit), fits(page.c.number, page.c.bytes, bytes_max))
            last = sa.func.count().filter(room)
            selected = [text.filter(room).label("rows"), last.label("count"), sa.func.count().label("total")]
        for index, term in enumerate(terms):
            column = page.c[f"o{index}"]
            # The aggregates read their input in one order: PostgreSQL sorts it for an ordered aggregate, and one
            # without ORDER BY gets that order as well. Only a backward page, whose text is joined in reverse, has to
            # say its own.
            values = sa.func.array_agg(
                aggregate_order_by(column, page.c.number) if backward else column, type_=sa.ARRAY(term.type)
            )
            name = rows.order[index].name
            first_and_last = (sa.cast(values[place], sa.Text) for place in (literal_integer(1), last))
            selected += [
                text.label(f"{end}_{name}") for end, text in zip(("first", "last"), first_and_last, strict=True)
            ]
        total_index = None if total is None else len(selected)
        counted = [] if total is None else [total.label("total_rows")]
        statement = self.statement(sa.select(*selected, *counted), f"{self.selection.served.full_path}.list")
        return PagePlan(statement, len(terms), is_cut, total_index)

    def total(self, source: TableRef) -> sa.ColumnElement[int] | None:
        """The total, where it is counted."""
        return self.rows.total(self.selection.rule, source) if self.counts else None

    def bounds(self) -> list[Bound]:
        return [*self.selection.bounds(), *self.rows.bounds()]

    def own_binds(self) -> OwnBinds:
        """Those of a Select of the application's."""
        return NO_BINDS if self.rows.chosen is None else self.rows.chosen.own_binds()

    @property
    def is_for_one_call(self) -> bool:
        """Whether the Select of the application's is."""
        return self.rows.chosen is not None and self.rows.chosen.is_for_one_call

    def named(self) -> dict[str, Any]:
        return {ACTOR_ID: self.selection.rule.actor.id}


class ReadRowsByKey(Recipe[RowsPlan], frozen=True):
    """The rows with these keys, as a service chose them, with one record per row."""

    selection: RowSelection
    order: tuple[Order, ...]
    keys: Bound

    def compile(self, options: Options) -> RowsPlan:
        """The SELECT of the rows, in the order of the keys."""
        source, key = self.selection.source(), self.selection.served.entity.key
        columns = {bind: source.column(name) for bind, name in zip(_bind_names(KEYS, key), key.names, strict=True)}
        arrays = [sa.bindparam(bind, type_=sa.ARRAY(column.type)) for bind, column in columns.items()]
        typed = [sa.column(bind, column.type) for bind, column in columns.items()]
        keys = sa.func.unnest(*arrays).table_valued(*typed, with_ordinality="number").render_derived()
        is_listed = sa.and_(*(column == keys.c[bind] for bind, column in columns.items()))
        return _rows_plan(
            self,
            self.selection.row(source, source.table.join(keys, is_listed)),
            self.order,
            lambda found: found.where(*self.selection.rule.conditions(source)).order_by(keys.c.number),
            options.page_bytes_max if self.selection.row_bytes_max is None else None,
        )

    def bounds(self) -> list[Bound]:
        return self.selection.bounds()

    def named(self) -> dict[str, Any]:
        key = self.selection.served.entity.key
        rows = [key.values(each) for each in self.keys.value]
        binds = {bind: [row[number] for row in rows] for number, bind in enumerate(_bind_names(KEYS, key))}
        return {**binds, ACTOR_ID: self.selection.rule.actor.id}


class LoadObject(KeyRecipe[LoadPlan], frozen=True):
    """One ORM object by its key, with the deferred columns `loading`. With `is_anew` it replaces what the session has,
    and with `is_locking` its row is locked as well."""

    is_anew: bool = False
    loading: tuple[str, ...] = ()
    is_locking: bool = False

    def compile(self, options: Options) -> LoadPlan:
        """The SELECT of the object."""
        source = TableRef.of(self.served.entity)
        statement = select_objects(source.entity, self.loading).where(is_key(source), *self.rule.conditions(source))
        if self.is_locking:
            statement = locked(statement, source.entity)
        elif self.is_anew:
            statement = statement.execution_options(populate_existing=True)
        return LoadPlan(statement, tuple(bound.name for bound in self.bounds()))


class LoadObjects(RangeRecipe[LoadPlan], frozen=True):
    """The ORM objects of a page, and of one row more."""

    def compile(self, options: Options) -> LoadPlan:
        """The SELECT of the objects."""
        source = TableRef.of(self.served.entity)
        statement = self.rows.applied(select_objects(source.entity), self.rule, source)
        return LoadPlan(statement, tuple(bound.name for bound in self.bounds()))


class CountBytes(RangeRecipe[Statement], frozen=True):
    """The bytes that `LoadObjects` would load of the attributes `names`, and of columns of subclasses; none of them is
    sent."""

    names: tuple[str, ...]
    below: tuple[sa.Column[Any], ...] = ()

    def compile(self, options: Options) -> Statement:
        """The SELECT of one number."""
        source = TableRef.of(self.served.entity)
        columns = [*map(source.column, self.names), *map(source.column_of, self.below)]
        # Counted outside: PostgreSQL would count inside before it sorts, and so for all rows, not for a page of them.
        page = self.rows.applied(sa.select(*columns), self.rule, source).subquery("page")
        return self.statement(sa.select(total_bytes(list(page.c))), f"{self.served.full_path}.size")


def loading_binds(plan: LoadPlan, recipe: Recipe[LoadPlan]) -> dict[str, Any]:
    """The values of a recipe by the names that the ORM's statement has for them: it is not compiled here."""
    bounds = recipe.bounds()
    return {**recipe.named(), **{name: bound.value for name, bound in zip(plan.names, bounds, strict=True)}}


def is_key(source: TableRef) -> sa.ColumnElement[bool]:
    """The condition that a row has the key that `key_binds` binds."""
    key = source.entity.key
    columns = [source.column(name) for name in key.names]
    binds = zip(columns, _bind_names(KEY, key), strict=True)
    return sa.and_(*(column == sa.bindparam(bind, type_=column.type) for column, bind in binds))


def key_binds(key: Key, value: Any) -> dict[str, Any]:
    """The values of the binds of `is_key`."""
    return dict(zip(_bind_names(KEY, key), key.values(value), strict=True)) if key.is_composite else {KEY: value}


def _bind_names(name: str, key: Key) -> tuple[str, ...]:
    return tuple(f"{name}_{number}" for number in range(len(key.attributes))) if key.is_composite else (name,)


def _rows_plan(
    recipe: ReadPage | ReadRowsByKey,
    row: tuple[sa.FromClause, Pieces],
    order: tuple[Order, ...],
    chosen: Callable[[sa.Select[Any]], sa.Select[Any]],
    bytes_max: int | None,
) -> RowsPlan:
    """Rows with one record each: those that `chosen` selects. `row` is what `Selection.row` returned. Bytes are counted
    where `bytes_max` is given."""
    source = recipe.selection.source()
    joined, pieces = row
    columns = Columns()
    build = columns.add_row(pieces)
    parts = len(columns.selected)
    indexes = tuple(columns.add(sa.cast(source.column(term.name), sa.Text)) for term in order)
    statement = chosen(sa.select(*columns.selected).select_from(joined))
    name = f"{recipe.selection.served.full_path}.list"
    total = recipe.total(source) if isinstance(recipe, ReadPage) else None
    if bytes_max is None and total is None:
        return RowsPlan(recipe.statement(statement, name), build, indexes)
    page: Any = statement.subquery("page")
    running = [] if bytes_max is None else [running_bytes(list(page.c)[:parts]).label("bytes")]
    page = sa.select(page, sa.func.row_number().over().label("number"), *running).subquery("numbered")
    found: list[sa.ColumnElement[Any]] = list(page.c)[: len(columns.selected)]
    fits_index = total_index = None
    if bytes_max is not None:
        room, fits_index = fits(page.c.number, page.c.bytes, bytes_max), len(found)
        found = [*(sa.case((room, column)) for column in found[:parts]), *found[parts:], room]
    source_rows = page
    if total is not None:
        counted, total_index = sa.select(total.label("total_rows")).subquery("counted_rows"), len(found)
        found += [counted.c.total_rows, page.c.number]
        source_rows = counted.outerjoin(page, sa.true())
    statement = sa.select(*found).select_from(source_rows).order_by(page.c.number)
    return RowsPlan(recipe.statement(statement, name), build, indexes, fits_index, total_index)
