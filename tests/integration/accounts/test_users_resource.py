"""A users' resource that says nothing of its fields: what is on the wire of it, and what ends with a password."""

import re
import secrets
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import asyncpg
import pytest
import pytest_asyncio
from sqlalchemy import CheckConstraint, ForeignKey, MetaData, Text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from gatepost import Actor, App, Changes, Model, Resource, Service, UserColumns, anyone, authenticated, owner, role
from gatepost.models.base import NAMING
from gatepost.testing import Client, ClientResponse, TestApp

pytestmark = pytest.mark.asyncio(loop_scope="module")


class Base(Model):
    """Tables of this app alone: a database for it has no others."""

    __abstract__ = True
    metadata = MetaData(naming_convention=NAMING)


class Person(Base, UserColumns):
    """The hash stands in a column of another name, and breaks a rule of the database for one user."""

    __tablename__ = "persons"
    __table_args__ = (CheckConstraint("nickname <> 'broken' OR pw IS NULL", name="no_broken_hash"),)

    nickname: Mapped[str] = mapped_column(default="none", index=True)
    password_hash: Mapped[str | None] = mapped_column("pw", Text, index=True)


class Note(Base):
    __tablename__ = "person_notes"

    person_id: Mapped[UUID] = mapped_column(ForeignKey("persons.id"), index=True)
    person: Mapped[Person] = relationship()


class Persons(Service[Person]):
    """Overrides what can be overridden, and changes nothing."""

    async def get(self, id: Any, actor: Actor, *, lock: bool = False) -> Person:
        return await super().get(id, actor, lock=lock)

    async def after_update(self, row: Person, changes: Changes[Person], actor: Actor) -> None: ...


RULES: dict[str, Any] = {"read": anyone, "create": anyone, "update": owner("id") | role("admin"), "sort": ["nickname"]}
NOTES = Resource(Note, read=anyone, create=authenticated)
APPS = {
    "derived": App(Resource(Person, **RULES), NOTES, users=Person),
    "serviced": App(Resource(Person, **RULES, service=Persons), NOTES, users=Person),
}
NAMED = r"password_hash|password_version|\bpw\b"
CLOSED = ("password_hash", "pw", "password_version")


@dataclass
class Town:
    """A running app, somebody with a password, and clients of every identity."""

    running: TestApp
    url: str
    clients: dict[str, Client]
    ada: str
    hashed: str

    async def execute(self, sql: str) -> Any:
        """Run SQL from outside, and return the first value."""
        connection: asyncpg.Connection[Any] = await asyncpg.connect(self.url)
        try:
            return await connection.fetchval(sql)
        finally:
            await connection.close()


@pytest.fixture(scope="module")
def database_metadata() -> MetaData:
    """Databases here have the tables of this app."""
    return Base.metadata


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=APPS)
async def town(request: pytest.FixtureRequest, module_database_url: str) -> AsyncIterator[Town]:
    """The town, with its database."""
    async with TestApp(APPS[request.param], module_database_url) as running:
        email = f"{request.param}@example.com"
        own, key = await running.user_and_id(email=email, password="correct horse battery")
        clients = {
            "anonymous": running.anonymous,
            "stranger": await running.user(),
            "own": own,
            "admin": await running.user("admin"),
        }
        town = Town(running, module_database_url, clients, f"/api/persons/{key}", "")
        town.hashed = await town.execute(f"SELECT pw FROM persons WHERE id = '{key}'")
        yield town


IDENTITIES = ("anonymous", "stranger", "own", "admin")
REFUSED = [
    *(f"/api/persons?{name}={value}" for name in CLOSED for value in ("1", "%24argon2id", "")),
    *(f"/api/persons?{name}[{operator}]=%24a" for name in CLOSED for operator in ("gt", "in", "starts_with", "null")),
    *(f"/api/persons?sort={sign}{name}" for name in CLOSED for sign in ("", "-")),
    *(f"/api/persons?fields=email,{name}" for name in CLOSED),
    *(f"/api/person_notes?person.{name}=1" for name in CLOSED),
    *(f"/api/persons?expand={name}" for name in CLOSED),
    "/api/persons?passwort_hash=1",
    "/api/persons?fields=passwort_hash",
]


def never_holds(response: ClientResponse, town: Town, sent: str = "") -> None:
    """Neither the value nor the name, but as often as the client has sent it."""
    said = response.body.decode()
    assert town.hashed not in said
    assert "argon2" not in said
    assert len(re.findall(NAMED, said)) <= len(re.findall(NAMED, sent)) * 2, said


