"""What ends streams besides their clients and sources: draining, their own time, and clients that take nothing."""

import asyncio

import pytest
from streams_app import app, log

from gatepost.testing import TestApp

EVENTS = {"accept": "text/event-stream"}
SECONDS_MAX = 10.0


async def test_draining_ends_streams_at_once(module_database_url: str) -> None:
    async with TestApp(app, module_database_url) as started:
        client = started.anonymous
        async with (
            asyncio.timeout(SECONDS_MAX),
            client.stream("GET", "/api/ticks/waiting", headers=EVENTS) as events,
            client.stream("GET", "/api/ticks/waiting") as lines,
        ):
            values = lines.lines()
            await anext(values)
            read = events.events()
            await anext(read)
            app.drain()
            assert [event async for event in read] == []
            assert events.is_complete
            with pytest.raises(ConnectionError):
                await anext(values)
        refused = await client.get("/api/ticks")
        assert (refused.status, refused.json()["code"]) == (503, "shutting_down")
    assert log.lines == ["closed", "closed"]


async def test_a_stream_lasts_no_longer_than_it_may(module_database_url: str) -> None:
    async with (
        asyncio.timeout(SECONDS_MAX),
        TestApp(app, module_database_url, GATEPOST_STREAM_SECONDS="1") as started,
        started.anonymous.stream("GET", "/api/ticks/waiting", headers=EVENTS) as response,
    ):
        assert len([event async for event in response.events()]) == 1
        assert response.is_complete


async def test_the_time_of_requests_does_not_end_streams(module_database_url: str) -> None:
    async with (
        TestApp(app, module_database_url, GATEPOST_REQUEST_SECONDS="0.2") as started,
        started.anonymous.stream("GET", "/api/ticks/waiting") as response,
    ):
        await anext(response.lines())
        await asyncio.sleep(0.6)
        assert log.lines == []
    assert log.lines == ["closed"]


async def test_a_client_that_takes_nothing_is_cut_off(module_database_url: str) -> None:
    async with (
        asyncio.timeout(SECONDS_MAX),
        TestApp(app, module_database_url, GATEPOST_BODY_SECONDS="0.2") as started,
        started.anonymous.stream("GET", "/api/ticks/endless") as response,
    ):
        await log.closed.wait()
        with pytest.raises(ConnectionError):
            async for _ in response.lines():
                pass
    assert log.lines == ["closed"]
