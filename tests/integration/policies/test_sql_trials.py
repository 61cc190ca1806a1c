"""Policies and expressions that only PostgreSQL can refuse are refused when an app starts, all of them in one run."""

import asyncio
import inspect
from collections.abc import AsyncIterator, Callable, Iterable
from datetime import date
from decimal import Decimal
from functools import reduce
from operator import or_
from pathlib import Path
from typing import Any, TypeAlias
from uuid import UUID

import asyncpg
import pytest
from sqlalchemy import (
    Boolean,
    ForeignKey,
    Integer,
    MetaData,
    String,
    Text,
    TypeDecorator,
    column,
    exists,
    func,
    select,
    table,
    text,
    type_coerce,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.hybrid import hybrid_property
from sqlalchemy.orm import DeclarativeBase, Mapped, column_property, mapped_column

from gatepost import (
    Actor,
    App,
    ConfigurationError,
    Field,
    Policy,
    Resource,
    UserColumns,
    anyone,
    authenticated,
    hidden,
    policy,
    role,
)
from gatepost.database import sql_trials
from gatepost.database.sql_trials import BATCH, try_all
from gatepost.database.statements import Statement
from gatepost.events import DeclarationRefused, Events
from gatepost.testing import TestApp

Connection: TypeAlias = "asyncpg.Connection[Any]"
OWN_ID = text("uuidv7()")


class Base(DeclarativeBase):
    """A base of its own: the tables of other tests are not in this database."""


class Person(Base, UserColumns):
    __tablename__ = "people"

    id: Mapped[UUID] = mapped_column(primary_key=True, server_default=OWN_ID)
    nickname: Mapped[str | None]
    tenant: Mapped[str] = mapped_column(String(36), server_default=str(UUID(int=7)))
    age: Mapped[int] = mapped_column(server_default="0")


class Lower(TypeDecorator[str]):
    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Any) -> Any:
        return None if value is None else value.lower()


class Note(Base):
    __tablename__ = "notes"

    id: Mapped[UUID] = mapped_column(primary_key=True, server_default=OWN_ID)
    n: Mapped[int]
    name: Mapped[str]
    label: Mapped[str] = mapped_column(Lower, server_default="")
    tenant: Mapped[UUID | None]
    price: Mapped[Decimal | None]
    facts: Mapped[dict[str, Any] | None] = mapped_column(JSONB)
    person_id: Mapped[UUID | None] = mapped_column(ForeignKey("people.id"), index=True)


def of_text(m: Any, actor: Actor) -> Any:
    return m.n == "abc"


def of_a_date(m: Any, actor: Actor) -> Any:
    return m.name > date.today()


def aggregated(m: Any, actor: Actor) -> Any:
    return func.max(m.n) > 1


def windowed(m: Any, actor: Actor) -> Any:
    return func.row_number().over() > 1


def of_an_object(m: Any, actor: Actor) -> Any:
    return m.n == object()


def too_large(m: Any, actor: Actor) -> Any:
    return m.n == 10**20


def misspelt(m: Any, actor: Actor) -> Any:
    return func.lowre(m.name) == "a"


def no_operator(m: Any, actor: Actor) -> Any:
    return m.n.op("@>")(m.name)


def of_a_number(m: Any, actor: Actor) -> Any:
    return m.label == 5


def not_a_uuid(m: Any, actor: Actor) -> Any:
    return m.tenant == "abc"


def of_an_unknown_table(m: Any, actor: Actor) -> Any:
    other = table("elsewhere", column("n"))
    return exists().where(other.c.n == m.n)


def of_the_age(m: Any, actor: Actor) -> Any:
    return m.name == actor.user.age


def of_the_age_in_letters(m: Any, actor: Actor) -> Any:
    return m.label == actor.user.age


def for_users(m: Any, actor: Actor) -> Any:
    return True if actor.is_anonymous else m.n == "abc"


def for_editors(m: Any, actor: Actor) -> Any:
    return m.n == "abc" if "editor" in actor.roles else m.n == 1


def in_a_subquery(m: Any, actor: Actor) -> Any:
    return m.person_id.in_(select(Person.id).where(Person.age == "old"))


REFUSED: dict[Callable[[Any, Actor], Any], str] = {
    of_text: "operator does not exist: integer = character varying",
    of_a_date: "operator does not exist: character varying > date",
    aggregated: "aggregate functions are not allowed in WHERE",
    windowed: "window functions are not allowed in WHERE",
    of_an_object: "cannot be interpreted as an integer",
    too_large: "value out of int64 range",
    misspelt: "function lowre(character varying) does not exist",
    no_operator: "operator does not exist: integer @> character varying",
    of_a_number: "'int' object has no attribute 'lower'",
    not_a_uuid: "invalid UUID 'abc'",
    of_an_unknown_table: 'relation "elsewhere" does not exist',
    of_the_age: "operator does not exist: character varying = bigint",
    of_the_age_in_letters: "'int' object has no attribute 'lower'",
    for_users: "operator does not exist: integer = character varying",
    for_editors: "operator does not exist: integer = character varying",
    in_a_subquery: "operator does not exist: integer = character varying",
}
OF_USERS = (of_the_age, of_the_age_in_letters)