@pytest.mark.parametrize("identity", IDENTITIES)
async def test_neither_a_row_nor_a_list_nor_an_expansion_shows_the_hash(town: Town, identity: str) -> None:
    client = town.clients[identity]
    note = await town.clients["own"].post("/api/person_notes", json={"person_id": town.ada.rpartition("/")[2]})
    for path in (town.ada, "/api/persons", f"/api/person_notes/{note.data['id']}?expand=person"):
        response = await client.get(path)
        assert response.status == 200
        never_holds(response, town)
    assert {"email", "roles", "is_active", "nickname"} < set((await client.get(town.ada)).data)


@pytest.mark.parametrize("identity", IDENTITIES)
async def test_the_hash_can_be_neither_filtered_sorted_chosen_nor_hinted_at(town: Town, identity: str) -> None:
    for path in REFUSED:
        response = await town.clients[identity].get(path)
        assert response.status == 400, path
        assert "Did you mean 'pass" not in response.json()["detail"]
        never_holds(response, town, path)


@pytest.mark.parametrize("name", CLOSED)
async def test_the_hash_can_be_neither_set_nor_guessed(town: Town, name: str) -> None:
    for client in (town.clients["own"], town.clients["admin"]):
        responses = [await client.patch(town.ada, json={name: guess}) for guess in (town.hashed, "x", 0, 1, None)]
        assert {response.status for response in responses} == {422}
        assert {error["code"] for response in responses for error in response.json()["errors"]} == {"unknown_field"}
        for response in responses:
            never_holds(response, town, name)
    made = await town.clients["anonymous"].post("/api/persons", json={"email": "new@example.com", name: "x"})
    assert [error["code"] for error in made.json()["errors"]] == ["unknown_field"]
    assert await town.execute(f"SELECT pw FROM persons WHERE id = '{town.ada.rpartition('/')[2]}'") == town.hashed


@pytest.mark.parametrize("body", [{"roles": ["admin"]}, {"is_active": False}, {"roles": ["admin"], "nickname": "x"}])
async def test_nobody_gives_roles_to_a_user_or_closes_an_account(town: Town, body: dict[str, Any]) -> None:
    for identity in ("own", "admin"):
        response = await town.clients[identity].patch(town.ada, json=body)
        assert (response.status, response.json()["errors"][0]["code"]) == (422, "read_only")
    made = await town.clients["anonymous"].post("/api/persons", json={"email": "eve@example.com", **body})
    assert (made.status, made.json()["errors"][0]["code"]) == (422, "read_only")
    shown = (await town.clients["own"].get(town.ada)).data
    assert (shown["roles"], shown["is_active"]) == ([], True)


async def test_a_user_is_sent_back_as_it_was_read(town: Town) -> None:
    shown = (await town.clients["own"].get(town.ada)).data
    assert (await town.clients["own"].patch(town.ada, json=shown)).data == shown


async def test_a_rule_of_the_database_over_the_hash_names_it_to_nobody(town: Town) -> None:
    response = await town.clients["own"].patch(town.ada, json={"nickname": "broken"})
    assert response.status in (409, 422)
    never_holds(response, town)


async def test_a_token_ends_with_its_password_over_http(town: Town) -> None:
    email, password = f"{secrets.token_hex(8)}@example.com", "correct horse battery"
    issued = await town.running.user(email=email, password=password)
    body = {"email": email, "password": password}
    response = await town.clients["anonymous"].post("/api/auth/login", json=body)
    signed_in = Client(town.running.app, token=response.data["access_token"])
    assert (await signed_in.get("/api/auth/me")).status == 200
    await town.execute(f"UPDATE persons SET pw = pw || 'x' WHERE email = '{email}'")
    changed_at = time.monotonic()
    while (refused := await signed_in.get("/api/auth/me")).status == 200:
        assert time.monotonic() - changed_at < 0.2
    assert (refused.status, refused.json()["code"]) == (401, "invalid_token")
    assert (await issued.get("/api/auth/me")).status == 401
    await town.execute(f"UPDATE persons SET pw = rtrim(pw, 'x'), password_version = 0 WHERE email = '{email}'")
    assert (await signed_in.get("/api/auth/me")).status == 401, "also where the old password comes back"
    assert (await town.clients["anonymous"].post("/api/auth/login", json=body)).status == 200
