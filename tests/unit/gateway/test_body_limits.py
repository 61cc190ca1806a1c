import asyncio
from collections.abc import AsyncIterator

import pytest
from gate_conversation import ask, gate, parts, reading, responding, scope
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import StreamingResponse
from starlette.routing import Route

from gatepost.asgi import Message, Receive, Scope, Send
from gatepost.call import Call, Response
from gatepost.errors import Header
from gatepost.gateway.large_responses import PART_BYTES

JSON: Header = (b"content-type", b"application/json")
CHUNKED: Header = (b"transfer-encoding", b"chunked")


def length(count: int) -> Header:
    return (b"content-length", str(count).encode())


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ([JSON], 200),
        ([(b"content-type", b"application/merge-patch+json")], 200),
        ([(b"content-type", b"Application/JSON; charset=UTF-8")], 200),
        ([(b"content-type", b'application/json;charset="utf-8"')], 200),
        ([(b"content-type", b"application/json; charset=latin-1")], 415),
        ([(b"content-type", b"application/json-patch+json")], 415),
        ([(b"content-type", b"text/plain")], 415),
        ([(b"content-type", b"application/x-www-form-urlencoded")], 415),
        ([(b"content-type", b"text/plain; application/json")], 415),
        ([(b"content-type", b"application/json, text/plain")], 415),
        ([(b"content-type", b"multipart/form-data; boundary=x")], 415),
        ([], 415),
        ([JSON, (b"content-encoding", b"identity")], 200),
        ([JSON, (b"content-encoding", b"")], 200),
        ([JSON, (b"content-encoding", b"gzip")], 415),
        ([JSON, (b"content-encoding", b"identity, gzip")], 415),
    ],
)
@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH"])
async def test_only_json_is_a_body(method: str, headers: list[Header], status: int) -> None:
    response = await ask(gate(reading), scope(method, headers=[*headers, length(2)]), parts(b"{}"))
    assert response.status == status
    if status == 415:
        assert response.problem["code"] == "unsupported_media_type"
    else:
        assert response.body == b"{}"


