"""Ordinary ASGI middlewares between the gate and the endpoints."""

import gzip
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from middleware_app import Tile, app, happened, zipped
from sqlalchemy import MetaData
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware

from gatepost import App, ConfigurationError, Resource, anyone
from gatepost.testing import Client, TestApp

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.fixture(scope="module")
def database_metadata() -> MetaData:
    return app.metadata


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def running(module_database_url: str) -> AsyncIterator[TestApp]:
    async with TestApp(app, module_database_url) as started:
        yield started


@pytest.fixture
def client(running: TestApp) -> Client:
    happened.clear()
    return running.anonymous


async def test_the_first_is_outermost(client: Client) -> None:
    response = await client.get("/api/tiles")

    assert (response.status, response.data) == (200, [])
    assert happened == ["outer /api/tiles", "inner /api/tiles"]
    assert {"x-outer", "x-shared", "x-inner", "content-security-policy", "x-request-id"} <= response.headers.keys()


async def test_they_share_the_state_of_the_call(client: Client) -> None:
    response = await client.get("/api/words/state", headers={"x-word": "shared"})

    assert response.data == "shared"
    assert happened[-1] == "after"


async def test_they_stand_in_front_of_mounts(client: Client) -> None:
    response = await client.get("/legacy/a")

    assert (response.status, response.body) == (200, b"older")
    assert {"x-outer", "x-shared", "x-inner"} <= response.headers.keys()


async def test_refusals_pass_as_exceptions(client: Client) -> None:
    response = await client.get("/api/words/refused")

    assert (response.status, response.json()["code"]) == (409, "not_now")
    assert happened[2:] == ["inner sees not_now", "outer sees not_now"]
    assert (await client.get("/api/words/absent")).status == 404


async def test_one_may_respond_itself(client: Client) -> None:
    response = await client.get("/api/words/state", headers={"x-stop": "1"})

    assert (response.status, response.json()) == (418, {"stopped": True})
    assert response.headers["x-frame-options"] == "SAMEORIGIN"
    assert {"x-outer", "x-request-id", "content-security-policy"} <= response.headers.keys()


async def test_one_may_change_the_body_that_comes_in(client: Client) -> None:
    assert (await client.post("/api/words/echo", json={"word": "small"})).data == "LARGE"


async def test_the_gate_limits_the_body_in_front_of_them(client: Client) -> None:
    assert (await client.post("/api/words/echo", json={"word": "x" * 100})).status == 413
    assert (await client.post("/api/words/echo", json={"wrd": "x"})).status == 422


async def test_the_gate_compresses_what_they_pass_on(client: Client) -> None:
    response = await client.get("/api/words/long", headers={"accept-encoding": "gzip"})

    assert (response.headers["content-encoding"], response.headers["cache-control"]) == ("gzip", "max-age=5")
    assert (response.headers["x-note"], response.headers["x-shared"]) == ("n", "1")
    assert len(gzip.decompress(response.body)) == 10_011


async def test_head_has_no_body(client: Client) -> None:
    response = await client.request("HEAD", "/api/words/long")

    assert (response.status, response.body, response.headers["content-length"]) == (200, b"", "10011")


async def test_one_of_another_framework_may_compress(module_database_url: str) -> None:
    async with TestApp(zipped, module_database_url) as running:
        response = await running.anonymous.get("/api/words/long", headers={"accept-encoding": "gzip"})

    assert (response.status, response.headers["content-encoding"]) == (200, "gzip")
    assert len(gzip.decompress(response.body)) == 10_011


@pytest.mark.parametrize(
    ("middleware", "problem"),
    [
        (7, "middleware= has 7, which is not a middleware"),
        ("gzip", "middleware= has 'gzip'"),
        (Middleware(GZipMiddleware, size=7), "size"),  # type: ignore[arg-type, call-arg]
        (lambda app: None, "returned None"),
    ],
)
async def test_what_is_no_middleware(middleware: Any, problem: str) -> None:
    with pytest.raises(ConfigurationError) as error:
        _ = App(Resource(Tile, read=anyone), middleware=[middleware]).operations

    assert problem in str(error.value)
    assert "test_middleware.py:" in str(error.value)
