"""Streams of own endpoints: their forms, their items, and when their sources begin and end."""

import asyncio
import traceback
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest
from streams_app import app, log, renaming

from gatepost.events import RequestFailed, RequestFinished, TaskFailed
from gatepost.testing import Client, TestApp

pytestmark = pytest.mark.asyncio(loop_scope="module")

EVENTS = {"accept": "text/event-stream"}

finished: list[RequestFinished] = []
failures: list[RequestFailed] = []
told: list[TaskFailed] = []
app.events.subscribe(RequestFinished, finished.append)
app.events.subscribe(RequestFailed, failures.append)
app.events.subscribe(TaskFailed, told.append)


@pytest.fixture(autouse=True)
def _forgotten() -> None:
    for each in (finished, failures, told):
        each.clear()


async def test_plain_data_are_lines_or_events_as_the_client_asks(client: Client) -> None:
    lines = await client.get("/api/ticks?count=2")
    events = await client.get("/api/ticks?count=2", headers=EVENTS)

    assert lines.body == b'{"tick_number":0,"text":"a\\nb\\rc"}\n{"tick_number":1,"text":"a\\nb\\rc"}\n'
    assert lines.headers["content-type"] == "application/x-ndjson"
    assert events.body == (
        b':\n\ndata: {"tick_number":0,"text":"a\\nb\\rc"}\n\ndata: {"tick_number":1,"text":"a\\nb\\rc"}\n\n'
    )
    assert events.headers["content-type"] == "text/event-stream"
    assert log.lines == ["finished", "closed"] * 2


async def test_nothing_between_stores_transforms_or_holds_back_a_stream(client: Client) -> None:
    for headers in ({}, EVENTS, {"accept-encoding": "gzip, zstd"}):
        response = await client.get("/api/ticks?count=1000", headers=headers)

        assert response.headers["cache-control"] == "no-store, no-transform"
        assert response.headers["x-accel-buffering"] == "no"
        assert response.headers["vary"] == "accept"
        assert response.headers["x-content-type-options"] == "nosniff"
        assert {"content-encoding", "content-length"}.isdisjoint(response.headers)


async def test_a_signed_in_client_gets_the_same_caching(running: TestApp) -> None:
    response = await (await running.user()).get("/api/ticks?count=1")

    assert response.headers["cache-control"] == "no-store, no-transform"


async def test_line_breaks_between_values_of_json_end_no_line(client: Client) -> None:
    assert (await client.get("/api/ticks/raw")).body == b'{   "a": "b\\n" }\n'
    assert (await client.get("/api/ticks/raw", headers=EVENTS)).body == b':\n\ndata: {   "a": "b\\n" }\n\n'


async def test_a_client_that_comes_back_says_what_it_has_seen(client: Client) -> None:
    async with client.stream("GET", "/api/ticks/events") as first:
        seen = [event async for event in first.events()]
    async with client.stream("GET", "/api/ticks/events", headers={"last-event-id": seen[-1].id or ""}) as second:
        further = [event async for event in second.events()]

    assert [(event.id, event.data["tick_number"]) for event in (*seen, *further)] == [
        *[("0", 0), ("1", 1), ("2", 2), ("3", 3)]
    ]
    assert second.is_complete
    assert "vary" not in second.headers
    assert (await client.get("/api/ticks/events", headers={"last-event-id": "x"})).status == 400


async def test_the_transaction_is_over_before_the_source_runs(client: Client) -> None:
    response = await client.post("/api/stream_readings/record?sensor=a&count=4", headers=EVENTS)

    # The app has one connection.
    assert response.status == 200, response.body
    assert log.lines == ["committed 4"]
    assert [b'"a0"' in response.body, b'"a1"' in response.body] == [True, False]


async def test_rows_are_shown_as_the_actor_may_read_them(client: Client) -> None:
    await client.post("/api/stream_readings/record?sensor=card&count=3")

    async with client.stream("GET", "/api/stream_readings/cards") as response:
        events = [event async for event in response.events() if event.data["sensor"].startswith("card")]

    assert [(event.id, event.name, event.retry_seconds) for event in events] == [
        ("card0", "reading", 1.5),
        ("card2", "reading", 1.5),
    ]
    assert events[0].data == {"sensor": "card0"}


async def test_head_runs_no_source(client: Client) -> None:
    response = await client.request("HEAD", "/api/ticks/endless", headers=EVENTS)

    assert (response.status, response.body) == (200, b"")
    assert response.headers["content-type"] == "text/event-stream"
    assert (log.asked, log.lines) == (0, [])


async def test_what_is_not_a_stream_is_an_ordinary_response(client: Client) -> None:
    stream = await client.get("/api/ticks/maybe?what=stream")
    response = await client.get("/api/ticks/maybe?what=response")
    nothing = await client.get("/api/ticks/maybe?what=nothing")

    assert (stream.status, stream.body) == (200, b'{"tick_number":0,"text":"a\\nb\\rc"}\n')
    assert (stream.headers["x-note"], stream.headers["cache-control"]) == ("stream", "no-store")
    assert (response.status, response.body, response.headers["x-note"]) == (200, b"no", "response")
    assert (nothing.status, "x-note" in nothing.headers) == (404, False)
    assert log.lines == ["finished", "closed", "after stream", "after response"]


