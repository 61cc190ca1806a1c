"""What a statement is compiled from is its own key: equal recipes have one SQL, and differ in what they bind alone."""

import uuid
from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import combinations
from typing import Any

import msgspec
import pytest
from gate_conversation import forbidden_receive
from sqlalchemy import ForeignKey, Index, MetaData, or_, select
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

from gatepost import App, Field, Resource, actor_id, owner, policy, readable, role
from gatepost.actor import Actor
from gatepost.call import Call
from gatepost.controllers.cursors import Cursors
from gatepost.controllers.queries import Queries, QueryParsers
from gatepost.database.statements import Statement
from gatepost.declaring.paging import BY_CURSORS
from gatepost.models.addresses import ReadAbove, ReadKey
from gatepost.models.candidates import CheckCandidate
from gatepost.models.conditions import Below, BoundRule, bind_decision, bind_policy
from gatepost.models.list_query import ListQuery, Order
from gatepost.models.nesting import Nesting
from gatepost.models.reads import (
    CountBytes,
    LoadObject,
    LoadObjects,
    LoadPlan,
    ReadPage,
    ReadRow,
    ReadRowsByKey,
    loading_binds,
)
from gatepost.models.recipes import Bound, Options, Part, Recipe, key_of
from gatepost.models.select_shapes import SelectShapes
from gatepost.models.selections import Selection
from gatepost.models.trigrams import Trigrams
from gatepost.models.unique_rows import FindTaken, InsertUnique, LoadUnique
from gatepost.models.writes import (
    AskedField,
    CheckUpdate,
    DeleteRow,
    FindCompositeReference,
    FindReference,
    FindUnchanged,
    InsertRow,
    ReadStatus,
    UpdateRow,
)


class Base(DeclarativeBase):
    metadata = MetaData()


class Maker(Base):
    __tablename__ = "makers"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]


