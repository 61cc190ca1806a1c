"""A foreign key of several columns names a row that the actor may read: no response shows that a hidden one exists."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import pytest
import pytest_asyncio
from sqlalchemy import ForeignKey, ForeignKeyConstraint, MetaData, UniqueConstraint, delete, text
from sqlalchemy.orm import Mapped, mapped_column

from gatepost import Actor, App, Field, Model, Resource, Service, anyone, hidden, policy, role
from gatepost.models.base import NAMING
from gatepost.testing import Client, ClientResponse, TestApp

pytestmark = pytest.mark.asyncio(loop_scope="module")


class Base(Model):
    """Tables of this app alone: a database for it has no others."""

    __abstract__ = True
    metadata = MetaData(naming_convention=NAMING)


class Site(Base):
    """A place of a tenant's; some are hidden."""

    __tablename__ = "composite_sites"
    __table_args__ = (UniqueConstraint("tenant", "code"), UniqueConstraint("tenant", "pin"))

    tenant: Mapped[str]
    code: Mapped[str]
    pin: Mapped[str | None]
    is_public: Mapped[bool]


class Plain(Base):
    __tablename__ = "composite_plains"

    name: Mapped[str] = mapped_column(unique=True)


class Columns:
    """Three references that share a column, and two of one column."""

    tenant: Mapped[str | None]
    code: Mapped[str | None]
    other: Mapped[str | None]
    pin: Mapped[str | None]
    note: Mapped[str | None] = mapped_column(unique=True)
    plain: Mapped[str | None] = mapped_column(ForeignKey("composite_plains.name"))
    site_id: Mapped[UUID | None] = mapped_column(ForeignKey("composite_sites.id"))


def keys(initially: str | None = None) -> tuple[ForeignKeyConstraint, ...]:
    """Foreign keys of two columns."""
    return tuple(
        ForeignKeyConstraint(
            ["tenant", name],
            ["composite_sites.tenant", f"composite_sites.{to}"],
            deferrable=initially is not None,
            initially=initially,
        )
        for name, to in (("code", "code"), ("other", "code"), ("pin", "pin"))
    )


class Visit(Columns, Base):
    __tablename__ = "composite_visits"
    __table_args__ = keys()


class Deferred(Columns, Base):
    __tablename__ = "composite_deferreds"
    __table_args__ = keys("DEFERRED")


class Serviced(Columns, Base):
    __tablename__ = "composite_serviceds"
    __table_args__ = keys()


class Filled(Base):
    """Its tenant is never sent: the database fills it."""

    __tablename__ = "composite_filleds"
    __table_args__ = (ForeignKeyConstraint(["tenant", "code"], ["composite_sites.tenant", "composite_sites.code"]),)

    tenant: Mapped[str] = mapped_column(server_default=text("'red'"))
    code: Mapped[str]


class Visits(Service[Serviced]):
    async def before_create(self, draft: Serviced, actor: Actor) -> None: ...

    async def before_update(self, row: Serviced, changes: Any, actor: Actor) -> None: ...


@policy
def public(model: Any, actor: Actor) -> Any:
    return True if "boss" in actor.roles else model.is_public


app = App(
    Resource(Site, read=public, fields={"pin": Field(read=role("boss"), write=role("boss"))}),
    Resource(Plain, read=anyone),
    *(
        Resource(model, read=anyone, write=anyone, service=service)
        for model, service in ((Visit, None), (Deferred, None), (Serviced, Visits))
    ),
    Resource(Filled, read=anyone, write=anyone, fields={"tenant": hidden}),
)

MODELS = (Visit, Deferred, Serviced)


@dataclass
class Map:
    """The running app; sites red/1 and blue/2 are public, and red/2 may be there, hidden."""

    anonymous: Client
    boss: Client

    async def hide(self, is_there: bool) -> None:
        """Put the hidden site there, with a pin, or take everything of it away."""
        async with app.transaction() as tx:
            for model in (*MODELS, Filled, Site, Plain):
                await tx.session.execute(delete(model))
            tx.session.add_all(
                [
                    Site(tenant="red", code="1", is_public=True, pin="7" if is_there else None),
                    Site(tenant="blue", code="2", is_public=True),
                    Plain(name="there"),
                ]
            )
            if is_there:
                tx.session.add(Site(tenant="red", code="2", is_public=False, pin="8"))
            await tx.session.flush()
            for model in MODELS:
                tx.session.add(model(tenant="red", code="1", note="taken"))
            tx.session.add(Filled(tenant="red", code="1"))


