"""When a database begins and ceases to take no writes, from what its sessions tell of themselves."""

from collections.abc import Callable
from typing import Any, NoReturn

import pytest

from gatepost.database.read_only import ReadOnly
from gatepost.events import DatabaseReadOnly, DatabaseWritable, Events


class Session:
    """What asyncpg knows of a session."""

    def __init__(self, *, standby: str = "off", read_only: str = "off") -> None:
        self.in_hot_standby, self.default_transaction_read_only = standby, read_only

    def get_settings(self) -> "Session":
        return self

    def is_closed(self) -> bool:
        return False


class Pool:
    """The idle sessions of a database, and what was told of it."""

    def __init__(self, *idle: Session) -> None:
        self.idle = [*idle]
        self.told: list[str] = []
        events = Events()
        events.subscribe(DatabaseReadOnly, lambda event: self.told.append("read-only"))
        events.subscribe(DatabaseWritable, lambda event: self.told.append("writable"))
        self.state = ReadOnly(self.connect, self.close_idle, events)

    async def connect(self) -> NoReturn:
        raise AssertionError("no new connection")

    def close_idle(self, is_stale: Callable[[Any], bool]) -> None:
        self.idle = [session for session in self.idle if not is_stale(session)]


async def test_a_promoted_standby_takes_writes_without_a_new_connection() -> None:
    session: Any = Session(standby="on")
    pool = Pool()
    pool.state.note_opened(session)
    assert pool.state.is_on
    session.in_hot_standby = "off"  # PostgreSQL reports the change at the promotion
    assert not pool.state.is_on


@pytest.mark.parametrize("end", ["opened", "told"])
async def test_sessions_of_the_last_outage_do_not_begin_the_next_one(end: str) -> None:
    old: Any = Session(read_only="on")
    new: Any = Session()
    pool = Pool(old, new)
    pool.state.note_opened(old)
    if end == "opened":
        pool.state.note_opened(new)
    else:
        asked: Any = Session(read_only="on")
        pool.state.note_told(asked, refuses=True)
        pool.state.note_told(asked, refuses=False)
    assert pool.idle == [new]
    assert pool.told == ["read-only", "writable"]
