"""`readable()` in policies: rows are those of the composed condition, whatever the two policies and the actor are.

Each form of policy is compared, row by row, with the same rule in Python. The requests are in `test_readable_rows.py`.
"""

import json
from collections.abc import AsyncIterator, Callable
from itertools import product
from random import Random
from typing import Any, NamedTuple

import asyncpg
import pytest
import pytest_asyncio
from sqlalchemy import ForeignKey, Integer, MetaData, and_, case, cast, exists, func, not_, or_, select
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, aliased, mapped_column, relationship
from tests.sampled_cases import SampledCases

from gatepost import Actor, Policy, Resource, actor_id, anyone, authenticated, nobody, owner, policy, readable, role
from gatepost.actor import system
from gatepost.database.statements import Statement
from gatepost.mistakes import Mistakes
from gatepost.models.catalog import Catalog
from gatepost.models.conditions import ACTOR_ID, bind_policy, bind_readables
from gatepost.models.served_model import ServedModel
from gatepost.models.table_refs import TableRef

pytestmark = pytest.mark.asyncio(loop_scope="module")


class Base(DeclarativeBase):
    """A base of its own: the tables of other tests are not in this database."""

    metadata = MetaData()


class Shelf(Base):
    __tablename__ = "readable_shelves"

    id: Mapped[int] = mapped_column(primary_key=True)
    keeper_id: Mapped[int | None] = mapped_column(index=True)
    facts: Mapped[dict[str, Any]] = mapped_column(JSONB)
    is_gone: Mapped[bool]
    parent_id: Mapped[int | None] = mapped_column(ForeignKey("readable_shelves.id"))
    parent: Mapped["Shelf | None"] = relationship(remote_side="Shelf.id")
    books: Mapped[list["Book"]] = relationship(back_populates="shelf")


class Book(Base):
    __tablename__ = "readable_books"

    id: Mapped[int] = mapped_column(primary_key=True)
    shelf_id: Mapped[int | None] = mapped_column(ForeignKey("readable_shelves.id"))
    writer_id: Mapped[int | None]
    shelf: Mapped[Shelf | None] = relationship(back_populates="books")
    loans: Mapped[list["Loan"]] = relationship(back_populates="book")


class Loan(Base):
    __tablename__ = "readable_loans"

    id: Mapped[int] = mapped_column(primary_key=True)
    book_id: Mapped[int] = mapped_column(ForeignKey("readable_books.id"))
    borrower_id: Mapped[int | None]
    book: Mapped[Book] = relationship(back_populates="loans")


@pytest.fixture(scope="module")
def database_metadata() -> MetaData:
    return Base.metadata


class Row(NamedTuple):
    """A shelf, in Python."""

    id: int
    keeper_id: int | None
    level: Any
    is_gone: bool
    parent: "Row | None"


class Written(NamedTuple):
    """A book, in Python."""

    id: int
    shelf: Row | None
    writer_id: int | None
    borrowers: tuple[int | None, ...]


class Rows(NamedTuple):
    shelves: dict[int, Row]
    books: list[Written]


LEVELS: tuple[Any, ...] = (0, 3, 9, "high", None, {"of": 1})


def made(seed: int) -> Rows:
    """Some rows, with every kind of NULL."""
    random = Random(seed)
    people = (None, 1, 2, 3)
    shelves: dict[int, Row] = {}
    for number in range(1, 15):
        parent = random.choice([None, *shelves.values()])
        shelves[number] = Row(number, random.choice(people), random.choice(LEVELS), random.random() < 0.3, parent)
    books = [
        Written(
            number,
            random.choice([None, *shelves.values(), *shelves.values()]),
            random.choice(people),
            tuple(random.choices(people, k=random.randrange(3))),
        )
        for number in range(1, 41)
    ]
    return Rows(shelves, books)


ROWS = made(7)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def sql(module_database_url: str) -> AsyncIterator["asyncpg.Connection[Any]"]:
    """The database with the rows."""
    connection: asyncpg.Connection[Any] = await asyncpg.connect(module_database_url)
    await connection.set_type_codec("jsonb", schema="pg_catalog", encoder=json.dumps, decoder=str)
    for shelf in ROWS.shelves.values():
        await connection.execute(
            "INSERT INTO readable_shelves VALUES ($1, $2, jsonb_build_object('level', $3::jsonb), $4, $5)",
            shelf.id,
            shelf.keeper_id,
            shelf.level,
            shelf.is_gone,
            shelf.parent and shelf.parent.id,
        )
    for book in ROWS.books:
        shelf_id = book.shelf and book.shelf.id
        await connection.execute("INSERT INTO readable_books VALUES ($1, $2, $3)", book.id, shelf_id, book.writer_id)
        for borrower in book.borrowers:
            statement = (
                "INSERT INTO readable_loans (id, book_id, borrower_id) SELECT count(*), $1, $2 FROM readable_loans"
            )
            await connection.execute(statement, book.id, borrower)
    yield connection
    await connection.close()