async def test_members_have_the_names_of_the_dialect(module_database_url: str) -> None:
    async with TestApp(renaming, module_database_url) as started:
        response = await started.anonymous.get("/api/renamed")

    assert response.body == b'{"tickNumber":0,"text":"a\\nb\\rc"}\n'


async def test_what_is_made_for_the_call_lasts_as_long_as_the_stream(client: Client) -> None:
    assert (await client.get("/api/ticks/session")).body == b"true\n"
    assert log.lines == ["closed", "session closed"]


async def test_a_client_that_goes_closes_the_source(client: Client) -> None:
    async with client.stream("GET", "/api/ticks/waiting") as response:
        assert [part async for part in first(response.parts(), 1)] == [b'{"tick_number":0,"text":""}\n']
        assert log.lines == []

    assert log.lines == ["closed"]
    assert failures == told == []


async def test_a_slow_client_holds_the_source_back(client: Client) -> None:
    async with client.stream("GET", "/api/ticks/endless") as response:
        assert len([part async for part in first(response.parts(), 3)]) == 3
        await asyncio.sleep(0.05)
        assert log.asked <= 6

    assert log.lines == ["closed"]


async def test_a_stream_that_is_silent_beats(client: Client) -> None:
    async with client.stream("GET", "/api/ticks/waiting") as lines:
        parts = [part async for part in first(lines.parts(), 3)]
    async with client.stream("GET", "/api/ticks/waiting", headers=EVENTS) as events:
        comments = [part async for part in first(events.parts(), 4)]

    assert parts[1:] == [b"\n", b"\n"]
    assert comments[0] == b":\n\n"
    assert comments[2:] == [b":\n\n", b":\n\n"]


@pytest.mark.parametrize(
    ("way", "code", "reason"),
    [
        ("error", "internal_error", "KeyError: 'a secret'"),
        ("json", "internal_error", "TypeError: Ticks.failing streamed what JSON cannot hold: "),
        ("cancelled", "internal_error", "CancelledError"),
        ("database", "internal_error", "division by zero"),
        ("problem", "sold_out", None),
    ],
)
async def test_a_client_can_tell_that_a_source_failed(client: Client, way: str, code: str, reason: str | None) -> None:
    await client.post("/api/stream_readings/record?sensor=f&count=1")
    finished.clear()
    async with client.stream("GET", f"/api/ticks/failing/{way}", headers=EVENTS) as response:
        first_event, error = [event async for event in response.events()]
    with pytest.raises(ConnectionError):
        await client.get(f"/api/ticks/failing/{way}")

    assert (first_event.name, error.name, error.data["code"]) == (None, "error", code)
    assert error.data["request_id"] == response.headers["x-request-id"]
    assert "secret" not in str(error.data)
    assert [(event.status, event.code) for event in finished] == [(200, code)] * 2
    if reason is None:
        assert failures == []
    else:
        assert len(failures) == 2
        assert reason in "".join(traceback.format_exception(failures[0].error))


async def test_the_log_names_the_endpoint_whose_source_failed(client: Client) -> None:
    with pytest.raises(ConnectionError):
        await client.get("/api/ticks/failing/error")

    [note] = failures[0].error.__notes__
    assert note.startswith("Raised by the stream of Ticks.failing ")
    assert "streams_app.py:" in note


async def test_a_row_of_another_class_is_an_error(client: Client) -> None:
    with pytest.raises(ConnectionError):
        await client.get("/api/stream_readings/wrong-row")

    assert "Readings.wrong_row streamed Tick, not Reading." in str(failures[0].error)


async def test_a_source_that_catches_its_cancellation_ends_as_well(client: Client) -> None:
    async with client.stream("GET", "/api/ticks/stubborn") as response:
        assert len([part async for part in first(response.parts(), 1)]) == 1

    assert log.lines == ["caught", "closed"]
    assert [str(event.error) for event in told] == ["while it is closed"]


async def test_streams_have_a_bound_of_their_own(client: Client) -> None:
    async with AsyncExitStack() as stack:
        for _ in range(3):
            await stack.enter_async_context(client.stream("GET", "/api/ticks/waiting"))
        refused = await client.get("/api/ticks")
        listed = await client.get("/api/stream_readings")

        assert (refused.status, refused.json()["code"], refused.headers["retry-after"]) == (503, "overloaded", "5")
        assert log.asked == 0
        assert listed.status == 200
        # Nor do they count as running.
        assert app.running.gate._queue.running == 0
    assert (await client.get("/api/ticks")).status == 200


async def test_what_is_refused_before_the_stream_gives_its_place_back(client: Client) -> None:
    for _ in range(5):
        assert (await client.get("/api/ticks?count=x")).status == 400
        assert (await client.get("/api/ticks/maybe?what=nothing")).status == 404
        assert (await client.request("HEAD", "/api/ticks")).status == 200
    assert (await client.get("/api/ticks")).status == 200


async def first(parts: AsyncIterator[bytes], count: int) -> AsyncIterator[bytes]:
    """The first few."""
    for _ in range(count):
        yield await anext(parts)
