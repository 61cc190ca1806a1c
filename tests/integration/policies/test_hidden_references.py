"""A reference names a row by a field that the actor is shown on it: what is hidden cannot be guessed through it."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import pytest
import pytest_asyncio
from sqlalchemy import ForeignKey, MetaData
from sqlalchemy.orm import Mapped, mapped_column, relationship

from gatepost import Actor, App, Field, Model, Resource, Service, anyone, hidden, owner, policy, role
from gatepost.models.base import NAMING
from gatepost.testing import Client, ClientResponse, TestApp

pytestmark = pytest.mark.asyncio(loop_scope="module")


class Base(Model):
    """Tables of this app alone: a database for it has no others."""

    __abstract__ = True
    metadata = MetaData(naming_convention=NAMING)


class Person(Base):
    """Seen by everybody, under natural keys that not everybody is shown."""

    __tablename__ = "natural_persons"

    name: Mapped[str] = mapped_column(unique=True)
    ssn: Mapped[str | None] = mapped_column(unique=True)
    badge: Mapped[str | None] = mapped_column(unique=True)
    seal: Mapped[str | None] = mapped_column(unique=True)
    account: Mapped[UUID | None] = mapped_column(unique=True)
    is_public: Mapped[bool] = mapped_column(default=False)
    owner_id: Mapped[UUID | None] = mapped_column(ForeignKey("users.id"), index=True)


class Columns:
    """A reference by each of the keys."""

    text: Mapped[str] = mapped_column(default="")
    person_id: Mapped[UUID | None] = mapped_column(ForeignKey("natural_persons.id"), index=True)
    name: Mapped[str | None] = mapped_column(ForeignKey("natural_persons.name"), index=True)
    ssn: Mapped[str | None] = mapped_column(ForeignKey("natural_persons.ssn"), index=True)
    badge: Mapped[str | None] = mapped_column(ForeignKey("natural_persons.badge"), index=True)
    seal: Mapped[str | None] = mapped_column(ForeignKey("natural_persons.seal"), index=True)


class NaturalRef(Columns, Base):
    __tablename__ = "natural_refs"

    by_ssn: Mapped[Person | None] = relationship(foreign_keys="NaturalRef.ssn")
    by_badge: Mapped[Person | None] = relationship(foreign_keys="NaturalRef.badge")
    by_name: Mapped[Person | None] = relationship(foreign_keys="NaturalRef.name")


class ServicedRef(Columns, Base):
    __tablename__ = "natural_serviced_refs"


class Twice(Base):
    """One column, two foreign keys; and a reference that the model fills in."""

    __tablename__ = "natural_twices"

    code: Mapped[str] = mapped_column(
        ForeignKey("natural_persons.name", name="code_is_a_name"),
        ForeignKey("natural_persons.ssn", name="code_is_an_ssn"),
        index=True,
    )
    seal: Mapped[str | None] = mapped_column(ForeignKey("natural_persons.seal"), default="s1", index=True)


class Seat(Base):
    """Belongs to whoever takes it; the owner's column leads to a hidden one."""

    __tablename__ = "natural_seats"

    account: Mapped[UUID] = mapped_column(ForeignKey("natural_persons.account"), index=True)
    number: Mapped[int] = mapped_column(default=1)


class Refs(Service[ServicedRef]):
    async def create(self, draft: ServicedRef, actor: Actor) -> ServicedRef:
        return await super().create(draft, actor)

    async def update(self, row: ServicedRef, changes: Any, actor: Actor) -> ServicedRef:
        return await super().update(row, changes, actor)


@policy
def public(model: Any, actor: Actor) -> Any:
    """Shown where the row says so, and always to admins."""
    return True if "admin" in actor.roles else model.is_public


app = App(
    Resource(
        Person,
        read=anyone,
        fields={
            "ssn": Field(read=role("hr"), write=anyone),
            "badge": Field(read=owner("owner_id") | public, write=anyone),
            "seal": hidden,
            "account": hidden,
        },
    ),
    Resource(NaturalRef, read=anyone, write=anyone),
    Resource(ServicedRef, read=anyone, write=anyone, service=Refs),
    Resource(Twice, read=anyone, write=anyone),
    Resource(Seat, read=anyone, write=owner("account")),
)

IDENTITIES = ("anonymous", "stranger", "owner", "hr", "admin")
PATHS = ("/api/natural_refs", "/api/natural_serviced_refs")
TRUE = {"ssn": "123-45", "badge": "b1", "seal": "s1"}
SHOWN = {
    "ssn": {"hr"},
    "badge": {"owner", "admin"},
    "seal": set[str](),
}
"""Who is shown each key of the one person."""


@dataclass
class Office:
    """The running app: one person, of the owner's, and another whose badge everybody is shown."""

    clients: dict[str, Client]
    ids: dict[str, UUID]
    person: str


@pytest.fixture(scope="module")
def database_metadata() -> MetaData:
    """Databases here have the tables of the office."""
    return app.metadata


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def office(module_database_url: str) -> AsyncIterator[Office]:
    """The app with a client of every identity."""
    async with TestApp(app, module_database_url) as running:
        clients: dict[str, Client] = {"anonymous": running.anonymous}
        ids: dict[str, UUID] = {}
        for name in IDENTITIES[1:]:
            clients[name], ids[name] = await running.user_and_id(*([name] if name in ("hr", "admin") else []))
        async with app.transaction() as tx:
            person = Person(name="Ada", owner_id=ids["owner"], account=ids["owner"], **TRUE)
            tx.session.add_all([person, Person(name="Bob", badge="b2", is_public=True)])
        yield Office(clients, ids, str(person.id))


