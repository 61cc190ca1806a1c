"""The caller, spoken to by servers that respond byte by byte what a test says."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from gatepost.inspection.raw_client import RateLimited, RawClient, Reply
from gatepost.inspection.target import Target

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def caller_of(serve: Serve) -> AsyncIterator[RawClient]:
    closed: list[asyncio.Future[None]] = []

    async def closing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        closed.append(asyncio.get_running_loop().create_future())
        await serve(reader, writer)
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()
        closed[-1].set_result(None)

    server = await asyncio.start_server(closing, "127.0.0.1", 0)
    async with server:
        yield RawClient(Target("http", "127.0.0.1", server.sockets[0].getsockname()[1], "/"))
        await asyncio.gather(*closed)


def responding(response: bytes) -> Serve:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(response)
        await writer.drain()

    return serve


async def ask(response: bytes, method: str = "GET") -> Reply:
    async with caller_of(responding(response)) as caller:
        return await caller.ask(method)


async def test_a_response_is_read_as_it_is() -> None:
    reply = await ask(b"HTTP/1.1 200 OK\r\nX-A:  1 \r\nx-a: 2\r\ncontent-length: 3\r\n\r\nabc")
    assert (reply.status, reply.header("x-a"), reply.header("x-b"), reply.body) == (200, "1, 2", None, b"abc")
    assert reply.ended
    assert reply.asked == "GET / HTTP/1.1"


@pytest.mark.parametrize(
    ("response", "body"),
    [
        (b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n2;x=1\r\nde\r\n0\r\n\r\n", b"abcde"),
        (b"HTTP/1.1 200 OK\r\n\r\nuntil the end", b"until the end"),
        (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\na", b"a"),
    ],
)
async def test_a_body_is_read_however_it_is_framed(response: bytes, body: bytes) -> None:
    assert (await ask(response)).body == body


@pytest.mark.parametrize("response", [b"", b"HTTP/1.1", b"nonsense\r\n\r\n", b"HTTP/1.1 abc\r\n\r\n"])
async def test_what_is_no_response_is_a_closed_connection(response: bytes) -> None:
    reply = await ask(response)
    assert (reply.status, reply.ended, reply.is_refusal, str(reply)) == (0, True, True, "a closed connection")


async def test_the_response_to_head_has_no_body_to_wait_for() -> None:
    assert (await ask(b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\n", "HEAD")).status == 200


async def test_a_rate_limit_is_told_apart() -> None:
    with pytest.raises(RateLimited, match="7"):
        await ask(b"HTTP/1.1 429 No\r\nretry-after: 7\r\ncontent-length: 0\r\n\r\n")


async def test_a_server_that_says_nothing_is_given_up_on() -> None:
    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()

    async with caller_of(silent) as caller:
        reply = await caller.send(b"GET / HTTP/1.1\r\n\r\n", seconds=0.05)
    assert (reply.status, reply.ended, reply.is_refusal, str(reply)) == (0, False, False, "no response")
    assert caller.replies == [reply]


async def test_a_drip_comes_byte_by_byte_until_the_server_has_had_enough() -> None:
    received: list[bytes] = []

    async def counting(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while len(received) < 4:
            received.append(await reader.read(100))

    async with caller_of(counting) as caller:
        reply = await caller.send(b"GET", drip=b"abcdef", drip_seconds=0.01)
    assert received == [b"GET", b"a", b"b", b"c"]
    assert (reply.status, reply.ended) == (0, True)
