"""What `App(provide=)` makes: when, of what, for whom, and what closes it."""

from collections.abc import AsyncIterator
from unittest.mock import MagicMock

import pytest
import pytest_asyncio
from provided_app import Basket, Clock, FixedClock, Letter, ListMailer, Mailer, Numbers, app, failures, happened
from sqlalchemy import MetaData

from gatepost import App, ConfigurationError, Resource, anyone, per_call
from gatepost.testing import TestApp

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.fixture(scope="module")
def database_metadata() -> MetaData:
    return app.metadata


@pytest.fixture(autouse=True)
def nothing_happened() -> None:
    happened.clear()
    failures.clear()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def url(module_database_url: str) -> AsyncIterator[str]:
    yield module_database_url


async def test_things_are_made_once_and_closed(url: str) -> None:
    async with TestApp(app, url) as running:
        assert happened == ["clock made", "mailer opened"]
        for _ in range(2):
            assert (await running.anonymous.get("/api/plain/time")).data == "noon"
        assert happened == ["clock made", "mailer opened"]

    assert happened == ["clock made", "mailer opened", "mailer closed"]


async def test_endpoints_controllers_and_services_get_them(url: str) -> None:
    async with TestApp(app, url) as running:
        response = await running.anonymous.post("/api/desk/letters", json={"text": "hi"})
        sent = running.app.provided(Mailer)

        assert (response.status, response.data) == (200, {"receipt": "of nobody", "first": 7})
        assert isinstance(sent, ListMailer)
        assert sent.sent == ["noon service hi", "noon endpoint hi"]
        async with app.transaction() as tx:
            await tx.service(Letter).create(Letter(text="outside"), tx.actor)
        assert sent.sent[-1] == "noon service outside"


async def test_what_is_made_for_a_call_knows_it_and_is_closed(url: str) -> None:
    async with TestApp(app, url) as running:
        reader = await running.user()
        happened.clear()
        owners = [(await client.get("/api/plain/basket")).data for client in (running.anonymous, reader)]

    assert owners == ["nobody", "somebody"]
    assert happened[:6] == ["basket opened", "endpoint", "basket closed"] * 2


async def test_it_is_thrown_the_error_of_the_call(url: str) -> None:
    async with TestApp(app, url) as running:
        happened.clear()
        response = await running.anonymous.post("/api/desk/refused", json={"text": "Later."})
        assert (response.status, response.json()["code"]) == (409, "not_now")
        assert happened == ["basket opened", "basket sees not_now", "basket closed"]


async def test_it_may_refuse(url: str) -> None:
    async with TestApp(app, url) as running:
        response = await running.anonymous.get("/api/plain/basket", headers={"x-banned": "1"})
        assert (response.status, response.json()["code"]) == (401, "banned")
        assert "endpoint" not in happened


async def test_an_error_at_its_end_is_logged_and_changes_nothing(url: str) -> None:
    async with TestApp(app, url) as running:
        response = await running.anonymous.get("/api/plain/basket", headers={"x-break": "1"})

    assert (response.status, response.data) == (200, "nobody")
    [failure] = failures
    assert (failure.task, str(failure.error)) == ("closing provide={Basket: make_basket}", "The basket broke.")


async def test_bad_requests_make_nothing(url: str) -> None:
    async with TestApp(app, url) as running:
        happened.clear()
        response = await running.anonymous.post("/api/desk/refused", json={})
        assert (response.status, happened) == (422, [])


async def test_mounts_ask_the_app(url: str) -> None:
    async with TestApp(app, url) as running:
        assert (await running.anonymous.get("/legacy/")).body == b"noon"
        with pytest.raises(ConfigurationError, match="Basket is made for each call"):
            running.app.provided(Basket)
        with pytest.raises(ConfigurationError, match="does not provide TestApp"):
            running.app.provided(TestApp)


async def test_test_doubles_take_their_place(url: str) -> None:
    class Midnight:
        def now(self) -> str:
            return "midnight"

    mailer = MagicMock()
    async with TestApp(app, url, provide={Mailer: mailer, Clock: Midnight, Basket: MagicMock(owner="fake")}) as running:
        assert happened == []
        assert (await running.anonymous.get("/api/plain/time")).data == "midnight"
        assert (await running.anonymous.post("/api/desk/letters", json={"text": "hi"})).data["receipt"] == "of fake"
    assert [call.args for call in mailer.send.call_args_list] == [("service hi",), ("endpoint hi",)]

    async with TestApp(app, url) as running:
        assert (await running.anonymous.get("/api/plain/time")).data == "noon"


async def test_a_double_of_nothing_is_refused(url: str) -> None:
    with pytest.raises(ConfigurationError, match="does not provide TestApp"):
        async with TestApp(app, url, provide={TestApp: object()}):
            pass


async def test_a_double_of_what_is_made_once_is_made_once(url: str) -> None:
    with pytest.raises(ConfigurationError, match="Mailer is made once"):
        async with TestApp(app, url, provide={Mailer: per_call(ListMailer)}):
            pass


async def test_an_error_at_the_start_refuses_to_start(url: str) -> None:
    async def make_numbers(clock: FixedClock) -> Numbers:
        raise OSError("no numbers")

    async def make_clock() -> AsyncIterator[FixedClock]:
        happened.append("opened")
        yield FixedClock()
        happened.append("closed")

    provide = {FixedClock: make_clock, Numbers: make_numbers}
    broken = App(Resource(Letter, path="letters", read=anyone), provide=provide)
    with pytest.raises(ConfigurationError) as error:
        async with TestApp(broken, url):
            pass

    assert happened == ["opened", "closed"]
    line = make_numbers.__code__.co_firstlineno
    assert str(error.value).startswith(f"tests/integration/endpoints/test_provided.py:{line}: ")
    assert "raised OSError: no numbers" in str(error.value)