def combined(functions: Iterable[Callable[[Any, Actor], Any]]) -> Policy:
    return reduce(or_, map(policy, functions))


def app_of(*, read: Any = anyone, **more: Any) -> App:
    return App(Resource(Note, read=read, write=anyone, **more), users=Person)


@pytest.fixture(scope="module")
def database_metadata() -> MetaData:
    return Base.metadata


@pytest.fixture
async def other(database_url: str) -> AsyncIterator[Connection]:
    connection: Connection = await asyncpg.connect(database_url)
    yield connection
    await connection.close()


async def refusal_of(app: App, database_url: str) -> str:
    with pytest.raises(ConfigurationError) as raised:
        async with TestApp(app, database_url):
            raise AssertionError("the app started")
    return str(raised.value)


async def test_what_postgresql_refuses_is_refused_at_the_line_of_each_policy_in_one_run(database_url: str) -> None:
    every = combined(function for function in REFUSED if function not in OF_USERS)
    said = await refusal_of(app_of(read=every, update=authenticated & combined(OF_USERS)), database_url)
    assert f"{len(REFUSED)} mistakes:" in said
    for function, reason in REFUSED.items():
        line = inspect.getsourcelines(function)[1]
        place = f"{Path(__file__).name}:{line}: the policy {function.__name__} "
        [sentence] = [sentence for sentence in said.splitlines() if place in sentence]
        assert reason in sentence


async def test_rules_of_fields_are_tried_as_well(database_url: str) -> None:
    rule = policy(windowed)
    said = await refusal_of(app_of(fields={"name": Field(read=rule, write=anyone)}), database_url)
    assert "the policy windowed is refused by PostgreSQL" in said
    said = await refusal_of(app_of(fields={"name": Field(update=policy(misspelt))}), database_url)
    assert "the policy misspelt is refused by PostgreSQL" in said


async def test_the_condition_of_a_resource_is_tried_as_well(database_url: str) -> None:
    said = await refusal_of(app_of(where=func.lowre(Note.name) == "x"), database_url)
    assert f"{Path(__file__).name}:" in said
    assert (
        "Resource(Note, where=...): is refused by PostgreSQL: function lowre(character varying) does not exist" in said
    )


def of_the_tenant(m: Any, actor: Actor) -> Any:
    return m.tenant == actor.user.tenant  # a text, of which only some are UUIDs


def of_the_person(m: Any, actor: Actor) -> Any:
    return (m.person_id == actor.id) & (m.label == (actor.user.nickname or "none"))


def of_a_list(m: Any, actor: Actor) -> Any:
    return m.name.in_(["a", "b"]) & ~m.n.in_([1, 2])


def of_a_document(m: Any, actor: Actor) -> Any:
    return m.facts["owner"].as_string() == "me"


def of_another(m: Any, actor: Actor) -> Any:
    return exists().where(Person.id == m.person_id, Person.age > 1)


def summed(m: Any, actor: Actor) -> Any:
    return select(func.count(Person.id)).where(Person.id == m.person_id).scalar_subquery() > 0


async def test_what_some_value_may_satisfy_is_not_refused(database_url: str) -> None:
    of_users = authenticated & (policy(of_the_tenant) | policy(of_the_person))
    app = app_of(read=of_users | policy(of_a_list) | policy(of_a_document) | policy(of_another) | policy(summed))
    async with TestApp(app, database_url) as running:
        user = await running.user()
        assert (await running.anonymous.get("/api/notes")).status == 200
        assert (await user.patch("/api/notes/018f3a5e-0000-7000-8000-000000000000", json={"n": 1})).status == 404


async def test_more_policies_than_are_tried_at_a_time_are_all_tried(database_url: str, other: Connection) -> None:
    def numbered(number: int) -> Callable[[Any, Actor], Any]:
        def allowed(m: Any, actor: Actor) -> Any:
            return getattr(m, "n" if number != BATCH else "name") > number

        return allowed

    found = app_of(read=combined(map(numbered, range(2 * BATCH + 2)))).declaration.sql_trials()
    assert len(found) == 2 * BATCH + 2
    refused = (await try_all(other, found, ())).refused
    assert ["operator does not exist: character varying > bigint" in str(error) for error in refused] == [True]


