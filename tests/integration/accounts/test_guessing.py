"""How often somebody may try to sign in: by address, by account and by device, with the gate as in production."""

import asyncio
import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from sqlalchemy import MetaData, delete

from gatepost import App
from gatepost.accounts import passwords
from gatepost.asgi import Receive, Scope, Send
from gatepost.device_cookies import LIFETIME_SECONDS
from gatepost.testing import Client, TestApp
from gatepost.testing.client import ClientResponse

PASSWORD = "correct horse battery"
WRONG = "wrong horse battery"
ADA, BOB = "ada@example.com", "bob@example.com"


class Shop:
    """An app with two users, and people who sign in to it."""

    def __init__(self, running: TestApp) -> None:
        self.running = running
        self._addresses = (f"198.51.{number // 250}.{number % 250}" for number in itertools.count())

    def elsewhere(self) -> str:
        """An address that nobody has called from yet."""
        return next(self._addresses)

    async def sign_in(
        self, email: str, password: str, *, address: str = "192.0.2.1", cookie: str | None = None
    ) -> ClientResponse:
        client = Client(self.running.app, address=address)
        headers = {"cookie": cookie} if cookie is not None else {}
        return await client.post("/api/auth/login", json={"email": email, "password": password}, headers=headers)

    async def statuses(self, count: int, email: str, password: str, **options: Any) -> list[int]:
        return [(await self.sign_in(email, password, **options)).status for _ in range(count)]

    async def device(self, email: str) -> str:
        """The cookie of a device that has signed in, from an address of its own."""
        response = await self.sign_in(email, PASSWORD, address=self.elsewhere())
        assert response.status == 200
        return response.headers["set-cookie"].partition(";")[0]


async def silent(scope: Scope, receive: Receive, send: Send) -> None:
    """An application that nobody asks."""


app = App(mount={"/old": silent})


@pytest.fixture(scope="module")
def database_metadata() -> MetaData:
    """Databases here have the users' table."""
    return app.metadata


