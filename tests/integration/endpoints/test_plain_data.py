"""Plain data in responses: what is written, and what JSON cannot hold: an error of the server that undoes the call."""

import json
import re
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from plain_app import UNWRITABLE, WRITABLE, Ledger, plain, renaming
from sqlalchemy import MetaData, func, select

from gatepost import App
from gatepost.events import RequestFailed
from gatepost.testing import TestApp

pytestmark = pytest.mark.asyncio(loop_scope="module")

failures: list[RequestFailed] = []

for each in (plain, renaming):
    each.events.subscribe(RequestFailed, failures.append)


@pytest.fixture(scope="module")
def database_metadata() -> MetaData:
    """Databases here have the table of the ledgers."""
    return plain.metadata


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=[plain, renaming], ids=["plain", "renaming"])
async def served(request: pytest.FixtureRequest, module_database_url: str) -> AsyncIterator[tuple[App, TestApp]]:
    """The app in each dialect."""
    async with TestApp(request.param, module_database_url) as running:
        yield request.param, running


@pytest.mark.parametrize("name", UNWRITABLE)
async def test_what_json_cannot_hold_undoes_the_call(served: tuple[App, TestApp], name: str) -> None:
    app, running = served
    failures.clear()

    response = await running.anonymous.post(f"/api/plain/unwritable/{name}")

    assert (response.status, response.json()["code"]) == (500, "internal_error")
    [failure] = failures
    assert "Plain.unwritable returned what JSON cannot hold: " in str(failure.error)
    async with app.transaction() as tx:
        assert await tx.session.scalar(select(func.count()).select_from(Ledger)) == 0


@pytest.mark.parametrize("name", UNWRITABLE)
async def test_it_is_named_without_a_transaction_as_well(served: tuple[App, TestApp], name: str) -> None:
    failures.clear()

    response = await served[1].anonymous.get(f"/api/plain/alone/{name}")

    assert response.status == 500
    assert "Plain.alone returned what JSON cannot hold: " in str(failures[0].error)


@pytest.mark.parametrize("name", WRITABLE)
async def test_what_is_written(served: tuple[App, TestApp], name: str) -> None:
    app, running = served

    response = await running.anonymous.get(f"/api/plain/writable/{name}")

    expected: Any = WRITABLE[name][1]
    if app is renaming:
        expected = renamed(expected)
    assert (response.status, response.json()) == (200, {"data": {"value": expected}})


def renamed(value: Any) -> Any:
    """A value with its keys in camel case."""
    text = json.dumps(value)
    return json.loads(re.sub("_([a-z])", lambda found: found[1].upper(), text))


async def test_a_response_of_json_has_pydantic_models(served: tuple[App, TestApp]) -> None:
    response = await served[1].anonymous.get("/api/plain/response")

    assert response.json() == {"value": [{"some_name": 1}]}