class Tool(Base):
    """`cost` is for buyers, `note` is shown on some rows."""

    __tablename__ = "tools"
    __table_args__ = (Index("ix_tools_name", "name"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    weight: Mapped[int | None] = mapped_column(index=True)
    cost: Mapped[int] = mapped_column(default=1)
    note: Mapped[str] = mapped_column(default="")
    keeper_id: Mapped[uuid.UUID] = mapped_column(index=True)
    maker_id: Mapped[int] = mapped_column(ForeignKey(Maker.id), index=True)
    maker: Mapped[Maker] = relationship()


class Loan(Base):
    """A key of two columns."""

    __tablename__ = "loans"
    tool_id: Mapped[int] = mapped_column(ForeignKey(Tool.id), primary_key=True)
    borrower: Mapped[str] = mapped_column(primary_key=True)


def is_light(model: Any, actor: Actor) -> Any:
    """One shape for those who lift, and another for the others."""
    if "lifter" in actor.roles:
        return or_(model.weight < 100, model.keeper_id == actor.id)
    return model.weight < int(actor.id or uuid.UUID(int=0)) % 50


light = policy(is_light)
known = policy(Tool.maker.has(readable(Maker)))
app = App(
    Resource(
        Tool,
        read=owner("keeper_id") | light,
        write=light & known,
        fields={"cost": Field(read=role("buyer"), write=role("buyer")), "note": Field(read=light, write=light)},
    ),
    Resource(Loan, read=policy(lambda model, actor: model.borrower != str(actor.id))),
    Resource(Maker, read=role("buyer") | policy(lambda model, actor: model.name != str(actor.id))),
)
CATALOG = app.declaration.catalog
TOOLS, MAKERS, LOANS = CATALOG.by_model[Tool], CATALOG.by_model[Maker], CATALOG.by_model[Loan]
PARSERS = {item: QueryParsers(item) for item in CATALOG.served}
READER = Queries(PARSERS, Cursors(b"s" * 32), Trigrams(), BY_CURSORS).reader(TOOLS)
NESTING = Nesting(Maker, "maker", MAKERS.entity, "maker_id", MAKERS.entity.attributes["id"])
SELECTS = [
    *(select(Tool).where(Tool.weight > weight) for weight in (1, 2)),
    *(select(Tool).where(Tool.name.in_(names)) for names in (["a"], ["a", "b"])),
    select(Tool).join(Tool.maker).where(Tool.id == actor_id),
    select(Tool).where(Tool.maker_id.in_(select(Maker.id).where(readable(Maker), Maker.id > 3))),
    select(Tool).join(Tool.maker).where(~readable(Maker)).limit(3),
    *(select(Tool).order_by(Tool.name).limit(limit) for limit in (1, 2)),
]
SHAPES = SelectShapes(TOOLS.entity)
OPTIONS = Options(page_bytes_max=2**22)

ACTORS = [
    Actor(uuid.UUID(int=number), frozenset(roles))
    for number, roles in enumerate([[], [], ["lifter"], ["lifter"], ["buyer"], ["buyer"], ["buyer", "lifter"]], 7)
]
QUERIES = [
    *(b"weight=%d" % number for number in (3, 4)),
    *(b"weight[lt]=%d" % number for number in (3, 4)),
    *(b"weight[in]=%s" % numbers for numbers in (b"3", b"4,5")),
    *(b"weight[null]=%s" % flag for flag in (b"true", b"false")),
    *(b"maker.id=%d" % number for number in (3, 4)),
    b"sort=name",
    b"sort=-name",
    b"limit=7",
    b"fields=id",
    b"fields=note",
    b"expand=maker",
]
COMBINED = (b"weight=3", b"weight=4", b"sort=-name")
"""Tried with everything else that a page is compiled from; of the others, each part by itself is enough."""


def read_list(query_string: bytes, actor: Actor) -> ListQuery:
    """The query of a list of tools, as the actor may ask for it."""
    return READER.read_list(
        Call({}, forbidden_receive, "id", "192.0.2.1", {}, query_string, actor=actor, view=TOOLS.view(actor))
    )


def recipes() -> Iterator[Recipe[Any]]:
    """Of every class, under several actors, views, fields and filters."""
    known_roles: set[frozenset[str]] = set()
    for actor in ACTORS:
        entity, view = TOOLS.entity, TOOLS.view(actor)
        policies = TOOLS.resource.policies
        read, permitted = bind_policy(policies["get"], actor, entity), bind_policy(policies["update"], actor, entity)
        row = Selection.of(TOOLS, view, read)
        for key in (3, 4):
            yield ReadRow(row, Bound(key))
            yield LoadObject(TOOLS, read, Bound(key))
            yield ReadKey(TOOLS, read, Bound(key), ("name",))
            yield CheckUpdate(TOOLS, permitted, Bound(key), ("weight",), Bound({"weight": key}))
            for versions in (None, Bound(("1",)), Bound(("2", "3"))):
                yield DeleteRow(TOOLS, read, Bound(key), permitted, versions)
                for compared in ((), ("name",)):
                    values = Bound({"name": "x"})
                    yield UpdateRow(row, permitted, ("name",), values, True, Bound(key), versions, compared)
                yield FindUnchanged(row, permitted, ("name",), values, True, Bound(key), versions, ("name",))
            maker = bind_policy(MAKERS.resource.policies["get"], actor, MAKERS.entity)
            below = Below(NESTING, maker, Bound(key))
            yield ReadAbove(below)
            yield LoadObject(TOOLS, msgspec.structs.replace(read, below=below), Bound(key))
            pairs = ((entity.attributes["maker_id"].column, MAKERS.entity.attributes["id"].column),)
            yield FindReference(MAKERS, maker, Bound(key), "id")
            yield FindCompositeReference(TOOLS, maker, Bound(key), MAKERS, pairs)
        loan = bind_policy(LOANS.resource.policies["get"], actor, LOANS.entity)
        loans = Selection.of(LOANS, LOANS.view(actor), loan)
        for pair in ((1, "ann"), (2, "bob")):
            yield ReadRow(loans, Bound(pair))
            yield LoadObject(LOANS, loan, Bound(pair))
            yield DeleteRow(LOANS, loan, Bound(pair), loan, None)
            yield ReadRowsByKey(loans, (Order("tool_id", False), Order("borrower", False)), Bound([pair, (3, "eve")]))
        # Two actors with equal roles differ in what their policies bind, whatever the query: a few pages show that.
        yield from recipes_of_pages(actor, read, COMBINED if actor.roles in known_roles else QUERIES)
        known_roles.add(actor.roles)
        yield ReadRowsByKey(row, (Order("id", False),), Bound([1, 2]))
        for values in ({"name": "x", "weight": 1}, {"name": "y", "weight": 2}, {"name": "y"}):
            yield from recipes_of_unique_rows(read, permitted, values)
            for checks in (True, False):
                yield InsertRow(row, permitted, tuple(values), Bound(values), checks)
            yield CheckCandidate(entity, permitted, tuple(values), frozenset(), Bound(values))
        yield ReadStatus(TOOLS, read, Bound(3), permitted)
        rule = bind_decision(view.update_rules["note"], actor, entity)
        is_shown = bind_decision("cost" in view.names, actor, entity)
        asked = (AskedField("note", rule, rule), AskedField("cost", is_shown, rule))
        for is_locking in (True, False):
            status = ReadStatus(TOOLS, read, Bound(4), permitted, is_locking, ("note", "cost"), asked, 100)
            yield status
            yield msgspec.structs.replace(status, compared=("name",), values=Bound({"name": "x"}))


def recipes_of_pages(actor: Actor, read: BoundRule, queries: Sequence[bytes]) -> Iterator[Recipe[Any]]:
    """Those of lists, for each of the queries."""
    view = TOOLS.view(actor)
    for query_string in queries:
        query = read_list(query_string, actor)
        shown = Selection.of(TOOLS, view, read, query.fields, query.expand)
        for rows in (query.rows, msgspec.structs.replace(query.rows, offset=Bound(len(query_string) + 1))):
            yield ReadPage(shown, rows)
        yield LoadObjects(TOOLS, read, query.rows)
        yield CountBytes(TOOLS, read, query.rows, ("note",))
        if query_string not in COMBINED:
            continue
        yield ReadPage(shown, query.rows, counts=True)
        yield ReadPage(shown, msgspec.structs.replace(query.rows, offset=Bound(7)), counts=True)
        for selected in SELECTS:
            chosen = SHAPES.choose(selected, actor, lambda source, value=actor.id: value).rows
            yield ReadPage(shown, msgspec.structs.replace(query.rows, chosen=chosen))


def recipes_of_unique_rows(read: BoundRule, permitted: BoundRule, values: dict[str, Any]) -> Iterator[Recipe[Any]]:
    """Those that find a row by such values, or make it of them."""
    yield InsertUnique(TOOLS, permitted, tuple(values), ("name",), Bound(values))
    yield FindTaken(TOOLS, tuple(values), Bound(values))
    yield LoadUnique(TOOLS, read, tuple(values), Bound(values), is_locking=True)
    yield LoadUnique(TOOLS, read, tuple(values), Bound(values), is_locking=False)


def every(kind: type[Any]) -> Iterator[type[Any]]:
    """All classes below one."""
    for each in kind.__subclasses__():
        yield each
        yield from every(each)


def filled(plan: Any, recipe: Any) -> tuple[str, Any]:
    """The SQL of a plan, and its arguments with the values of a recipe."""
    if isinstance(plan, LoadPlan):
        compiled = Statement(plan.statement)
        return compiled.sql, compiled.arguments(loading_binds(plan, recipe))
    statement = plan if isinstance(plan, Statement) else plan.statement
    return statement.sql, statement.arguments(recipe.binds(statement))


Compiled = list[tuple[Recipe[Any], Any]]


@pytest.fixture(scope="module")
def compiled() -> Compiled:
    """Each recipe, and the plan that it compiles to."""
    return [(recipe, recipe.compile(OPTIONS)) for recipe in recipes()]


@pytest.mark.parametrize("kind", sorted(every(Part), key=lambda kind: kind.__name__), ids=lambda kind: kind.__name__)
def test_every_field_of_a_recipe_and_of_its_parts_is_part_of_the_key(kind: type[Any]) -> None:
    config = kind.__struct_config__
    assert config.frozen
    assert config.eq
    assert not {"__eq__", "__hash__"} & vars(kind).keys()


def test_the_recipes_tried_here_are_of_every_class(compiled: Compiled) -> None:
    assert {type(recipe) for recipe, _ in compiled} == {kind for kind in every(Recipe) if "compile" in vars(kind)}


def test_recipes_are_equal_where_their_sql_is(compiled: Compiled) -> None:
    by_sql: dict[type[Any], dict[str, list[Recipe[Any]]]] = defaultdict(lambda: defaultdict(list))
    for recipe, plan in compiled:
        by_sql[type(recipe)][filled(plan, recipe)[0]].append(recipe)
    equal = 0
    for of_class in by_sql.values():
        for first, *others in of_class.values():
            for other in others:
                assert first == other
                assert hash(first) == hash(other)
            equal += len(others)
        # Equality is one of all fields, so that one of each SQL stands for the others.
        for (one, *_), (other, *_) in combinations(of_class.values(), 2):
            assert one != other
    assert equal > 100


def test_the_plan_of_an_equal_recipe_takes_the_values_of_this_one(compiled: Compiled) -> None:
    by_recipe: dict[Recipe[Any], Compiled] = defaultdict(list)
    for recipe, plan in compiled:
        by_recipe[recipe].append((recipe, plan))
    for equal in by_recipe.values():
        for (one, plan), (other, others) in combinations(equal, 2):
            assert filled(plan, other) == filled(others, other)
            assert filled(others, one) == filled(plan, one)


def test_a_key_that_is_kept_holds_no_value(compiled: Compiled) -> None:
    for recipe, _ in compiled:
        key = key_of(recipe)
        assert key == recipe
        assert hash(key) == hash(recipe)
        assert not [bound for bound in bounds_in(key) if bound.value is not None]
        assert bounds_in(recipe)


def test_a_statement_reads_the_tables_of_its_expansions_filters_and_policies() -> None:
    actor = ACTORS[0]
    view, read = TOOLS.view(actor), bind_policy(TOOLS.resource.policies["get"], actor, TOOLS.entity)
    tables = {TOOLS.entity.table.name}, {TOOLS.entity.table.name, MAKERS.entity.table.name}
    for query_string, expected in ((b"", tables[0]), (b"expand=maker", tables[1]), (b"maker.id=3", tables[1])):
        query = read_list(query_string, actor)
        recipe = ReadPage(Selection.of(TOOLS, view, read, query.fields, query.expand), query.rows)
        assert recipe.compile(OPTIONS).statement.tables == expected


def test_what_is_derived_is_named_and_not_volatile(compiled: Compiled) -> None:
    for _, plan in compiled:
        if plan is not None and not isinstance(plan, LoadPlan):
            statement = plan if isinstance(plan, Statement) else plan.statement
            assert statement.tables is not None
            assert f" /* {statement.name} */ " in statement.sql
            assert statement.name.split(".")[0] in ("tools", "makers", "loans")


def bounds_in(part: Any) -> list[Bound]:
    """Every `Bound` in a recipe."""
    if isinstance(part, Bound):
        return [part]
    if isinstance(part, tuple):
        return [bound for item in part for bound in bounds_in(item)]
    names = part.__struct_fields__ if isinstance(part, Part) else ()
    return [bound for name in names for bound in bounds_in(getattr(part, name))]
