"""The database goes away under load, and comes back: 503s, then responses, and no order is lost or made twice."""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from examples.bookshop.app import app
from shop import Shop, open_shop

from gatepost.embedded.postgresql import EmbeddedPostgreSQL
from gatepost.events import DatabaseLost, DatabaseRestored
from gatepost.testing import ClientResponse, TestApp

STOCK = 1_000_000
emitted: list[str] = []
app.events.subscribe(DatabaseLost, lambda event: emitted.append("lost"))
app.events.subscribe(DatabaseRestored, lambda event: emitted.append("restored"))


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A server's folder, which the first test migrates for all."""
    return tmp_path_factory.mktemp("outage") / "data"


@pytest.fixture
def server(data: Path) -> Iterator[EmbeddedPostgreSQL]:
    """A server of this module, durable as in production: it is stopped and killed."""
    with EmbeddedPostgreSQL(data, settings={"shared_buffers": "16MB"}) as running:
        yield running


class Load:
    """Customers who read and order all the time, and every response they got."""

    def __init__(self, shop: Shop) -> None:
        self.shop = shop
        self.responses: list[tuple[str, ClientResponse]] = []
        self._going = True

    async def buy(self) -> None:
        """Order copy after copy."""
        while self._going:
            self.responses.append(("order", await self.shop.order()))
            await asyncio.sleep(0.002)

    async def read(self) -> None:
        """Look at the book again and again."""
        while self._going:
            response = await self.shop.customer.get(f"/api/books/{self.shop.book}")
            self.responses.append(("read", response))
            await asyncio.sleep(0.002)

    async def until(self, happened: Callable[[list[tuple[str, ClientResponse]]], bool]) -> None:
        """Wait until the responses from now on show it."""
        first = len(self.responses)
        async with asyncio.timeout(60):
            while not happened(self.responses[first:]):  # noqa: ASYNC110 - an outage sets no event
                await asyncio.sleep(0.01)

    def stop(self) -> None:
        """Let everybody finish what they are at."""
        self._going = False


def both_succeed(responses: list[tuple[str, ClientResponse]]) -> bool:
    """Whether reads and orders are served."""
    return {(kind, response.status) for kind, response in responses} >= {("order", 201), ("read", 200)}


def refused(responses: list[tuple[str, ClientResponse]]) -> bool:
    """Whether a good many were refused."""
    return sum(response.status == 503 for _, response in responses) >= 20


@pytest.mark.parametrize("end", [EmbeddedPostgreSQL.stop, EmbeddedPostgreSQL.kill], ids=["stopped", "killed"])
async def test_an_outage_under_load_loses_and_doubles_no_order(
    server: EmbeddedPostgreSQL, end: Callable[[EmbeddedPostgreSQL], None]
) -> None:
    emitted.clear()
    async with TestApp(app, server.dsn("gatepost")) as running:
        shop = await open_shop(running, STOCK)
        load = Load(shop)
        async with asyncio.TaskGroup() as crowd:
            for _ in range(8):
                crowd.create_task(load.buy())
                crowd.create_task(load.read())
            await load.until(both_succeed)
            await asyncio.to_thread(end, server)
            await load.until(refused)
            await asyncio.to_thread(server.start)
            await load.until(both_succeed)
            load.stop()

        statuses = Counter(response.status for _, response in load.responses)
        assert set(statuses) == {200, 201, 503}
        for _, response in load.responses:
            if response.status == 503:
                code = response.json()["code"]
                assert code in ("database_unavailable", "database_busy", "outcome_unknown")
                assert ("retry-after" in response.headers) == (code != "outcome_unknown")
        kept = await shop.orders()
        confirmed = [
            response.data["id"] for kind, response in load.responses if kind == "order" and response.status == 201
        ]
        assert len(confirmed) == len(set(confirmed))
        assert set(confirmed) <= set(kept)
        assert STOCK - await shop.stock() == sum(kept.values())
        assert emitted == ["lost", "restored"]