async def test_statements_that_are_in_order_are_sent_together(
    database_url: str, other: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    compiled: list[str] = []
    make = Statement.__init__

    def counting(self: Statement, *arguments: Any, **named: Any) -> None:
        make(self, *arguments, **named)
        compiled.append(self.sql)

    found = app_of(read=policy(of_a_list), update=policy(of_another)).declaration.sql_trials()
    monkeypatch.setattr(Statement, "__init__", counting)
    assert (await try_all(other, found, ())).refused == []
    assert len(found) == 2
    assert len(compiled) == 1


async def test_one_function_of_several_actions_and_roles_is_tried_once_for_each_of_its_shapes() -> None:
    app = app_of(read=role("a", "b") | policy(of_a_list), delete=policy(of_a_list))
    assert len(app.declaration.sql_trials()) == 1


async def test_a_process_that_replaces_another_says_it_and_serves(database_url: str) -> None:
    app = app_of(delete=policy(aggregated))
    said: list[DeclarationRefused] = []
    app.events.subscribe(DeclarationRefused, said.append)
    app.replace_another()
    async with TestApp(app, database_url) as running:
        assert (await running.anonymous.get("/api/notes")).status == 200
    assert ["the policy aggregated is refused by PostgreSQL" in event.reason for event in said] == [True]


def of_a_view(m: Any, actor: Actor) -> Any:
    return m.n.in_(select(column("n")).select_from(table("listed")))


async def test_a_view_that_does_not_exist_yet_is_said_and_no_reason_not_to_start(
    database_url: str, other: Connection
) -> None:
    app = app_of(read=policy(of_a_view))
    said: list[DeclarationRefused] = []
    app.events.subscribe(DeclarationRefused, said.append)
    async with TestApp(app, database_url) as running:
        line = f"{Path(__file__).name}:{inspect.getsourcelines(of_a_view)[1]}"
        assert [event.reason.endswith('relation "listed" does not exist.') for event in said] == [True]
        assert line in said[0].reason
        await other.execute("CREATE VIEW listed AS SELECT 1 AS n")
        try:
            assert (await running.anonymous.get("/api/notes")).status == 200
        finally:
            await other.execute("DROP VIEW listed")


async def test_a_database_that_was_away_is_asked_when_it_is_there(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sql_trials, "RETRY_SECONDS", 0.01)
    app = app_of(delete=policy(aggregated), read=policy(of_a_view))
    said: list[DeclarationRefused] = []
    async with TestApp(app_of(), database_url) as running:
        events = Events()
        heard = asyncio.Event()
        events.subscribe(DeclarationRefused, said.append)
        events.subscribe(DeclarationRefused, lambda _: heard.set())
        trials = sql_trials.SQLTrials(running.app.running.database, app.declaration.sql_trials, events)
        assert await trials.run(is_reachable=False) == []
        await asyncio.wait_for(heard.wait(), 10)
        trials.stop()
    assert {event.reason.partition(": the policy ")[2].partition(" ")[0] for event in said} == {
        "aggregated",
        "of_a_view",
    }


class Measured(Base):
    __tablename__ = "measured"

    id: Mapped[UUID] = mapped_column(primary_key=True, server_default=OWN_ID)
    n: Mapped[int] = mapped_column()
    highest: Mapped[int] = column_property(func.max(n, type_=Integer))
    place: Mapped[int] = column_property(func.row_number(type_=Integer).over())
    unknown: Mapped[str] = column_property(func.lowre(n, type_=Text))

    @hybrid_property
    def is_large(self) -> bool:
        return self.n > 1

    @is_large.inplace.expression
    @classmethod
    def _is_large(cls) -> Any:
        return type_coerce(cls.n + "x" > "1", Boolean)


PLACES = {
    "highest": 'column "measured.id" must appear in the GROUP BY clause',
    "unknown": "function lowre(integer) does not exist",
    "is_large": "operator does not exist: integer + character varying",
}


async def test_expressions_that_are_fields_are_tried_as_well(database_url: str) -> None:
    said = await refusal_of(App(Resource(Measured, read=anyone), users=Person), database_url)
    for name, reason in PLACES.items():
        [sentence] = [sentence for sentence in said.splitlines() if f"Measured.{name}: the expression" in sentence]
        assert f"{Path(__file__).name}:" in sentence
        assert reason in sentence
    assert "Measured.place" not in said


async def test_expressions_of_rows_that_are_written_can_be_returned(database_url: str) -> None:
    fields = dict.fromkeys(PLACES, hidden)
    said = await refusal_of(
        App(Resource(Measured, read=anyone, write=anyone, fields=fields), users=Person), database_url
    )
    assert "Measured.place: the expression is refused by PostgreSQL: window functions are not allowed" in said
    assert "mistakes" not in said
