"""Users of a version: what registers one in a call of a group goes through the group's service and policies."""

from collections.abc import AsyncIterator
from typing import Annotated

import msgspec
import pytest
import pytest_asyncio
from annotated_types import Len
from sqlalchemy import MetaData
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from gatepost import (
    DTO,
    Accounts,
    Actor,
    App,
    CamelCase,
    Controller,
    Created,
    Field,
    Group,
    Resource,
    Service,
    UserColumns,
    anyone,
    hidden,
    nobody,
    owner,
    post,
)
from gatepost.testing import TestApp

pytestmark = pytest.mark.asyncio(loop_scope="module")

PASSWORD = "long enough to use"


class Base(DeclarativeBase):
    """The base of this model."""


class Guest(Base, UserColumns):
    """Those who sign in."""

    __tablename__ = "group_guests"

    id: Mapped[int] = mapped_column(primary_key=True)
    full_name: Mapped[Annotated[str, Len(1, 40)]] = mapped_column(default="")
    greeting: Mapped[str] = mapped_column(default="")


class Guests(Service[Guest]):
    """Of the app."""

    async def before_create(self, draft: Guest, actor: Actor) -> None:
        draft.greeting = "welcome"


class NewGuests(Guests):
    """Of `/v2`."""

    async def before_create(self, draft: Guest, actor: Actor) -> None:
        await super().before_create(draft, actor)
        draft.greeting += " to the second version"


class GuestCard(DTO[Guest]):
    """A guest with the greeting."""

    email: str
    greeting: str


class Registration(msgspec.Struct, frozen=True):
    """Who wants to be a guest."""

    email: str
    password: str
    full_name: str


class Register(Controller):
    """Of every version."""

    path = "registrations"

    @post("/new", allow=anyone, auth=True)
    async def register(self, body: Registration, accounts: Accounts) -> Created[Guest]:
        """Register a guest."""
        return Created(await accounts.register(Guest(email=body.email, full_name=body.full_name), body.password))


app = App(
    Resource(Guest, read=owner("id"), path="guests", service=Guests, fields={"greeting": hidden}),
    Group(
        "/v2",
        Resource(
            Guest,
            read=owner("id"),
            path="guests",
            service=NewGuests,
            answers=GuestCard,
            fields={"greeting": Field()},
        ),
        controllers=[Register],
        dialect=CamelCase(),
    ),
    Group("/v3", Resource(Guest, read=nobody), controllers=[Register]),
    controllers=[Register],
    users=Guest,
)


@pytest.fixture(scope="module")
def database_metadata() -> MetaData:
    """Databases here have the table of the guests."""
    return app.metadata


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def running(module_database_url: str) -> AsyncIterator[TestApp]:
    """The running app."""
    async with TestApp(app, module_database_url) as found:
        yield found


async def test_a_new_user_is_made_and_shown_as_the_version_does(running: TestApp) -> None:
    client = running.anonymous
    first, second, third = [
        await client.post(
            f"/api{version}/registrations/new",
            json={"email": f"{number}@example.com", "password": PASSWORD, name: "Ada"},
        )
        for number, (version, name) in enumerate((("", "full_name"), ("/v2", "fullName"), ("/v3", "full_name")))
    ]
    assert (first.status, first.data["full_name"], "greeting" in first.data) == (201, "Ada", False)
    assert second.data == {"email": "1@example.com", "greeting": "welcome to the second version"}
    assert second.headers["location"].startswith("/api/v2/guests/")
    assert (third.status, third.body) == (201, b"")
    assert "location" not in third.headers


async def test_a_taken_address_is_refused_in_the_words_of_the_version(running: TestApp) -> None:
    body = {"email": "taken@example.com", "password": PASSWORD}
    client = running.anonymous
    assert (await client.post("/api/registrations/new", json={**body, "full_name": "Ada"})).status == 201
    refused = await client.post("/api/v2/registrations/new", json={**body, "fullName": "Eve"})
    assert (refused.status, refused.json()["code"]) == (409, "already_exists")