@pytest.fixture(autouse=True)
def quick_hashes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Attempts are counted here, and what each costs is not looked at: argon2 with the least that it accepts."""
    monkeypatch.setattr(passwords, "MEMORY_KIB", 8)
    monkeypatch.setattr(passwords, "PASSES", 1)


@asynccontextmanager
async def shop_of(url: str, **settings: str) -> AsyncIterator[Shop]:
    """The app, started with full buckets, and nobody but two users."""
    async with TestApp(app, url, GATEPOST_LIMIT_FACTOR="1", **settings) as running:
        async with app.transaction() as tx:
            await tx.session.execute(delete(app.user_model))
        for email in (ADA, BOB):
            await running.user(email=email, password=PASSWORD)
        yield Shop(running)


@pytest.fixture
async def shop(module_database_url: str) -> AsyncIterator[Shop]:
    async with shop_of(module_database_url) as made:
        yield made


async def test_one_address_has_five_attempts_whatever_the_accounts(shop: Shop) -> None:
    for number in range(5):
        assert (await shop.sign_in(f"nobody-{number}@example.com", WRONG)).status == 401
    refused = await shop.sign_in(ADA, PASSWORD)
    assert (refused.status, refused.json()["code"]) == (429, "too_many_requests")
    assert 170 <= int(refused.headers["retry-after"]) <= 180
    assert refused.headers["ratelimit"].startswith('"auth";r=0;')
    assert (await shop.sign_in(ADA, PASSWORD, address=shop.elsewhere())).status == 200


async def test_one_account_has_five_attempts_whatever_the_addresses(shop: Shop) -> None:
    for _ in range(5):
        assert (await shop.sign_in(ADA, WRONG, address=shop.elsewhere())).status == 401
    for email in (ADA, "ADA@Example.com"):
        refused = await shop.sign_in(email, PASSWORD, address=shop.elsewhere())
        assert refused.status == 429
        assert refused.headers["ratelimit"].startswith('"auth-account";r=0;')
    assert (await shop.sign_in(BOB, PASSWORD, address=shop.elsewhere())).status == 200


async def test_an_account_that_does_not_exist_is_limited_like_one_that_does(shop: Shop) -> None:
    statuses = [(await shop.sign_in("nobody@example.com", WRONG, address=shop.elsewhere())).status for _ in range(7)]
    assert statuses == [401] * 5 + [429] * 2


async def test_a_refusal_for_the_account_gives_the_address_its_token_back(shop: Shop) -> None:
    for _ in range(5):
        await shop.sign_in(ADA, WRONG, address=shop.elsewhere())
    assert await shop.statuses(20, ADA, PASSWORD) == [429] * 20
    assert await shop.statuses(6, "nobody@example.com", WRONG) == [401] * 5 + [429]


async def test_what_is_bounded_are_failures(shop: Shop) -> None:
    assert await shop.statuses(12, ADA, PASSWORD) == [200] * 12
    assert await shop.statuses(4, ADA, WRONG) == [401] * 4
    assert await shop.statuses(8, ADA, PASSWORD) == [200] * 8
    assert await shop.statuses(2, ADA, WRONG) == [401, 429]


async def test_or_all_attempts_where_the_settings_say_so(module_database_url: str) -> None:
    async with shop_of(module_database_url, GATEPOST_LIMIT_AUTH_COUNTS="all") as shop:
        assert await shop.statuses(7, ADA, PASSWORD) == [200] * 5 + [429] * 2


async def test_many_attempts_at_once_are_no_way_around(shop: Shop) -> None:
    responses = await asyncio.gather(*(shop.sign_in(ADA, WRONG, address=shop.elsewhere()) for _ in range(40)))
    assert sorted(response.status for response in responses) == [401] * 5 + [429] * 35


async def test_a_body_that_is_no_attempt_counts_for_the_address_alone(shop: Shop) -> None:
    client = Client(shop.running.app, address="192.0.2.1")
    for _ in range(5):
        assert (await client.post("/api/auth/login", json={"email": ADA})).status == 422
    assert (await client.post("/api/auth/login", json={"email": ADA})).status == 429
    assert (await shop.sign_in(ADA, WRONG, address=shop.elsewhere())).status == 401


async def test_nobody_can_lock_an_owner_out_from_elsewhere(shop: Shop) -> None:
    cookie = await shop.device(ADA)
    for _ in range(10):
        await shop.sign_in(ADA, WRONG, address=shop.elsewhere())
    assert (await shop.sign_in(ADA, PASSWORD, address=shop.elsewhere())).status == 429
    assert (await shop.sign_in(ADA, PASSWORD, address=shop.elsewhere(), cookie=cookie)).status == 200


async def test_nor_from_behind_the_same_address(shop: Shop) -> None:
    cookie = await shop.device(ADA)
    await shop.statuses(10, "nobody@example.com", WRONG)
    assert (await shop.sign_in(ADA, PASSWORD)).status == 429
    response = await shop.sign_in(ADA, PASSWORD, cookie=cookie)
    assert response.status == 200
    assert response.headers["ratelimit-policy"] == '"auth-device";q=5;w=900'


async def test_a_known_device_has_five_attempts_too(shop: Shop) -> None:
    cookie = await shop.device(ADA)
    statuses = [(await shop.sign_in(ADA, WRONG, address=shop.elsewhere(), cookie=cookie)).status for _ in range(7)]
    assert statuses == [401] * 5 + [429] * 2


async def test_a_device_of_one_account_is_a_stranger_to_all_others(shop: Shop) -> None:
    """Else whoever has an account of his own could make devices at will, and try others' accounts from them."""
    for _ in range(5):
        response = await shop.sign_in(ADA, WRONG, cookie=await shop.device(BOB))
        assert response.status == 401
    refused = await shop.sign_in("nobody@example.com", WRONG, cookie=await shop.device(BOB))
    assert (refused.status, refused.headers["ratelimit"].split(";")[0]) == (429, '"auth"')
    refused = await shop.sign_in(ADA, PASSWORD, address=shop.elsewhere(), cookie=await shop.device(BOB))
    assert (refused.status, refused.headers["ratelimit"].split(";")[0]) == (429, '"auth-account"')


async def test_the_cookie_is_for_every_path_that_may_sign_in_and_tells_nothing(shop: Shop) -> None:
    response = await shop.sign_in(ADA, PASSWORD)
    value, *attributes = response.headers["set-cookie"].split("; ")
    assert attributes == ["Path=/", f"Max-Age={LIFETIME_SECONDS}", "SameSite=Strict", "HttpOnly"]
    assert "ada" not in value
    failed = await shop.sign_in(ADA, WRONG)
    assert "set-cookie" not in failed.headers


async def test_a_device_keeps_its_bucket_when_its_cookie_is_renewed(shop: Shop) -> None:
    cookie = await shop.device(ADA)
    assert await shop.statuses(4, ADA, WRONG, cookie=cookie) == [401] * 4
    renewed = (await shop.sign_in(ADA, PASSWORD, cookie=cookie)).headers["set-cookie"].partition(";")[0]
    assert await shop.statuses(3, ADA, WRONG, cookie=renewed) == [401, 429, 429]
