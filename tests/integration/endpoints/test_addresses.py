"""Own endpoints of resources whose rows have paths of their own: by another column, and below another row."""

from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import pytest
import pytest_asyncio
from sqlalchemy import ForeignKey, MetaData
from sqlalchemy.orm import Mapped, mapped_column

from gatepost import Actor, App, Controller, Created, Model, Resource, Service, anyone, get, post
from gatepost.testing import TestApp

pytestmark = pytest.mark.asyncio(loop_scope="module")


class AddressedPage(Model):
    __tablename__ = "address_leaflets"

    slug: Mapped[str] = mapped_column(unique=True)


class PageRemark(Model):
    __tablename__ = "address_remarks"

    leaflet_id: Mapped[UUID] = mapped_column(ForeignKey("address_leaflets.id"), index=True)


class LeafletRoutes(Controller[AddressedPage]):
    @get("/{leaflet}/again", allow=anyone)
    async def again(self, leaflet: AddressedPage) -> AddressedPage:
        return leaflet

    @post("/copies/{slug}", allow=anyone)
    async def copy(self, slug: str, leaflets: Service[AddressedPage], actor: Actor) -> Created[AddressedPage]:
        return Created(await leaflets.create(AddressedPage(slug=slug), actor))

    @post("/{leaflet}/remarks-of", allow=anyone)
    async def remark(self, leaflet: AddressedPage, remarks: Service[PageRemark], actor: Actor) -> Created[PageRemark]:
        return Created(await remarks.create(PageRemark(leaflet_id=leaflet.id), actor))


app = App(
    Resource(
        AddressedPage, path="leaflets", read=anyone, write=anyone, key=AddressedPage.slug, controller=LeafletRoutes
    ),
    Resource(PageRemark, path="remarks", read=anyone, write=anyone, under="leaflets/{leaflet:slug}"),
)


@pytest.fixture(scope="module")
def database_metadata() -> MetaData:
    """Databases here have these tables."""
    return app.metadata


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def client(module_database_url: str) -> AsyncIterator[Any]:
    """The app, started on an empty database."""
    async with TestApp(app, module_database_url) as started:
        yield started.anonymous


async def test_a_row_is_named_by_the_key_of_its_resource(client: Any) -> None:
    created = await client.post("/api/leaflets/copies/a-b")
    again = await client.get("/api/leaflets/a-b/again")

    assert (created.status, created.headers["location"]) == (201, "/api/leaflets/a-b")
    assert again.data == created.data
    assert (await client.get(created.headers["location"])).data == created.data
    assert (await client.get(f"/api/leaflets/{created.data['id']}/again")).status == 404


async def test_a_row_below_another_is_created_without_a_location(client: Any) -> None:
    await client.post("/api/leaflets/copies/c")

    created = await client.post("/api/leaflets/c/remarks-of")

    assert created.status == 201
    assert "location" not in created.headers