@pytest.mark.parametrize("kind", ["application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "text/plain"])
@pytest.mark.parametrize("framing", [[], [length(0)]])
async def test_a_form_without_fields_is_a_form(kind: str, framing: list[Header]) -> None:
    asked = scope("POST", headers=[(b"content-type", kind.encode()), *framing])
    assert (await ask(gate(responding()), asked)).status == 415


@pytest.mark.parametrize("method", ["GET", "HEAD", "DELETE", "OPTIONS"])
@pytest.mark.parametrize("framing", [length(2), CHUNKED])
async def test_a_body_where_none_has_a_meaning_is_refused_unread(method: str, framing: Header) -> None:
    asked = scope(method, "/api/small" if method == "DELETE" else "/api/books", headers=[JSON, framing])
    response = await ask(gate(reading), asked)
    assert response.status == (405 if method == "DELETE" else 400)
    assert response.status == 405 or response.header("connection") == "close"


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS"])
async def test_an_empty_body_is_none(method: str) -> None:
    assert (await ask(gate(responding()), scope(method, headers=[length(0), JSON]))).status == 200


async def test_a_mounted_application_takes_any_type() -> None:
    headers = [(b"content-type", b"text/plain"), (b"content-encoding", b"gzip"), length(2)]
    assert (await ask(gate(reading), scope("POST", "/legacy", headers), parts(b"{}"))).status == 200


@pytest.mark.parametrize("headers", [[], [length(0)]])
async def test_receive_is_left_alone_where_there_is_no_body(headers: list[Header]) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        assert receive is original
        await responding()(scope, receive, send)

    original = parts()
    assert (await ask(gate(app), scope("POST", headers=headers), original)).status == 200


async def test_a_body_announced_as_too_large_is_refused_unread() -> None:
    response = await ask(gate(reading, body_bytes_max=10), scope("POST", headers=[JSON, length(11)]))
    assert response.status == 413
    assert response.problem["code"] == "content_too_large"
    assert response.header("connection") == "close"


async def test_a_body_of_exactly_the_limit_passes() -> None:
    app = gate(reading, body_bytes_max=10)
    assert (await ask(app, scope("POST", headers=[JSON, length(10)]), parts(b"x" * 10))).status == 200
    assert (await ask(app, scope("POST", headers=[JSON, CHUNKED]), parts(b"x" * 5, b"x" * 5))).status == 200


@pytest.mark.parametrize("path", ["/api/books", "/legacy"])
@pytest.mark.parametrize("http_version", ["1.1", "2"])
async def test_a_body_that_grows_too_large_is_refused(path: str, http_version: str) -> None:
    headers = [JSON, CHUNKED] if http_version == "1.1" else [JSON]
    asked = scope("POST", path, headers, http_version=http_version)
    response = await ask(gate(reading, body_bytes_max=10), asked, parts(b"x" * 6, b"x" * 6, b"x"))
    assert response.status == 413


async def test_the_refusal_of_a_large_body_overrules_the_response_of_a_framework_in_between() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await receive()
        except Exception:
            await responding(500)(scope, receive, send)

    response = await ask(gate(app, body_bytes_max=1), scope("POST", "/legacy", [CHUNKED]), parts(b"xx"))
    assert response.status == 413


async def test_a_route_has_its_own_limit() -> None:
    assert (await ask(gate(reading), scope("POST", "/api/small", [JSON, length(5)]))).status == 413


@pytest.mark.parametrize(
    "headers",
    [
        [(b"transfer-encoding", b"gzip, chunked")],
        [(b"transfer-encoding", b"chunked, chunked")],
        [(b"transfer-encoding", b"identity")],
        [(b"transfer-encoding", b"")],
        [(b"content-length", b"+5")],
        [(b"content-length", b"5, 5")],
        [(b"content-length", b"")],
        [(b"content-length", b"5"), CHUNKED],
    ],
)
async def test_framing_that_others_may_read_differently_is_refused(headers: list[Header]) -> None:
    response = await ask(gate(reading), scope("POST", headers=[JSON, *headers]))
    assert response.status == 400
    assert response.problem["code"] == "malformed_request"
    assert response.header("connection") == "close"


async def test_a_body_that_stops_halfway_is_a_408() -> None:
    async def receive() -> Message:
        if sent:
            await asyncio.Event().wait()
        sent.append(True)
        return {"type": "http.request", "body": b"{", "more_body": True}

    sent: list[bool] = []
    app = gate(reading, body_seconds=0.1)
    response = await asyncio.wait_for(ask(app, scope("POST", headers=[JSON, CHUNKED]), receive), 5)
    assert response.status == 408
    assert response.problem["code"] == "body_timeout"
    assert response.header("connection") == "close"
    assert len(app._deadlines.in_flight) == 0


@pytest.mark.parametrize("path", ["/api/books", "/legacy"])
async def test_a_body_that_trickles_until_the_time_of_the_request_is_over_is_a_408(path: str) -> None:
    async def receive() -> Message:
        await asyncio.sleep(0.02)
        return {"type": "http.request", "body": b"x" * 600, "more_body": True}

    app = gate(reading, body_seconds=5, request_seconds=0.2)
    response = await asyncio.wait_for(ask(app, scope("POST", path, headers=[JSON, CHUNKED]), receive), 5)
    assert (response.status, response.problem["code"]) == (408, "body_timeout")
    assert response.header("connection") == "close"


async def test_an_application_that_is_slow_after_the_body_is_a_504() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await asyncio.Event().wait()

    slow = gate(app, request_seconds=0.2)
    response = await asyncio.wait_for(ask(slow, scope("POST", headers=[JSON, length(2)]), parts(b"{}")), 5)
    assert (response.status, response.problem["code"]) == (504, "request_timeout")


@pytest.mark.parametrize("path", ["/api/books", "/legacy"])
@pytest.mark.parametrize(
    ("size", "count", "status"),
    [(1, 16, 200), (1, 17, 400), (0, 17, 400), (512, 500, 200), (100, 19, 200), (100, 20, 400)],
)
async def test_a_body_may_come_in_so_many_parts(path: str, size: int, count: int, status: int) -> None:
    response = await ask(gate(reading), scope("POST", path, [JSON, CHUNKED]), parts(*[b"x" * size] * count))
    assert response.status == status
    if status == 400:
        assert response.problem["code"] == "malformed_request"
        assert "small parts" in response.problem["detail"]
        assert response.header("connection") == "close"


async def test_waiting_for_the_disconnect_after_the_body_has_no_limit() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(receive(), 0.4)
        await responding()(scope, receive, send)

    async def receive() -> Message:
        if sent:
            await asyncio.Event().wait()
        sent.append(True)
        return {"type": "http.request", "body": b"{}", "more_body": False}

    sent: list[bool] = []
    response = await ask(gate(app, body_seconds=0.1), scope("POST", headers=[JSON, length(2)]), receive)
    assert response.status == 200


def unended(*chunks: bytes) -> Receive:
    """A body in parts as Granian gives it: its end is told apart from the last bytes. Then the client goes away."""
    ending: list[Message] = [{"type": "http.request", "body": b"", "more_body": False}]
    left: list[Message] = [{"type": "http.request", "body": chunk, "more_body": True} for chunk in chunks] + ending

    async def receive() -> Message:
        return left.pop(0) if left else {"type": "http.disconnect"}

    return receive


@pytest.mark.parametrize("chunks", [(b"{}",), (b"{", b"}"), (b"", b"{", b"", b"}")])
async def test_a_body_of_its_stated_length_is_complete_without_asking_for_the_end(chunks: tuple[bytes, ...]) -> None:
    receive = unended(*chunks)
    response = await ask(gate(reading), scope("POST", headers=[JSON, length(2)]), receive)
    assert (response.status, response.body) == (200, b"{}")
    assert (await receive())["more_body"] is False


async def test_a_body_without_a_stated_length_is_read_to_its_end() -> None:
    receive = unended(b"{", b"}")
    response = await ask(gate(reading), scope("POST", headers=[JSON, CHUNKED]), receive)
    assert (response.status, response.body) == (200, b"{}")
    assert (await receive())["type"] == "http.disconnect"


async def test_behind_a_complete_body_comes_nothing_but_the_disconnect() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        messages = [await receive(), await receive()]
        assert messages == [{"type": "http.request", "body": b"{}", "more_body": False}, {"type": "http.disconnect"}]
        await responding()(scope, receive, send)

    asked = scope("POST", "/legacy", headers=[JSON, length(2)])
    assert (await ask(gate(app), asked, unended(b"{}"))).status == 200


async def test_a_body_is_read_once() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        call: Call = scope["gatepost"]
        assert await call.body() == b"{}"
        await call.body()

    response = await ask(gate(app), scope("POST", headers=[JSON, length(2)]), unended(b"{}"))
    assert (response.status, response.problem["code"]) == (400, "malformed_request")


async def test_a_client_that_goes_away_halfway_is_a_broken_request() -> None:
    async def receive() -> Message:
        return {"type": "http.disconnect"}

    assert (await ask(gate(reading), scope("POST", headers=[JSON, length(2)]), receive)).status == 400


class Uploader:
    """A client that sends parts of a body when it is told to."""

    def __init__(self) -> None:
        self.messages: asyncio.Queue[Message] = asyncio.Queue()

    def send(self, body: bytes, *, more: bool = True) -> None:
        self.messages.put_nowait({"type": "http.request", "body": body, "more_body": more})

    def disconnect(self) -> None:
        self.messages.put_nowait({"type": "http.disconnect"})


async def slow_stream(request: Request) -> StreamingResponse:
    async def polling() -> AsyncIterator[bytes]:
        for number in range(4):
            assert not await request.is_disconnected()
            yield b"%d" % number
            await asyncio.sleep(0.01)

    return StreamingResponse(polling())


@pytest.mark.parametrize("sent", [0, 1, 3])
async def test_a_response_may_be_streamed_while_its_body_still_arrives(sent: int) -> None:
    """Starlette waits for the disconnect in one task, and polls for it in another."""
    site = Starlette(routes=[Route("/legacy", slow_stream, methods=["POST"])])
    uploader, app = Uploader(), gate(site)
    for _ in range(sent):
        uploader.send(b"x" * 600)
    response = await asyncio.wait_for(ask(app, scope("POST", "/legacy", [length(9_000)]), uploader.messages.get), 5)
    assert (response.status, response.body) == (200, b"0123")
    assert app._queue.running == 0
    assert not app._deadlines._waits


async def test_a_request_that_waits_twice_is_paused_until_both_waits_end() -> None:
    running: list[int] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        first, second = asyncio.ensure_future(receive()), asyncio.ensure_future(receive())
        running.append(served._queue.running)
        await asyncio.sleep(0)
        running.append(served._queue.running)
        first.cancel()
        await asyncio.wait([first])
        running.append(served._queue.running)
        uploader.send(b"{}")
        assert (await second)["body"] == b"{}"
        running.append(served._queue.running)
        await responding()(scope, receive, send)

    uploader, served = Uploader(), gate(app)
    assert (await ask(served, scope("POST", headers=[JSON, length(2)]), uploader.messages.get)).status == 200
    assert running == [1, 0, 0, 1]
    assert served._queue.running == 0


async def test_a_request_may_wait_for_its_body_and_for_room_for_its_response() -> None:
    running: list[int] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        call: Call = scope["gatepost"]
        reading = asyncio.ensure_future(receive())
        await asyncio.sleep(0)
        await call.respond(Response(200, b"x" * 3 * PART_BYTES))
        running.append(served._queue.running)
        uploader.send(b"{}")
        await reading
        running.append(served._queue.running)

    uploader, served = Uploader(), gate(app)
    response = await ask(served, scope("POST", headers=[JSON, length(2)]), uploader.messages.get)
    assert len(response.body) == 3 * PART_BYTES
    assert running == [0, 1]
    assert served._queue.running == 0


@pytest.mark.parametrize("path", ["/api/books", "/legacy"])
async def test_a_watcher_for_the_disconnect_is_not_waiting_for_a_body_that_is_complete(path: str) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        body, watching = asyncio.ensure_future(receive()), asyncio.ensure_future(receive())
        await asyncio.sleep(0)
        uploader.send(b"{}")
        assert await body == {"type": "http.request", "body": b"{}", "more_body": False}
        assert not served._deadlines._waits
        uploader.send(b"", more=False)  # the end as Granian gives it
        await asyncio.sleep(0.3)
        assert not watching.done()
        uploader.disconnect()
        assert await watching == {"type": "http.disconnect"}
        await responding()(scope, receive, send)

    uploader, served = Uploader(), gate(app, body_seconds=0.1)
    response = await ask(served, scope("POST", path, [JSON, length(2)]), uploader.messages.get)
    assert response.status == 200


async def test_the_time_of_a_body_counts_from_its_last_part_for_all_who_wait_for_it() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        waits = [asyncio.ensure_future(receive()) for _ in range(4)]
        for wait in waits:
            await asyncio.sleep(0.2)
            uploader.send(b"x" * 600)
            await wait
        await receive()

    uploader, served = Uploader(), gate(app, body_seconds=0.35)
    started = asyncio.get_running_loop().time()
    response = await asyncio.wait_for(ask(served, scope("POST", headers=[JSON, CHUNKED]), uploader.messages.get), 5)
    assert (response.status, response.problem["code"]) == (408, "body_timeout")
    assert asyncio.get_running_loop().time() - started > 0.8 + 0.35
