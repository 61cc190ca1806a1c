"""Fields that are SQL expressions: shown, found, sorted by and compared with, never written."""

import inspect
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from sqlalchemy import ForeignKey, Index, MetaData, Text, func, select, text
from sqlalchemy.ext.hybrid import hybrid_property
from sqlalchemy.orm import DeclarativeBase, Mapped, column_property, mapped_column, relationship

from gatepost import Actor, App, ConfigurationError, Field, Resource, UserColumns, anyone, hidden, nobody, policy, role
from gatepost.testing import Client, TestApp

pytestmark = pytest.mark.asyncio(loop_scope="module")


class Base(DeclarativeBase):
    """A base of its own, without timestamps and version."""


class Team(Base):
    __tablename__ = "teams"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]

    @hybrid_property
    def label(self) -> str:
        return "team " + self.name


class Person(Base):
    __tablename__ = "persons"

    id: Mapped[int] = mapped_column(primary_key=True)
    first: Mapped[str] = mapped_column()
    last: Mapped[str] = mapped_column()
    born: Mapped[int | None] = mapped_column()
    team_id: Mapped[int | None] = mapped_column(ForeignKey("teams.id"), index=True)
    team: Mapped[Team | None] = relationship()
    full_name: Mapped[str] = column_property(func.lower(first) + " " + last)

    @hybrid_property
    def decade(self) -> int | None:
        return self.born // 10 * 10  # type: ignore[operator]

    @hybrid_property
    def shout(self) -> str:
        return self.first.upper()

    @shout.inplace.expression
    @classmethod
    def _shout(cls) -> Any:
        return func.upper(cls.first, type_=Text)

    @hybrid_property
    def secret(self) -> str:
        return "secret " + self.first

    @hybrid_property
    def broken(self) -> str:
        return self.first.upper()


Team.size = column_property(  # type: ignore[attr-defined]
    select(func.count(Person.id)).where(Person.team_id == Team.id).correlate_except(Person).scalar_subquery()
)
Index("ix_shouted", func.upper(Person.first, type_=Text))


@policy
def not_from_the_thirties(model: Any, actor: Actor) -> Any:
    return model.decade.is_distinct_from(1930)


class User(UserColumns, Base):
    __tablename__ = "users"

    id: Mapped[int] = mapped_column(primary_key=True)

    @hybrid_property
    def domain(self) -> str:
        return self.email.partition("@")[2]

    @domain.inplace.expression
    @classmethod
    def _domain(cls) -> Any:
        return func.split_part(cls.email, "@", 2, type_=Text)


@policy
def of_the_same_name(model: Any, actor: Actor) -> Any:
    return actor.user is not None and model.full_name == actor.user.domain


app = App(
    Resource(
        Person,
        path="persons",
        read=not_from_the_thirties,
        write=anyone,
        sort=["full_name", "decade"],
        filter=["full_name"],
        search=["full_name"],
        fields={"secret": Field(read=role("boss")), "broken": hidden},
    ),
    Resource(Team, path="teams", read=anyone, write=anyone),
    users=User,
)

PEOPLE = [("Ada", "King", 1815), ("Bea", "Arthur", 1922), ("Cal", "Zorn", 1931), ("Dee", "Abel", None)]


@pytest.fixture(scope="module")
def database_metadata() -> MetaData:
    """Databases here have the tables of this app."""
    return app.metadata


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def running(module_database_url: str) -> AsyncIterator[TestApp]:
    """The app with a few people, of whom one is hidden by a policy on a hybrid."""
    async with TestApp(app, module_database_url) as started:
        async with app.transaction() as tx:
            team = Team(name="first")
            tx.session.add_all([team, *(Person(first=a, last=b, born=c, team=team) for a, b, c in PEOPLE)])
        yield started


@pytest.fixture
def client(running: TestApp) -> Client:
    """Anyone."""
    return running.anonymous


async def names(client: Client, query: str) -> list[str]:
    response = await client.get(f"/api/persons?{query}")
    assert response.status == 200, response.body
    return [row["first"] for row in response.data]