@pytest.fixture(scope="module")
def database_metadata() -> MetaData:
    """Databases here have the tables of this app."""
    return app.metadata


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def sites(module_database_url: str) -> AsyncIterator[Map]:
    """The app, and two who ask."""
    async with TestApp(app, module_database_url) as running:
        yield Map(running.anonymous, await running.user("boss"))


def facts(response: ClientResponse) -> tuple[int, Any]:
    """The response without what names request and row."""
    body = response.json()
    body.pop("request_id", None)
    if "data" in body:
        body["data"].pop("id")
    return response.status, body


REFUSED: list[dict[str, Any]] = [
    {"tenant": "red", "code": "2"},
    {"tenant": "red", "code": "1", "other": "2"},
    {"tenant": "red", "code": "2", "other": "1"},
    {"tenant": "red", "code": "2", "other": "9"},
    {"tenant": "red", "pin": "8"},
    {"tenant": "red", "code": "1", "pin": "7"},
    {"tenant": "red", "code": "2", "note": "taken"},
    {"tenant": "red", "code": "2", "plain": "absent"},
    {"tenant": "red", "code": "2", "site_id": "00000000-0000-7000-8000-000000000000"},
]
ACCEPTED: list[dict[str, Any]] = [
    {"tenant": "red", "code": "1", "other": "1", "plain": "there"},
    {"tenant": "blue", "code": "2"},
    {"tenant": "red"},
    {"code": "2", "pin": "8"},
]


@pytest.mark.parametrize("model", MODELS)
async def test_values_that_a_hidden_row_has_together_get_the_response_of_absent_ones(
    sites: Map, model: type[Columns]
) -> None:
    path = f"/api/{model.__tablename__}"  # type: ignore[attr-defined]
    found: list[list[Any]] = []
    for is_there in (False, True):
        await sites.hide(is_there)
        row = f"{path}/{(await sites.anonymous.get(path)).data[0]['id']}"
        responses = [await sites.anonymous.post(path, json=body) for body in REFUSED]
        responses += [await sites.anonymous.patch(row, json=body) for body in (*REFUSED, {"code": "2"}, {"pin": "7"})]
        assert {response.status for response in responses} <= {409, 422}
        found.append([facts(response) for response in responses])
    assert found[0] == found[1]


@pytest.mark.parametrize("model", MODELS)
async def test_values_that_a_row_shows_together_are_accepted(sites: Map, model: type[Columns]) -> None:
    path = f"/api/{model.__tablename__}"  # type: ignore[attr-defined]
    await sites.hide(True)
    for body in ACCEPTED:
        assert (await sites.anonymous.post(path, json=body)).status == 201
    for body in (REFUSED[0], REFUSED[4]):
        assert (await sites.boss.post(path, json=body)).status == 201


@pytest.mark.parametrize("model", MODELS)
async def test_a_reference_to_a_hidden_row_that_the_row_shows_may_be_sent_back(
    sites: Map, model: type[Columns]
) -> None:
    path = f"/api/{model.__tablename__}"  # type: ignore[attr-defined]
    await sites.hide(True)
    made = (await sites.boss.post(path, json={"tenant": "red", "code": "2"})).data
    response = await sites.anonymous.patch(f"{path}/{made['id']}", json={"tenant": "red", "code": "2", "note": "new"})
    assert response.status == 200
    assert (await sites.anonymous.patch(f"{path}/{made['id']}", json={"other": "2"})).status == 422


async def test_columns_that_the_database_fills_count_with_what_they_have(sites: Map) -> None:
    path = "/api/composite_filleds"
    found: list[list[Any]] = []
    for is_there in (False, True):
        await sites.hide(is_there)
        row = f"{path}/{(await sites.anonymous.get(path)).data[0]['id']}"
        assert (await sites.anonymous.post(path, json={"code": "1"})).status == 201
        responses = [
            await sites.anonymous.post(path, json={"code": "2"}),
            await sites.anonymous.patch(row, json={"code": "2"}),
        ]
        assert [response.status for response in responses] == [422, 422]
        found.append([facts(response) for response in responses])
    assert found[0] == found[1]
