"""Streams and files behind middlewares, which read what is sent."""

import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from sqlalchemy import MetaData
from wrapped_app import in_task, lines, marked

from gatepost.testing import Client, TestApp

pytestmark = pytest.mark.asyncio(loop_scope="module")

EVENTS = {"accept": "text/event-stream"}


@pytest.fixture(scope="module")
def database_metadata() -> MetaData:
    return marked.metadata


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=[marked, in_task], ids=["plain", "in a task"])
async def wrapped(request: pytest.FixtureRequest, module_database_url: str) -> AsyncIterator[TestApp]:
    async with TestApp(request.param, module_database_url) as started:
        yield started


@pytest.fixture
def client(wrapped: TestApp) -> Client:
    lines.clear()
    return wrapped.anonymous


async def test_middlewares_see_what_is_streamed(client: Client) -> None:
    response = await client.get("/api/numbers")
    file = await client.get("/api/numbers/file", headers={"range": "bytes=2-3"})

    assert (response.body, response.headers["x-marked"]) == (b"0\n1\n", "yes")
    assert (file.status, file.body, file.headers["x-marked"]) == (206, b"23", "yes")
    assert lines == ["closed"]


async def test_a_client_that_goes_ends_a_stream_behind_them(client: Client) -> None:
    async with asyncio.timeout(10), client.stream("GET", "/api/numbers/endless") as response:
        await anext(response.lines())

    assert lines == ["closed"]


async def test_an_error_is_told_behind_them(client: Client) -> None:
    async with client.stream("GET", "/api/numbers?fails=true", headers=EVENTS) as response:
        body = b"".join([part async for part in response.parts()])
    async with client.stream("GET", "/api/numbers?fails=true") as response:
        if response.status == 200:
            with pytest.raises(ConnectionError):
                async for _ in response.lines():
                    pass

    # Starlette may raise it before it has passed on the start of the response: then it is an ordinary refusal.
    assert b'"code":"internal_error"' in body