async def test_expressions_are_shown_and_follow_the_rules_of_fields(running: TestApp, client: Client) -> None:
    [row] = (await client.get("/api/persons?full_name=ada+King")).data
    assert (row["full_name"], row["decade"], row["shout"]) == ("ada King", 1810, "ADA")
    assert row.keys().isdisjoint({"secret", "broken"})
    boss = await running.user("boss")
    assert (await boss.get(f"/api/persons/{row['id']}")).data["secret"] == "secret Ada"
    [expanded] = (await client.get("/api/persons?expand=team&full_name=ada+King")).data
    assert (expanded["team"]["label"], expanded["team"]["size"]) == ("team first", 4)


async def test_they_are_filtered_sorted_and_searched_by_where_they_are_indexed(client: Client) -> None:
    assert await names(client, "sort=full_name") == ["Ada", "Bea", "Dee"]
    assert await names(client, "sort=-full_name") == ["Dee", "Bea", "Ada"]
    assert await names(client, "sort=-decade") == ["Bea", "Ada", "Dee"]
    assert await names(client, "full_name[gt]=bea&sort=full_name") == ["Bea", "Dee"]
    assert await names(client, "full_name[icontains]=KING") == ["Ada"]
    assert await names(client, "shout=BEA") == ["Bea"]  # by an index that is declared beside
    pages, query = [], "sort=decade&limit=1"
    while query:
        page = (await client.get(f"/api/persons?{query}")).json()
        pages += [row["first"] for row in page["data"]]
        query = f"sort=decade&limit=1&after={page['page']['next']}" if page["page"]["next"] else ""
    assert pages == ["Ada", "Bea", "Dee"]
    refused = await client.get("/api/teams?size=4")
    assert (refused.status, refused.json()["code"]) == (400, "not_filterable")


async def test_the_indexes_serve(running: TestApp, client: Client) -> None:
    async with app.transaction() as tx:
        await tx.session.execute(text("SET LOCAL enable_seqscan = off"))
        for condition in ("lower(first) || ' ' || last = 'x'", "lower(first) || ' ' || last ILIKE '%king%'"):
            plan = (await tx.session.scalars(text(f"EXPLAIN SELECT 1 FROM persons WHERE {condition}"))).all()
            assert any("ix_persons_full_name" in line for line in plan), plan


@pytest.mark.parametrize("name", ["full_name", "decade", "shout"])
async def test_they_are_read_only(client: Client, name: str) -> None:
    row = (await client.get("/api/persons?shout=ADA")).data[0]
    path = f"/api/persons/{row['id']}"
    response = await client.patch(path, json={name: "x" if name != "decade" else 1})
    assert response.json()["errors"], response.body
    assert [(item["pointer"], item["code"]) for item in response.json()["errors"]] == [(f"/{name}", "read_only")]
    assert (await client.patch(path, json=row)).data == row
    created = await client.post("/api/persons", json={"first": "E", "last": "F", name: row[name]})
    assert created.status == 422


async def test_a_write_shows_them_as_they_are_afterwards(client: Client) -> None:
    created = (await client.post("/api/persons", json={"first": "Eve", "last": "Fox", "born": 2001})).data
    assert (created["full_name"], created["decade"]) == ("eve Fox", 2000)
    path = f"/api/persons/{created['id']}"
    changed = await client.patch(path, json={"last": "Gale", "born": None})
    assert (changed.data["full_name"], changed.data["decade"]) == ("eve Gale", None)
    assert (await client.delete(path)).status == 204


async def test_a_user_model_may_have_them(running: TestApp) -> None:
    user = await running.user()
    assert (await user.get("/api/auth/me")).status == 200


def refusal(*arguments: Any, **options: Any) -> str:
    with pytest.raises(ConfigurationError) as caught:
        App(Resource(*arguments, **options), users=User)
    return str(caught.value)


async def test_what_is_not_sql_has_to_be_hidden() -> None:
    said = refusal(Person, read=anyone)
    assert "Person.broken: is a hybrid that is not an SQL expression" in said
    line = inspect.getsourcelines(Person.__mapper__.all_orm_descriptors["broken"].fget)[1]
    assert f"test_expressions.py:{line}: Person.broken" in said
    assert 'fields={"broken": hidden}' in refusal(Person, read=anyone)


async def test_what_reads_other_rows_cannot_be_indexed() -> None:
    for option in ("sort", "filter"):
        assert "'size' is an expression that reads other rows" in refusal(Team, read=anyone, **{option: ["size"]})


async def test_nobody_is_asked_for_them() -> None:
    assert App(Resource(Team, read=anyone, create=anyone, update=nobody), users=User).operations
