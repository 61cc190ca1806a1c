"""Tables that are not those of the models: no start, and 503 for what uses them, until they fit again."""

from collections.abc import AsyncIterator
from datetime import datetime
from pathlib import Path
from typing import Any, TypeAlias

import asyncpg
import pytest
from sqlalchemy import DateTime, ForeignKey, text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship
from tests.databases import Databases
from transaction_app import until

from gatepost import Actor, App, Resource, Service, anyone
from gatepost.backoff import Backoff
from gatepost.cli.doctor_schema import examine_columns
from gatepost.database.schema_watch import SchemaWatch
from gatepost.environment import load_settings
from gatepost.errors import ConfigurationError
from gatepost.events import SchemaChanged, SchemaRestored
from gatepost.testing import Client, ClientResponse, TestApp

Connection: TypeAlias = "asyncpg.Connection[Any]"


class Base(DeclarativeBase):
    pass


class Author(Base):
    __tablename__ = "authors"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    born: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))


class Book(Base):
    __tablename__ = "books"
    id: Mapped[int] = mapped_column(primary_key=True)
    title: Mapped[str]
    author_id: Mapped[int | None] = mapped_column(ForeignKey("authors.id"))
    author: Mapped[Author | None] = relationship()


class Shelf(Base):
    __tablename__ = "shelves"
    id: Mapped[int] = mapped_column(primary_key=True)
    label: Mapped[str | None]


class Shelves(Service[Shelf]):
    """Every verb through the session; `mistake` is SQL that is wrong whatever the schema."""

    mistake: str | None = None

    async def create(self, draft: Shelf, actor: Actor) -> Shelf:
        if self.mistake is not None:
            await self.session.execute(text(self.mistake))
        return await super().create(draft, actor)

    async def get(self, id: Any, actor: Actor, *, lock: bool = False) -> Shelf:
        return await super().get(id, actor, lock=lock)

    async def delete(self, row: Shelf, actor: Actor) -> None:
        await super().delete(row, actor)


app = App(
    Resource(Author, read=anyone, write=anyone),
    Resource(Book, read=anyone, write=anyone),
    Resource(Shelf, read=anyone, write=anyone, service=Shelves),
)
said: list[SchemaChanged | SchemaRestored] = []
app.events.subscribe(SchemaChanged, said.append)
app.events.subscribe(SchemaRestored, said.append)


@pytest.fixture(scope="module")
def database_metadata() -> Any:
    return app.metadata


@pytest.fixture(autouse=True)
def nothing_said() -> None:
    said.clear()


@pytest.fixture
async def client(database_url: str) -> AsyncIterator[Client]:
    async with TestApp(app, database_url) as running:
        for path, body in (("authors", {"name": "Ada"}), ("books", {"title": "Notes", "author_id": 1})):
            assert (await running.anonymous.post(f"/api/{path}", json=body)).status == 201
        assert (await running.anonymous.post("/api/shelves", json={"label": "A"})).status == 201
        yield running.anonymous


def watch() -> SchemaWatch:
    return app.running.database.schema


def code(response: ClientResponse) -> str | int:
    return response.status if response.status < 400 else str(response.json()["code"])


async def codes(client: Client, *paths: str) -> list[str | int]:
    return [code(await client.get(f"/api/{path}")) for path in paths]


async def readiness(client: Client) -> tuple[int, str]:
    response = await client.get("/readyz")
    return response.status, response.json()["database"]


REFUSED = [
    ("alter table authors drop column born", "authors.born: the model declares timestamp with time zone"),
    ("alter table authors alter born type timestamp", "AT TIME ZONE 'UTC'`"),
    ("alter table books alter title drop not null", "Write Mapped[... | None]"),
    ("alter table books alter id drop default", "autoincrement=False"),
    ("drop table shelves", "shelves: the model declares this table"),
    ("alter table shelves add more text not null", "shelves.more"),
    ("alter table users drop column password_hash", "users: the model declares the users' table of Gatepost"),
    ("alter table users drop column roles", "users.roles"),
]


@pytest.mark.parametrize(("statement", "words"), REFUSED)
async def test_an_app_does_not_start_on_other_tables_and_says_which_and_what_to_write(
    database_url: str, other: Connection, statement: str, words: str
) -> None:
    await other.execute(statement)
    with pytest.raises(ConfigurationError, match="the tables are not those of the models") as refused:
        await app.start(load_settings({"DATABASE_URL": database_url}))
    assert words in refused.value.message
    assert said == []


async def test_an_app_starts_on_tables_with_more_and_without_the_default_users_table(
    database_url: str, other: Connection
) -> None:
    await other.execute(
        "alter table books add more text; alter table books add count int not null default 0;"
        "alter table books alter title type text; drop table users"
    )
    await app.start(load_settings({"DATABASE_URL": database_url}))
    try:
        assert await codes(Client(app), "books", "authors") == [200, 200]
        signed_in = await Client(app).post("/api/auth/login", json={"email": "a@example.com", "password": "p" * 12})
        assert code(signed_in) == "schema_changed"
        assert await readiness(Client(app)) == (200, "schema_changed")
    finally:
        await app.stop()
    [event] = said
    assert isinstance(event, SchemaChanged)
    for words in (
        "Nobody can sign in without it",
        "`gatepost migrate make` and `gatepost migrate up`",
        "App(users=...)",
    ):
        assert words in event.reasons[0]
    finding = await examine_columns(other, app)
    assert (finding.ok, finding.is_warning) == (False, True)
    assert event.reasons[0] in finding.detail


