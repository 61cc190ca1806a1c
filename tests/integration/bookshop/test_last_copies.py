"""Many customers, few copies."""

import asyncio
from collections import Counter

from examples.bookshop.app import app
from shop import open_shop

from gatepost.testing import TestApp


async def test_of_100_concurrent_orders_for_the_last_10_copies_exactly_10_succeed(database_url: str) -> None:
    async with TestApp(app, database_url, GATEPOST_DATABASE_POOL_WAIT_SECONDS="20") as running:
        shop = await open_shop(running, stock=10)
        responses = await asyncio.gather(*(shop.order() for _ in range(100)))
        assert Counter(response.status for response in responses) == {201: 10, 409: 90}
        assert {response.json()["code"] for response in responses if response.status == 409} == {"out_of_stock"}
        assert await shop.stock() == 0
        assert len(await shop.orders()) == 10
