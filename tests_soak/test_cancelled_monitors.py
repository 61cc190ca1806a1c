"""A monitor that is told to stop at whatever moment ends: also where a reply comes at the same moment.

`asyncio.wait_for` of Python 3.11, by which libraries wait, then returns the reply instead of saying that it was
cancelled (`gatepost.background.stop_if_cancelled`). So each reply is tried, and the steps of the loop after it.
"""

import asyncio
from asyncio import selector_events
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Column, Integer, MetaData, Table
from tests.databases import Databases
from tests.integration.records.alert_instances import Instance
from tests.receivers import Received, receiving

from gatepost.embedded.postgresql import EmbeddedPostgreSQL
from gatepost.events import ErrorGroupFound

STEPS = 4
"""Of the loop, in which what waits for a reply learns of it."""

REPLIES = 30
"""Of the database and of the mail server, until a mail is sent: a few more or fewer, as they come together."""

IDLE_SECONDS = 1.0
"""So long after the last reply there is none."""


class Replies:
    """Counts what comes through sockets of a loop, and calls something at one of them, or some steps later."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._left = 0
        self._steps = 0
        self._then: Callable[[], object] = lambda: None
        read = selector_events._SelectorSocketTransport._read_ready  # type: ignore[attr-defined]

        def read_and_count(transport: Any) -> None:
            read(transport)
            if transport._loop is self._loop:
                self._left -= 1
                if self._left == 0:
                    self._later(self._steps)

        patch.setattr(selector_events._SelectorSocketTransport, "_read_ready", read_and_count)  # type: ignore[attr-defined]

    def call_at(self, number: int, steps: int, then: Callable[[], object]) -> None:
        """Call it at this reply from now on to the running loop."""
        self._loop = asyncio.get_running_loop()
        self._left, self._steps, self._then = number, steps, then

    def _later(self, steps: int) -> None:
        assert self._loop is not None
        if steps:
            self._loop.call_soon(self._later, steps - 1)
        else:
            self._loop = None
            self._then()


async def cancel_at(replies: Replies, dsn: str, received: Received, number: int, steps: int) -> bool:
    """Run a monitor that has an alert to tell of, and cancel it then; whether there are so many replies."""
    instance = Instance("one", dsn, received)
    reached = asyncio.Event()
    others = asyncio.all_tasks()
    try:
        async with instance.monitor():
            tasks = asyncio.all_tasks() - others

            def cancel() -> None:
                for task in tasks:
                    task.cancel()
                reached.set()

            replies.call_at(number, steps, cancel)
            instance.events.emit(ErrorGroupFound("a1b2", "ValueError", "shop.orders.pay", False))
            try:
                async with asyncio.timeout(IDLE_SECONDS):
                    await reached.wait()
            except TimeoutError:
                cancel()
                return False
            _, alive = await asyncio.wait(tasks, timeout=30)
            assert not alive, (number, steps, [task.get_coro() for task in alive])
            return True
    finally:
        instance.close()


@pytest.fixture
def dsn(tmp_path: Path) -> Iterator[str]:
    """A database with the tables of the monitors."""
    metadata = MetaData()
    Table("kept_beside_the_alerts", metadata, Column("id", Integer, primary_key=True))
    with EmbeddedPostgreSQL(tmp_path / "postgresql") as server, Databases(server).opened(metadata) as found:
        yield found


def test_a_monitor_that_is_cancelled_at_a_reply_ends(dsn: str, monkeypatch: pytest.MonkeyPatch) -> None:
    replies = Replies(monkeypatch)
    with receiving() as received:
        reached = [
            asyncio.run(cancel_at(replies, dsn, received, number, steps))
            for number in range(1, REPLIES + 1)
            for steps in range(STEPS)
        ]
    assert reached.count(True) > REPLIES * STEPS / 3
    assert received.mails