async def test_a_column_that_goes_is_503_for_what_uses_its_table_until_it_is_back(
    client: Client, other: Connection
) -> None:
    assert await codes(client, "books", "books/1", "books?expand=author", "authors/1", "shelves/1") == [200] * 5
    await other.execute("alter table authors rename column born to died")
    assert await codes(client, "authors/1") == ["schema_changed"]
    assert await codes(client, "authors", "books", "books/1", "books?expand=author", "shelves/1") == [
        "schema_changed",
        200,
        200,
        "schema_changed",
        200,
    ]
    assert code(await client.post("/api/authors", json={"name": "Bea"})) == "schema_changed"
    assert code(await client.delete("/api/authors/1")) == "schema_changed"
    assert await readiness(client) == (200, "schema_changed")
    [event] = said
    assert isinstance(event, SchemaChanged)
    assert event.tables == ["authors"]
    assert "authors.born" in event.reasons[0]

    await other.execute("alter table authors rename column died to born")
    await watch().look()
    assert await codes(client, "authors", "authors/1", "books?expand=author") == [200] * 3
    assert code(await client.post("/api/authors", json={"name": "Bea"})) == 201
    assert await readiness(client) == (200, "ok")
    assert isinstance(said[-1], SchemaRestored)


async def test_a_table_that_goes_and_a_service_whose_table_does_not_fit(client: Client, other: Connection) -> None:
    await other.execute("alter table shelves rename to racks")
    assert await codes(client, "shelves/1", "books") == ["schema_changed", 200]
    await other.execute("alter table racks rename to shelves; alter table shelves add more text not null default ''")
    await other.execute("alter table shelves alter more drop default")
    await watch().look()
    for response in (await client.post("/api/shelves", json={"label": "B"}), await client.delete("/api/shelves/1")):
        assert (response.status, code(response)) == (503, "schema_changed")
        assert response.headers["retry-after"] == "5"
    assert await other.fetchval("select count(*) from shelves") == 1


async def test_a_type_that_changes_without_an_error_is_seen_by_the_next_look(client: Client, other: Connection) -> None:
    await other.execute("alter table authors alter born type timestamp")
    await watch().look()
    assert await codes(client, "authors/1", "books?expand=author", "books") == ["schema_changed", "schema_changed", 200]


async def test_where_no_table_fits_an_instance_is_not_ready(client: Client, other: Connection) -> None:
    await other.execute("drop table books, authors, shelves")
    assert await codes(client, "books") == ["schema_changed"]
    assert await readiness(client) == (503, "nothing_fits")


async def test_an_app_of_mounts_alone_is_ready_without_the_default_users_table(databases: Databases) -> None:
    mounts = App(mount={"/nothing": lambda *_: None})  # type: ignore[arg-type, return-value]
    with databases.opened() as url:
        await mounts.start(load_settings({"DATABASE_URL": url}))
        try:
            assert await readiness(Client(mounts)) == (200, "schema_changed")
        finally:
            await mounts.stop()


async def test_sql_that_is_wrong_in_itself_stays_a_500(
    client: Client, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(Shelves, "mistake", "select no_such_column from shelves")
    response = await client.post("/api/shelves", json={"label": "B"})
    assert (response.status, code(response)) == (500, "internal_error")
    assert "no_such_column" in capsys.readouterr().err
    assert said == []


async def test_an_app_that_started_without_its_database_serves_what_fits_when_it_comes(
    database_url: str, other: Connection, tmp_path: Path
) -> None:
    await other.execute("alter table authors alter born type timestamp")
    url, _, folder = database_url.partition("?host=")
    await app.start(load_settings({"DATABASE_URL": f"{url}?host={tmp_path}"}))
    try:
        client = Client(app)
        assert await codes(client, "books", "authors") == ["database_unavailable"] * 2
        (tmp_path / ".s.PGSQL.5432").symlink_to(Path(folder) / ".s.PGSQL.5432")

        async def is_there() -> bool:
            return await codes(client, "authors") != ["database_unavailable"]

        await until(is_there)
        assert await codes(client, "authors", "books") == ["schema_changed", 200]
        await other.execute("alter table authors alter born type timestamptz")
        await watch().look()
        assert await codes(client, "authors", "books") == [200, 200]
        assert [type(event) for event in said] == [SchemaChanged, SchemaRestored]
    finally:
        await app.stop()


async def test_a_process_that_replaces_another_starts_and_serves_what_fits(
    database_url: str, other: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(app, "_serves_what_fits", False)
    await other.execute("alter table authors drop column born")
    app.replace_another()
    await app.start(load_settings({"DATABASE_URL": database_url}))
    try:
        assert await codes(Client(app), "authors", "books") == ["schema_changed", 200]
        assert [type(event) for event in said] == [SchemaChanged]
    finally:
        await app.stop()


async def test_it_is_looked_again_by_itself_while_something_does_not_fit(
    client: Client, other: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch(), "_backoff", Backoff(0.01, 0.02))
    await other.execute("alter table authors rename column born to died")
    assert await codes(client, "authors") == ["schema_changed"]
    await other.execute("alter table authors rename column died to born")

    async def fits_again() -> bool:
        return await codes(client, "authors") == [200]

    await until(fits_again)


async def test_requests_cost_no_look(client: Client) -> None:
    before = watch().looked_at
    for _ in range(3):
        assert await codes(client, "books", "authors", "shelves/1", "books/999") == [200, 200, 200, "not_found"]
    assert watch().looked_at == before
