"""DTOs over a composite key, on the resource of a subclass, and beside a service that overrides all verbs."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import pytest
import pytest_asyncio
from berths_app import Berth, Craft, Quay, Tug, app
from sqlalchemy import MetaData

from gatepost.testing import Client, TestApp

pytestmark = pytest.mark.asyncio(loop_scope="module")


@dataclass
class Harbour:
    """The running app: a harbour master, who sees all, and a stranger."""

    master: Client
    stranger: Client


@pytest.fixture(scope="module")
def database_metadata() -> MetaData:
    """Databases here have the tables of the harbour."""
    return app.metadata


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def harbour(module_database_url: str) -> AsyncIterator[Harbour]:
    """The app with two quays of three places, and three crafts."""
    async with TestApp(app, module_database_url) as running:
        async with app.transaction() as tx:
            for name in ("North", "South"):
                tx.session.add(Quay(name=name))
                await tx.session.flush()
            tx.session.add_all([Berth(quay_id=q, number=n, cost=q * 10 + n) for q in (1, 2) for n in (1, 2, 3)])
            tx.session.add_all(
                [
                    Craft(id=1, name="Ada", owned_by="Ann"),
                    Tug(id=2, name="Bo", owned_by="Bob", pull=9),
                    Tug(id=3, name="sunk", owned_by="Eve"),
                ]
            )
        yield Harbour(await running.user("master"), running.anonymous)


def berth(quay: int, number: int, *, by_master: bool) -> dict[str, Any]:
    """How a place is shown."""
    cost = quay * 10 + number
    prices = {"cost": cost, "double": cost * 2} if by_master else {}
    return {"number": number, "quay": {"name": {1: "North", 2: "South"}[quay]}, **prices}


@pytest.mark.parametrize("who", ["master", "stranger"])
async def test_a_row_with_a_composite_key_is_shown_as_its_dto(harbour: Harbour, who: str) -> None:
    client: Client = getattr(harbour, who)
    assert (await client.get("/api/berths/2,3")).data == berth(2, 3, by_master=who == "master")
    seen: list[Any] = []
    path: str | None = "/api/berths?limit=4"
    while path is not None:
        page = (await client.get(path)).json()
        seen += page["data"]
        path = page["page"]["next"] and f"/api/berths?limit=4&after={page['page']['next']}"
    assert seen == [berth(quay, number, by_master=who == "master") for quay in (1, 2) for number in (1, 2, 3)]


@pytest.mark.parametrize("who", ["master", "stranger"])
async def test_rows_with_a_composite_key_stand_in_a_dto_of_the_other_side(harbour: Harbour, who: str) -> None:
    shown = (await getattr(harbour, who).get("/api/quays/1")).data
    berths = [berth(1, number, by_master=who == "master") for number in (1, 2)]
    assert shown == {"name": "North", "berth_count": 3, "berths": berths}


async def test_a_dto_of_the_base_shows_rows_of_a_subclass_under_the_rules_of_its_resource(harbour: Harbour) -> None:
    whole = {"name": "Bo", "owned_by": "Bob", "label": "Bo of Bob"}
    assert (await harbour.master.get("/api/tugs/2")).data == whole
    assert (await harbour.stranger.get("/api/tugs/2")).data == {"name": "Bo"}
    assert (await harbour.stranger.get("/api/tugs")).data == [{"name": "Bo"}]
    assert (await harbour.stranger.get("/api/tugs/3")).status == 404


async def test_a_dto_of_the_base_shows_a_row_of_a_subclass_in_its_own_list_no_more_than_there(
    harbour: Harbour,
) -> None:
    ada = {"name": "Ada", "owned_by": "Ann", "label": "Ada of Ann"}
    assert (await harbour.stranger.get("/api/crafts")).data == [ada, {"name": "Bo"}]
    assert (await harbour.master.get("/api/crafts")).data == [
        ada,
        {"name": "Bo", "owned_by": "Bob", "label": "Bo of Bob"},
    ]
    assert (await harbour.stranger.get("/api/crafts/3")).status == 404


async def test_what_an_overriding_service_reads_and_writes_is_shown_as_the_dto(harbour: Harbour) -> None:
    empty = {"berth_count": 0, "berths": []}
    made = await harbour.master.post("/api/quays", json={"name": " West "})
    path = made.headers["location"]
    assert (made.status, made.data) == (201, {"name": "West", **empty})
    changed = await harbour.master.patch(path, json={"name": "East"})
    assert (changed.status, changed.data) == (200, {"name": "East", **empty})
    listed = (await harbour.stranger.get("/api/quays")).data
    assert listed[2:] == [{"name": "East", **empty}]
    assert (await harbour.stranger.get(f"{path}?fields=name")).data == {"name": "East"}
    assert (await harbour.master.delete(path)).status == 204
