"""A writing request is committed before it is answered, and what follows a commit follows it."""

import asyncio
import contextlib
from typing import Any

import asyncpg
import pytest
from desk import Desk, nothing

from gatepost import Service
from gatepost.database.transactions import Transaction


async def test_a_writing_request_is_committed_before_the_first_byte_of_its_answer(
    desk: Desk, other: "asyncpg.Connection[Any]"
) -> None:
    seen: list[int] = []
    send_through = desk.client._app

    async def watching(scope: Any, receive: Any, send: Any) -> None:
        async def sending(message: Any) -> None:
            if message["type"] == "http.response.start":
                seen.append(await other.fetchval("SELECT (SELECT count(*) FROM notes) + (SELECT count(*) FROM plain)"))
            await send(message)

        await send_through(scope, receive, sending)

    desk.client._app = watching
    await desk.do(nothing)
    await desk.client.post("/api/plain", json={"text": "derived"})
    desk.client._app = send_through
    assert seen == [1, 2]


async def test_a_commit_that_was_sent_is_not_cancelled_and_what_follows_it_follows(
    desk: Desk, other: "asyncpg.Connection[Any]", monkeypatch: pytest.MonkeyPatch
) -> None:
    ran: list[str] = []
    commit = Transaction.commit
    requests: list[asyncio.Task[Any]] = []

    async def cancelled_twice(self: Transaction) -> None:
        loop = asyncio.get_running_loop()
        loop.call_soon(lambda: loop.call_soon(requests[0].cancel))
        loop.call_soon(lambda: loop.call_soon(lambda: loop.call_soon(requests[0].cancel)))
        await commit(self)

    monkeypatch.setattr(Transaction, "commit", cancelled_twice)

    async def deed(service: Service[Any]) -> None:
        service.after_commit(lambda: ran.append("after"))

    requests.append(asyncio.ensure_future(desk.do(deed)))
    with contextlib.suppress(asyncio.CancelledError):
        await requests[0]
    assert await other.fetchval("SELECT count(*) FROM notes") == 1
    assert ran == ["after"]
    monkeypatch.undo()
    assert (await desk.do(nothing)).status == 201