Rule = Callable[[Row, Actor], bool]


def is_mine(shelf: Row, actor: Actor) -> bool:
    return actor.id is not None and shelf.keeper_id == actor.id


def is_high(shelf: Row, actor: Actor) -> bool:
    return isinstance(shelf.level, int) and shelf.level > 2


def has_level(shelf: Row) -> bool:
    """Whether a condition on the level has a value at all: null has none, a text does not cast."""
    return isinstance(shelf.level, int)


high = policy(cast(Shelf.facts["level"].astext, Integer) > 2)
upper = aliased(Shelf)

SHELVES: dict[str, tuple[Policy, Rule]] = {
    "anyone": (anyone, lambda shelf, actor: True),
    "nobody": (nobody, lambda shelf, actor: False),
    "signed in": (authenticated, lambda shelf, actor: not actor.is_anonymous),
    "an owner": (owner(Shelf.keeper_id), is_mine),
    "no owner": (~policy(Shelf.keeper_id == actor_id), lambda shelf, actor: not is_mine(shelf, actor)),
    "roles": (
        role("boss") | owner(Shelf.keeper_id),
        lambda shelf, actor: "boss" in actor.roles or is_mine(shelf, actor),
    ),
    "a cast": (high, is_high),
    "no cast": (~high, lambda shelf, actor: has_level(shelf) and not is_high(shelf, actor)),
    "an owner above": (
        owner("parent.keeper_id"),
        lambda shelf, actor: shelf.parent is not None and is_mine(shelf.parent, actor),
    ),
    "a subquery over its own table": (
        policy(lambda shelf, actor: exists().where(upper.id == shelf.parent_id, upper.keeper_id == actor_id)),
        lambda shelf, actor: shelf.parent is not None and is_mine(shelf.parent, actor),
    ),
    "a subquery over the asking table": (
        policy(lambda shelf, actor: exists().where(Book.writer_id == actor_id)),
        lambda shelf, actor: actor.id is not None and any(book.writer_id == actor.id for book in ROWS.books),
    ),
    "another shape for another actor": (
        policy(lambda shelf, actor: shelf.keeper_id == actor.id if actor.id == 1 else shelf.keeper_id.in_([2, 3])),
        lambda shelf, actor: is_mine(shelf, actor) if actor.id == 1 else shelf.keeper_id in (2, 3),
    ),
}
"""Policies of shelves, each with the same rule in Python."""

Asking = Callable[[Written, Actor, Rule], bool]


def of_shelf(book: Written, actor: Actor, rule: Rule) -> bool:
    return book.shelf is not None and rule(book.shelf, actor)


def of_other_shelf(book: Written, actor: Actor, rule: Rule) -> bool:
    """Another book of the same shelf is by the actor, and the shelf is readable."""
    others = [other for other in ROWS.books if other.shelf is book.shelf and other.writer_id == actor.id]
    return of_shelf(book, actor, rule) and bool(others) and actor.id is not None


shelf_of = aliased(Shelf)
same = aliased(Book)

