"""How often somebody may try to sign in or to register in own endpoints and mounts, with the gate as in production."""

import itertools
import secrets
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from members_app import ClubMember, app

from gatepost.testing import Client, TestApp
from gatepost.testing.client import ClientResponse

pytestmark = pytest.mark.asyncio(loop_scope="module")

PASSWORD = "correct horse battery"
WRONG = "wrong horse battery"

_addresses = (f"198.51.{number // 250}.{number % 250}" for number in itertools.count())


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def limited_club(module_database_url: str) -> AsyncIterator[TestApp]:
    """The app, with the limits of production."""
    async with TestApp(app, module_database_url, GATEPOST_LIMIT_FACTOR="1") as started:
        yield started


@pytest.fixture
def here() -> Client:
    """A client at an address of its own."""
    return Client(app, address=next(_addresses))


def elsewhere() -> Client:
    return Client(app, address=next(_addresses))


@pytest_asyncio.fixture(loop_scope="module")
async def email(limited_club: TestApp) -> str:
    """The address of a member."""
    name = f"m{secrets.token_hex(6)}"
    await app.accounts.register(ClubMember(username=name, email=f"{name}@example.com"), PASSWORD)
    return f"{name}@example.com"


async def try_(client: Client, email: str, password: str, path: str = "/api/door/enter") -> ClientResponse:
    return await client.post(path, json={"email": email, "password": password})


def nobody() -> str:
    return f"{secrets.token_hex(8)}@example.com"


PATHS = ["/api/door/enter", "/api/door/strict", "/lobby", "/api/auth/login"]


@pytest.mark.parametrize("path", PATHS)
async def test_an_address_has_five_attempts_wherever_it_tries(here: Client, email: str, path: str) -> None:
    statuses = [(await try_(here, nobody(), WRONG, path)).status for _ in range(5)]
    refused = [await try_(here, email, PASSWORD, each) for each in PATHS]

    assert statuses == [401] * 5
    assert [(each.status, each.json()["code"]) for each in refused] == [(429, "too_many_requests")] * len(PATHS)
    assert all(each.headers["ratelimit"].startswith('"auth";r=0;') for each in refused)
    assert (await try_(elsewhere(), email, PASSWORD, path)).status == 200


@pytest.mark.parametrize("path", PATHS)
async def test_an_account_has_five_attempts_whatever_the_addresses(
    limited_club: TestApp, email: str, path: str
) -> None:
    statuses = [(await try_(elsewhere(), email, WRONG, path)).status for _ in range(5)]
    refused = await try_(elsewhere(), email.upper(), PASSWORD, path)

    assert (statuses, refused.status) == ([401] * 5, 429)
    assert refused.headers["ratelimit"].startswith('"auth-account";r=0;')


@pytest.mark.parametrize("path", PATHS)
async def test_successes_take_nothing(here: Client, email: str, path: str) -> None:
    assert [(await try_(here, email, PASSWORD, path)).status for _ in range(8)] == [200] * 8


async def test_a_device_that_has_signed_in_is_limited_by_itself(here: Client, email: str) -> None:
    cookie = (await try_(here, email, PASSWORD)).headers["set-cookie"].partition(";")[0]
    for _ in range(6):
        await try_(here, nobody(), WRONG)
        await try_(elsewhere(), email, WRONG)

    body = {"email": email, "password": PASSWORD}
    known = await here.post("/api/door/enter", json=body, headers={"cookie": cookie})
    unknown = await here.post("/api/door/enter", json=body)

    assert (known.status, unknown.status) == (200, 429)


@pytest.mark.parametrize("passwords", [[WRONG] * 9])
async def test_several_attempts_in_one_request_count_each(
    here: Client, email: str, passwords: list[str], limited_club: TestApp
) -> None:
    refused = await here.post("/api/door/many", json={"email": email, "passwords": passwords})

    assert (refused.status, refused.json()["code"]) == (429, "too_many_requests")
    assert (await try_(elsewhere(), email, PASSWORD)).status == 429


async def test_a_transaction_that_runs_again_counts_once(here: Client, email: str) -> None:
    def body() -> dict[str, str]:
        name = f"m{secrets.token_hex(6)}"
        return {"username": name, "email": f"{name}@example.com", "password": PASSWORD}

    path = "/api/door/twice/enter"
    right = [await try_(here, email, PASSWORD, path) for _ in range(6)]
    made = [(await here.post("/api/door/twice/register", json=body())).status for _ in range(3)]
    wrong = [(await try_(here, email, WRONG, path)).status for _ in range(3)]
    of_account = [(await try_(elsewhere(), email, WRONG, path)).status for _ in range(4)]

    assert [(each.status, each.data) for each in right] == [(200, email.partition("@")[0])] * 6
    assert (made, wrong) == ([201] * 3, [204] * 2 + [429])
    assert of_account == [204] * 3 + [429]


async def test_registrations_take_from_the_bucket_of_the_address(here: Client, limited_club: TestApp) -> None:
    def body(password: str = PASSWORD) -> dict[str, str]:
        name = f"m{secrets.token_hex(6)}"
        return {"username": name, "email": f"{name}@example.com", "password": password}

    free = [(await here.post("/api/door/register", json=body("short"))).status for _ in range(6)]
    made = [(await here.post("/api/door/register", json=body())).status for _ in range(6)]

    assert free == [422] * 6
    assert made == [201] * 5 + [429]
    assert (await try_(here, nobody(), WRONG)).status == 429
