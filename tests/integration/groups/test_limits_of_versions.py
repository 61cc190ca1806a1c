"""A version is no way around a limit: a resource of a group without limits of its own takes from the app's buckets."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from sqlalchemy import MetaData
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from gatepost import App, Controller, Group, RateLimit, Resource, anyone, get, hours
from gatepost.testing import TestApp

pytestmark = pytest.mark.asyncio(loop_scope="module")


class Base(DeclarativeBase):
    """The base of these models."""


class Ticket(Base):
    """What is limited."""

    __tablename__ = "group_tickets"

    id: Mapped[int] = mapped_column(primary_key=True)


class Counter(Controller[Ticket]):
    """Shares the limit of its resource."""

    @get("/counted", allow=anyone)
    async def counted(self) -> list[int]:
        """Nothing."""
        return []


class Desk(Controller):
    """Has a limit of its own."""

    path = "desk"

    @get("/asked", allow=anyone, rate_limit=RateLimit(2, per=hours(1)))
    async def asked(self) -> list[int]:
        """Nothing."""
        return []


class Desk2(Desk):
    """The same elsewhere."""

    path = "second-desk"


app = App(
    Resource(Ticket, read=anyone, rate_limit=RateLimit(3, per=hours(1))),
    Group("/v2", Resource(Ticket, read=anyone, controller=Counter), controllers=[Desk2]),
    Group("/v3", Resource(Ticket, read=anyone, rate_limit=RateLimit(2, per=hours(1)))),
    controllers=[Desk],
)


@pytest.fixture(scope="module")
def database_metadata() -> MetaData:
    """Databases here have the table of the tickets."""
    return app.metadata


@pytest_asyncio.fixture(loop_scope="module")
async def counted(module_database_url: str) -> AsyncIterator[TestApp]:
    """The app with the limits as they are declared."""
    async with TestApp(app, module_database_url, GATEPOST_LIMIT_FACTOR="1") as running:
        yield running


async def test_versions_share_the_buckets_of_the_app(counted: TestApp) -> None:
    client = counted.anonymous
    paths = ("/api/group_tickets", "/api/v2/group_tickets", "/api/v2/group_tickets/counted", "/api/group_tickets")
    assert [(await client.get(path)).status for path in paths] == [200, 200, 200, 429]
    assert (await client.get("/api/v2/group_tickets")).status == 429


async def test_limits_of_a_groups_own_are_counted_by_themselves(counted: TestApp) -> None:
    client = counted.anonymous
    assert [(await client.get("/api/v3/group_tickets")).status for _ in range(3)] == [200, 200, 429]
    assert (await client.get("/api/group_tickets")).status == 200


async def test_an_endpoint_in_several_versions_has_one_limit(counted: TestApp) -> None:
    client = counted.anonymous
    paths = ("/api/desk/asked", "/api/v2/second-desk/asked", "/api/desk/asked", "/api/v2/second-desk/asked")
    assert [(await client.get(path)).status for path in paths] == [200, 200, 429, 429]