BOOKS: dict[str, tuple[Policy, Asking]] = {
    "has": (policy(Book.shelf.has(readable(Shelf))), of_shelf),
    "has, in a function": (policy(lambda book, actor: book.shelf.has(readable(Shelf))), of_shelf),
    "has not": (
        policy(Book.shelf.has(~readable(Shelf))),
        lambda book, actor, rule: book.shelf is not None and not rule(book.shelf, actor),
    ),
    "not has": (~policy(Book.shelf.has(readable(Shelf))), lambda book, actor, rule: not of_shelf(book, actor, rule)),
    "and": (
        policy(Book.shelf.has(and_(readable(Shelf), Shelf.is_gone.is_(False)))),
        lambda book, actor, rule: of_shelf(book, actor, rule) and book.shelf is not None and not book.shelf.is_gone,
    ),
    "or": (
        policy(Book.shelf.has(or_(readable(Shelf), Shelf.is_gone))),
        lambda book, actor, rule: book.shelf is not None and (rule(book.shelf, actor) or book.shelf.is_gone),
    ),
    "not of or": (
        policy(Book.shelf.has(not_(or_(readable(Shelf), Shelf.is_gone)))),
        lambda book, actor, rule: book.shelf is not None and not (rule(book.shelf, actor) or book.shelf.is_gone),
    ),
    "an exists that names no other column": (
        policy(or_(Book.writer_id == actor_id, exists().where(readable(Shelf)))),
        lambda book, actor, rule: (
            (actor.id is not None and book.writer_id == actor.id)
            or any(rule(shelf, actor) for shelf in ROWS.shelves.values())
        ),
    ),
    "a list of keys": (policy(Book.shelf_id.in_(select(Shelf.id).where(readable(Shelf)))), of_shelf),
    "an alias": (
        policy(lambda book, actor: exists().where(shelf_of.id == book.shelf_id, readable(shelf_of))),
        of_shelf,
    ),
    "an alias beside the table": (
        policy(exists().where(shelf_of.id == Book.shelf_id, Shelf.id == Book.shelf_id, readable(shelf_of))),
        of_shelf,
    ),
    "an alias that a relation leads to": (
        policy(Book.shelf.of_type(shelf_of).has(readable(shelf_of))),
        of_shelf,
    ),
    "a relation to the same table": (
        policy(Book.shelf.has(Shelf.parent.has(readable(Shelf)))),
        lambda book, actor, rule: (
            book.shelf is not None and book.shelf.parent is not None and rule(book.shelf.parent, actor)
        ),
    ),
    "both of two aliases": (
        policy(lambda book, actor: book.shelf.has(readable(Shelf) & Shelf.parent.has(readable(Shelf)))),
        lambda book, actor, rule: (
            of_shelf(book, actor, rule)
            and book.shelf is not None
            and book.shelf.parent is not None
            and rule(book.shelf.parent, actor)
        ),
    ),
    "a value beside it": (
        policy(lambda book, actor: book.shelf.has(and_(Shelf.id > 3, readable(Shelf), Shelf.id < 12))),
        lambda book, actor, rule: book.shelf is not None and 3 < book.shelf.id < 12 and rule(book.shelf, actor),
    ),
    "other rows of its own table": (
        policy(
            Book.shelf.has(and_(readable(Shelf), exists().where(same.shelf_id == Shelf.id, same.writer_id == actor_id)))
        ),
        of_other_shelf,
    ),
    "a value of it": (
        policy(
            select(case((readable(Shelf), 1), else_=0)).where(Shelf.id == Book.shelf_id).limit(1).scalar_subquery() == 0
        ),
        lambda book, actor, rule: book.shelf is not None and not rule(book.shelf, actor),
    ),
    "a cast beside it": (
        policy(
            Book.shelf.has(and_(readable(Shelf), cast(Shelf.facts["level"].astext, Integer) > 2))
            | (Book.writer_id == actor_id)
        ),
        lambda book, actor, rule: (
            (of_shelf(book, actor, rule) and book.shelf is not None and is_high(book.shelf, actor))
            or (actor.id is not None and book.writer_id == actor.id)
        ),
    ),
    "with roles": (
        role("boss") | policy(Book.shelf.has(readable(Shelf))),
        lambda book, actor, rule: "boss" in actor.roles or of_shelf(book, actor, rule),
    ),
    "with an owner": (
        owner(Book.writer_id) & ~policy(Book.shelf.has(readable(Shelf))),
        lambda book, actor, rule: (
            actor.id is not None and book.writer_id == actor.id and not of_shelf(book, actor, rule)
        ),
    ),
    "counted": (
        policy(
            select(func.count()).select_from(Shelf).where(Shelf.id == Book.shelf_id, readable(Shelf)).scalar_subquery()
            == 1
        ),
        of_shelf,
    ),
}
"""Policies of books that ask about shelves, each with the same rule in Python."""

ACTORS = [
    Actor(None),
    Actor(1),
    Actor(2),
    Actor(1, roles=frozenset({"boss"})),
    Actor(3, roles=frozenset({"boss", "other"})),
]


def catalog_of(*resources: Resource[Any]) -> Catalog:
    mistakes = Mistakes()
    catalog = Catalog(resources, mistakes)
    mistakes.raise_any()
    return catalog


