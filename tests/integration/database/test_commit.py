"""A writing request is committed before its response is sent; callbacks run after the commit, and only then."""

import asyncio
import contextlib
from typing import Any

import asyncpg
import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError
from transaction_app import TransactionApp, by_flush, callbacks_failed, failures, nothing

from gatepost import Service
from gatepost.database.transactions import Transaction, TransactionBroken


async def test_a_writing_request_is_committed_before_the_first_byte_of_its_response(
    transaction_app: TransactionApp, other: "asyncpg.Connection[Any]"
) -> None:
    seen: list[int] = []
    send_through = transaction_app.client._app

    async def watching(scope: Any, receive: Any, send: Any) -> None:
        async def sending(message: Any) -> None:
            if message["type"] == "http.response.start":
                seen.append(await other.fetchval("SELECT (SELECT count(*) FROM notes) + (SELECT count(*) FROM plain)"))
            await send(message)

        await send_through(scope, receive, sending)

    transaction_app.client._app = watching
    await transaction_app.create_after(nothing)
    await transaction_app.client.post("/api/plain", json={"text": "derived"})
    transaction_app.client._app = send_through
    assert seen == [1, 2]


async def test_a_commit_that_was_sent_is_not_cancelled_and_what_follows_it_follows(
    transaction_app: TransactionApp, other: "asyncpg.Connection[Any]", monkeypatch: pytest.MonkeyPatch
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

    async def step(service: Service[Any]) -> None:
        service.after_commit(lambda: ran.append("after"))

    requests.append(asyncio.ensure_future(transaction_app.create_after(step)))
    with contextlib.suppress(asyncio.CancelledError):
        await requests[0]
    assert await other.fetchval("SELECT count(*) FROM notes") == 1
    assert ran == ["after"]
    monkeypatch.undo()
    assert (await transaction_app.create_after(nothing)).status == 201


async def test_a_callback_runs_after_the_commit_and_sees_it(transaction_app: TransactionApp) -> None:
    seen: list[int] = []

    async def step(service: Service[Any]) -> None:
        async def look() -> None:
            seen.append(await transaction_app.count())

        service.after_commit(look)
        service.after_commit(lambda: seen.append(-1))

    assert (await transaction_app.create_after(step)).status == 201
    assert seen == [1, -1]


async def test_no_callback_runs_where_nothing_is_committed(transaction_app: TransactionApp) -> None:
    ran: list[str] = []

    async def step(service: Service[Any]) -> None:
        service.after_commit(lambda: ran.append("no"))
        await by_flush(service)
        with contextlib.suppress(IntegrityError):
            await by_flush(service)

    assert (await transaction_app.create_after(step)).status == 500
    assert ran == []


@pytest.mark.parametrize("error", [ValueError("no mail server"), SystemExit(1), asyncio.CancelledError()])
async def test_a_callback_that_fails_is_reported_and_stops_neither_the_others_nor_the_response(
    transaction_app: TransactionApp, error: BaseException
) -> None:
    ran: list[str] = []

    async def step(service: Service[Any]) -> None:
        async def fail() -> None:
            raise error

        service.after_commit(fail)
        service.after_commit(lambda: ran.append("yes"))

    assert (await transaction_app.create_after(step)).status == 201
    assert ran == ["yes"]
    assert len(callbacks_failed) == 1
    assert "fail" in callbacks_failed[0]
    assert failures == []


async def test_a_callback_has_no_session_and_is_told_so(transaction_app: TransactionApp) -> None:
    seen: list[BaseException] = []
    kept: list[Any] = []

    async def step(service: Service[Any]) -> None:
        kept.append(service.session)

        async def use() -> None:
            for attempt in (
                lambda: service.session.execute(text("SELECT 1")),
                lambda: kept[0].execute(text("SELECT 1")),
            ):
                try:
                    await attempt()
                except Exception as error:
                    seen.append(error)

        service.after_commit(use)

    assert (await transaction_app.create_after(step)).status == 201
    assert isinstance(seen[0], TransactionBroken)
    assert "closed" in str(seen[1])
