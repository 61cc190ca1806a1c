"""Large responses: sent in parts, counted until their clients have taken them, and given up when they do not."""

import asyncio
from typing import Any

import pytest
from gate_conversation import forbidden_receive, gate, scope

from gatepost.asgi import Message, Scope
from gatepost.call import Call, Response
from gatepost.gateway.large_responses import LARGE_BYTES, PART_BYTES
from gatepost.response_backlog import ResponseBacklog


class Client:
    """A client that takes so many messages at once, and further ones when it is told to."""

    def __init__(self, takes: int) -> None:
        self.taken: list[Message] = []
        self._room = asyncio.Semaphore(takes)

    async def send(self, message: Message) -> None:
        await self._room.acquire()
        self.taken.append(message)

    def take(self, count: int = 1) -> None:
        for _ in range(count):
            self._room.release()

    @property
    def body(self) -> bytes:
        return b"".join(message.get("body", b"") for message in self.taken)


def serving(body: bytes, **settings: Any) -> Any:
    async def app(scope: Scope, receive: Any, send: Any) -> None:
        call: Call = scope["gatepost"]
        await call.respond(Response(200, body))  # type: ignore[attr-defined]

    return gate(app, **settings)


@pytest.mark.parametrize("size", [LARGE_BYTES + 1, PART_BYTES, PART_BYTES + 1, 5 * PART_BYTES])
async def test_a_large_body_goes_out_in_parts_with_its_length(size: int) -> None:
    client, backlog = Client(100), ResponseBacklog()
    await serving(b"x" * size, backlog=backlog)(scope(), forbidden_receive, client.send)
    head, *parts = client.taken
    assert dict(head["headers"])[b"content-length"] == str(size).encode()
    assert [part["more_body"] for part in parts] == [True] * (len(parts) - 1) + [False]
    assert client.body == b"x" * size
    assert backlog.pending == 0


async def test_a_small_body_goes_out_whole() -> None:
    client = Client(2)
    await serving(b"x" * LARGE_BYTES)(scope(), forbidden_receive, client.send)
    assert [len(message.get("body", b"")) for message in client.taken] == [0, LARGE_BYTES]


async def test_what_is_not_taken_counts_until_it_is() -> None:
    client, backlog = Client(1), ResponseBacklog()
    serve = asyncio.ensure_future(
        serving(b"x" * 3 * PART_BYTES, backlog=backlog)(scope(), forbidden_receive, client.send)
    )
    for _ in range(3):
        await asyncio.sleep(0.01)
        assert backlog.pending == 3 * PART_BYTES
        client.take()
    await serve
    assert backlog.pending == 0


async def test_a_client_that_takes_slowly_is_served_beyond_the_time_of_a_request() -> None:
    client = Client(1)
    app = serving(b"x" * 4 * PART_BYTES, request_seconds=0.1, body_seconds=5)
    serve = asyncio.ensure_future(app(scope(), forbidden_receive, client.send))
    for _ in range(4):
        await asyncio.sleep(0.15)
        client.take()
    await asyncio.wait_for(serve, 5)
    assert len(client.body) == 4 * PART_BYTES


async def test_a_client_that_takes_nothing_is_given_up() -> None:
    client, backlog = Client(2), ResponseBacklog()
    app = serving(b"x" * 4 * PART_BYTES, body_seconds=0.1, backlog=backlog)
    await asyncio.wait_for(app(scope(), forbidden_receive, client.send), 5)
    assert client.taken[-1]["more_body"]
    assert backlog.pending == 0
    assert len(app._deadlines.in_flight) == 0


async def test_a_client_that_takes_its_time_keeps_nobody_from_being_served() -> None:
    client = Client(1)
    app = serving(b"x" * 4 * PART_BYTES)
    serve = asyncio.ensure_future(app(scope(), forbidden_receive, client.send))
    await asyncio.sleep(0.01)
    assert app._queue.running == 0
    client.take(4)
    await serve
    assert app._queue.running == 0