async def ids(
    sql: "asyncpg.Connection[Any]", served: ServedModel, chosen: Policy, actor: Actor, *, aliased: bool, outcome: bool
) -> set[int]:
    """The rows for which a policy holds, on the table or on an alias of it, by its conditions or by its outcome."""
    rule = bind_policy(chosen, actor, served.entity)
    source = TableRef.alias(served.entity) if aliased else TableRef.of(served.entity)
    conditions = [rule.outcome(source)] if outcome else rule.conditions(source)
    values = {ACTOR_ID: actor.id} | {bound.name: bound.value for bound in rule.bounds()}
    statement = Statement(select(source.column("id")).select_from(source.table).where(*conditions))
    return {row[0] for row in await sql.fetch(statement.sql, *statement.arguments(values))}


def is_restricted(asking: str, shelves: str) -> bool:
    """Whether the resource of the shelves leaves out those that are gone: every other one does."""
    return (len(asking) + list(SHELVES).index(shelves)) % 2 == 0


def wanted(asking: str, shelves: str, actor: Actor) -> set[int]:
    """The books that a policy finds where the shelves have this one, as Python says."""
    rule, restricted = SHELVES[shelves][1], is_restricted(asking, shelves)

    def readable_to(shelf: Row, actor: Actor) -> bool:
        return rule(shelf, actor) and not (restricted and shelf.is_gone)

    return {book.id for book in ROWS.books if BOOKS[asking][1](book, actor, readable_to)}


@pytest.mark.parametrize("asking", BOOKS)
async def test_the_tables_tell_actors_and_policies_apart(asking: str) -> None:
    assert len({frozenset(wanted(asking, *case)) for case in product(SHELVES, ACTORS)}) > 3


@pytest.mark.parametrize("asking", BOOKS)
async def test_a_policy_holds_where_the_composed_condition_does(
    sql: "asyncpg.Connection[Any]", asking: str, sampled_cases: SampledCases
) -> None:
    chosen = BOOKS[asking][0]
    # Each policy of books meets every policy of shelves and every actor, on the table and on an alias.
    for name, turn in sampled_cases.covering(product(SHELVES, range(len(ACTORS))), strength=1):
        shelves, actor = SHELVES[name][0], ACTORS[turn]
        where = Shelf.is_gone.is_(False) if is_restricted(asking, name) else None
        catalog = catalog_of(Resource(Shelf, read=shelves, where=where), Resource(Book, read=chosen))
        way = len(asking) + list(SHELVES).index(name) + turn
        found = await ids(sql, catalog.by_model[Book], chosen, actor, aliased=way % 2 == 0, outcome=way % 3 == 0)
        assert found == wanted(asking, name, actor), (repr(shelves), where is not None, actor, way)


async def test_the_system_reads_what_a_restriction_leaves(sql: "asyncpg.Connection[Any]") -> None:
    catalog = catalog_of(Resource(Shelf, read=nobody, where=~Shelf.is_gone), Resource(Book, read=anyone))
    readables = bind_readables([Shelf], system, catalog.by_model[Book].entity)
    condition = readables.condition(Shelf, catalog.by_model[Shelf].entity.table, False)
    statement = Statement(select(Shelf.id).where(condition))
    found = {row[0] for row in await sql.fetch(statement.sql)}
    assert found == {shelf.id for shelf in ROWS.shelves.values() if not shelf.is_gone}


async def test_an_index_of_the_other_table_serves_a_list_of_keys(sql: "asyncpg.Connection[Any]") -> None:
    """Where NULL is as good as false, the condition stands as it is."""
    chosen = policy(Book.shelf_id.in_(select(Shelf.id).where(readable(Shelf), Shelf.id > 0)))
    catalog = catalog_of(Resource(Shelf, read=owner(Shelf.keeper_id)), Resource(Book, read=chosen))
    rule = bind_policy(chosen, ACTORS[1], catalog.by_model[Book].entity)
    [condition] = rule.conditions(TableRef.of(catalog.by_model[Book].entity))
    assert "(readable_shelves.keeper_id = $1::BIGINT) AND readable_shelves.id >" in Statement(select(condition)).sql


async def test_actors_with_different_decisions_do_not_share_a_statement(sql: "asyncpg.Connection[Any]") -> None:
    chosen = policy(Book.shelf.has(readable(Shelf)))
    catalog = catalog_of(Resource(Shelf, read=role("boss") | owner(Shelf.keeper_id)), Resource(Book, read=chosen))
    rules = [bind_policy(chosen, actor, catalog.by_model[Book].entity) for actor in ACTORS]
    # Anonymous; of no role, twice; of a role, twice.
    assert [[one == other for other in rules] for one in rules] == [
        [True, False, False, False, False],
        [False, True, True, False, False],
        [False, True, True, False, False],
        [False, False, False, True, True],
        [False, False, False, True, True],
    ]