def facts(response: ClientResponse, value: str) -> tuple[int, bytes]:
    """The response without what names the request."""
    body = response.json()
    body.pop("request_id", None)
    body.pop("instance", None)
    return response.status, repr(body).replace(value, "...").encode()


async def row(office: Office, path: str, **values: Any) -> str:
    """The path of a new row, whatever the policies say."""
    async with app.transaction() as tx:
        made = (NaturalRef if path == PATHS[0] else ServicedRef)(**values)
        tx.session.add(made)
    return f"{path}/{made.id}"


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("name", TRUE)
@pytest.mark.parametrize("identity", IDENTITIES)
async def test_a_key_that_is_not_shown_gets_the_response_of_a_wrong_one(
    office: Office, identity: str, name: str, path: str
) -> None:
    client, right, wrong = office.clients[identity], TRUE[name], TRUE[name][:-1] + "9"
    there = await row(office, path)
    for method, target, status in (("POST", path, 201), ("PATCH", there, 200)):
        refused = await client.request(method, target, json={name: wrong})
        assert facts(refused, wrong)[0] == 422
        assert refused.json()["code"] == "reference_not_found"
        response = await client.request(method, target, json={name: right})
        if identity in SHOWN[name]:
            assert response.status == status
        else:
            assert facts(response, right) == facts(refused, wrong)


@pytest.mark.parametrize("path", PATHS)
async def test_a_key_that_a_rule_shows_on_one_row_names_that_row_alone(office: Office, path: str) -> None:
    client = office.clients["stranger"]
    assert (await client.post(path, json={"badge": "b2"})).status == 201
    assert (await client.post(path, json={"badge": "b1"})).status == 422
    there = await row(office, path)
    assert (await client.patch(there, json={"badge": "b1"})).status == 422
    assert (await client.patch(there, json={"badge": "b2"})).status == 200


@pytest.mark.parametrize("path", PATHS)
async def test_keys_that_are_shown_name_their_rows(office: Office, path: str) -> None:
    client = office.clients["anonymous"]
    assert (await client.post(path, json={"person_id": office.person, "name": "Ada"})).status == 201
    assert (await client.post(path, json={"name": "Nobody"})).json()["errors"][0]["pointer"] == "/name"


@pytest.mark.parametrize("path", PATHS)
async def test_every_reference_that_is_refused_is_named(office: Office, path: str) -> None:
    client = office.clients["anonymous"]
    for ssn in ("123-45", "123-49"):
        response = await client.post(path, json={"ssn": ssn, "name": "Nobody", "badge": "b2"})
        assert [error["pointer"] for error in response.json()["errors"]] == ["/name", "/ssn"]


@pytest.mark.parametrize("path", PATHS)
async def test_a_hidden_key_that_the_row_shows_already_may_be_sent_back(office: Office, path: str) -> None:
    client = office.clients["anonymous"]
    there = await row(office, path, ssn="123-45")
    assert (await client.patch(there, json={"ssn": "123-45", "text": "new"})).status == 200
    assert (await client.patch(there, json={"ssn": "123-49"})).status == 422


async def test_an_owners_column_that_is_filled_may_lead_to_a_hidden_key(office: Office) -> None:
    assert (await office.clients["owner"].post("/api/natural_seats", json={})).status == 201
    there = f"/api/natural_seats/{(await office.clients['owner'].get('/api/natural_seats')).data[0]['id']}"
    assert (await office.clients["owner"].patch(there, json={"number": 2})).status == 200
    taken = await office.clients["stranger"].post("/api/natural_seats", json={"account": str(office.ids["owner"])})
    assert taken.status == 403


async def test_every_foreign_key_of_a_column_is_held_to_what_is_shown(office: Office) -> None:
    async with app.transaction() as tx:
        tx.session.add(Person(name="both", ssn="both"))
    anonymous, hr = office.clients["anonymous"], office.clients["hr"]
    refused = await anonymous.post("/api/natural_twices", json={"code": "both"})
    assert [error["pointer"] for error in refused.json()["errors"]] == ["/code"]
    assert facts(refused, "both") == facts(await anonymous.post("/api/natural_twices", json={"code": "Bob"}), "Bob")
    assert (await hr.post("/api/natural_twices", json={"code": "both"})).status == 201
    assert (await hr.post("/api/natural_twices", json={"code": "Bob"})).status == 422


async def test_no_relation_over_a_hidden_key_is_filtered_or_expanded(office: Office) -> None:
    for identity, relation, status in (
        ("anonymous", "by_ssn", 400),
        ("stranger", "by_badge", 400),
        ("owner", "by_badge", 400),
        ("hr", "by_ssn", 200),
        ("admin", "by_badge", 400),
        ("anonymous", "by_name", 200),
    ):
        client = office.clients[identity]
        for query in (f"expand={relation}", f"{relation}.id={office.person}"):
            assert (await client.get(f"/api/natural_refs?{query}")).status == status, (identity, query)


async def test_only_references_to_keys_that_are_not_shown_to_all_are_looked_up(
    office: Office, fetched: list[tuple[str, list[Any]]]
) -> None:
    for client in ("anonymous", "hr"):
        assert (await office.clients[client].post("/api/natural_refs", json={"person_id": office.person})).status == 201
    assert not fetched
    assert (await office.clients["hr"].post("/api/natural_refs", json={"ssn": "123-45"})).status == 201
    assert not fetched
    assert (await office.clients["owner"].post("/api/natural_refs", json={"badge": "b1"})).status == 201
    assert any("FROM natural_persons" in sql for sql, _ in fetched)
