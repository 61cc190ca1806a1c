"""Heartbeats ask who the client is: what a new request would be refused, a stream ends within one."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from sqlalchemy import update
from streams_app import app, log

from gatepost.testing import Client, TestApp

pytestmark = pytest.mark.asyncio(loop_scope="module")

EVENTS = {"accept": "text/event-stream"}
SECONDS_MAX = 10.0


@pytest_asyncio.fixture(loop_scope="module")
async def editor(running: TestApp) -> AsyncIterator[tuple[Client, Any]]:
    """An editor, and the user's key."""
    yield await running.user_and_id("editor")


async def change(key: Any, **columns: Any) -> None:
    """Change the row of a user."""
    model = app.user_model
    async with app.transaction() as tx:
        await tx.session.execute(update(model).where(model.id == key).values(**columns))


@pytest.mark.parametrize(
    ("columns", "code"), [({"is_active": False}, "invalid_token"), ({"roles": ["reader"]}, "forbidden")]
)
async def test_who_may_no_longer_have_a_stream_is_told(
    editor: tuple[Client, Any], columns: dict[str, Any], code: str
) -> None:
    client, key = editor
    async with asyncio.timeout(SECONDS_MAX):
        async with client.stream("GET", "/api/ticks/editors", headers=EVENTS) as response:
            events = response.events()
            assert (await anext(events)).data["tick_number"] == 0
            await change(key, **columns)
            last = [event async for event in events][-1]

    assert (last.name, last.data["code"]) == ("error", code)
    assert response.is_complete
    assert log.lines == ["closed"]
    assert (await client.get("/api/ticks/editors")).json()["code"] == code


async def test_a_stream_of_lines_is_cut(editor: tuple[Client, Any]) -> None:
    client, key = editor
    async with asyncio.timeout(SECONDS_MAX), client.stream("GET", "/api/ticks/editors?seconds=60") as response:
        lines = response.lines()
        assert (await anext(lines))["tick_number"] == 0
        await change(key, is_active=False)
        with pytest.raises(ConnectionError):
            await anext(lines)

    assert log.lines == ["closed"]


async def test_a_change_of_roles_ends_a_stream_that_both_may_have(editor: tuple[Client, Any]) -> None:
    client, key = editor
    async with asyncio.timeout(SECONDS_MAX), client.stream("GET", "/api/ticks/members", headers=EVENTS) as response:
        events = response.events()
        await anext(events)
        await change(key, roles=["writer"])
        names = {event.name async for event in events}

    # In order: the client comes back, as what it is now.
    assert names == {None}
    assert response.is_complete
    assert (await client.request("HEAD", "/api/ticks/members")).status == 200


async def test_a_stream_of_the_same_user_goes_on(editor: tuple[Client, Any]) -> None:
    client, _ = editor
    async with client.stream("GET", "/api/ticks/editors?seconds=0.1") as response:
        count = 0
        async for _ in response.lines():
            count += 1
            if count == 8:
                break
    assert count == 8
