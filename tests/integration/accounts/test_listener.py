"""The listener: what a heartbeat proves, and what happens when it does not come back."""

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import asyncpg
import pytest
from accounts_app import until
from tests.relay import Relay

from gatepost.database import listener as listener_module
from gatepost.database.heartbeat_monitor import clock
from gatepost.database.listener import HEARTBEAT_SECONDS, POOLED, TRUST_SECONDS, UNNOTIFIED, Listener
from gatepost.events import Events

Connection: TypeAlias = "asyncpg.Connection[Any]"


@pytest.fixture
async def relay(database_url: str) -> AsyncIterator[Relay]:
    """A relay in front of the database."""
    async with Relay(database_url).running() as made:
        yield made


@dataclass
class Listened:
    """The database that a listener listens to."""

    connect: Callable[[], Awaitable[Connection]]
    on_silence: Callable[[], None] = lambda: None
    epochs_read: int = 0
    connection_seconds_max: float = 600.0

    async def connect_listener(self) -> Connection:
        return await self.connect()

    def note_beat(self, raw: Connection, *, refuses_writes: bool) -> None:
        assert not raw.is_closed()
        assert not refuses_writes

    async def read_epoch(self, raw: Connection) -> None:
        self.epochs_read += 1

    def note_silence(self) -> None:
        self.on_silence()


async def notifies(_: Connection) -> bool:
    """The triggers are there."""
    return True


@asynccontextmanager
async def listening(
    url: str,
    check: Callable[[Connection], Awaitable[bool]] = notifies,
    on_doubt: Callable[[str], None] = lambda _: None,
    on_silence: Callable[[], None] = lambda: None,
) -> AsyncIterator[tuple[Listener, list[str], list[None]]]:
    """A listener, what it heard, and how often everything had to be forgotten."""
    heard: list[str] = []
    resets: list[None] = []

    def on_change(payload: str | None) -> None:
        if payload is None:
            resets.append(None)
        else:
            heard.append(payload)

    made = Listener(Listened(lambda: asyncpg.connect(url), on_silence), "news", on_change, check, on_doubt)
    await made.start(Events())
    try:
        yield made, heard, resets
    finally:
        await made.stop()


async def test_what_was_committed_before_a_heartbeat_is_heard_before_its_reply(database_url: str) -> None:
    """The promise that the listener's trust rests on, of PostgreSQL and the driver together."""
    heard: list[object] = []
    hearing: Connection = await asyncpg.connect(database_url)
    saying: Connection = await asyncpg.connect(database_url)
    await hearing.add_listener("news", lambda *message: heard.append(message[3]))
    for number in range(500):
        await saying.execute(f"NOTIFY news, '{number}'")
        await hearing.execute("SELECT")
        assert heard[-1] == str(number)
    await hearing.close()
    await saying.close()


def test_the_bound_holds_two_heartbeats_and_stays_below_100_ms() -> None:
    assert 2 * HEARTBEAT_SECONDS <= TRUST_SECONDS < 0.1


async def test_a_listener_is_trusted_for_a_moment_at_a_time_and_not_after_its_end(database_url: str) -> None:
    async with listening(database_url) as (made, _, resets):
        await until(lambda: made.is_trusted)
        assert made.trusted_until <= clock() + TRUST_SECONDS
        assert len(resets) == 1
    assert not made.is_trusted


async def test_an_event_loop_that_stood_still_trusts_nothing_until_it_has_listened_again(database_url: str) -> None:
    async with listening(database_url) as (made, _, resets):
        await until(lambda: made.is_trusted)
        stalled_until = clock() + 2 * TRUST_SECONDS
        while clock() < stalled_until:
            pass
        assert not made.is_trusted
        await until(lambda: made.is_trusted)
        assert len(resets) == 1


async def test_a_peer_that_falls_silent_is_given_up_and_everything_forgotten(
    relay: Relay, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listener_module, "HEARTBEAT_TIMEOUT_SECONDS", 0.2)
    silences: list[None] = []
    async with listening(relay.url, on_silence=lambda: silences.append(None)) as (made, _, resets):
        await until(lambda: made.is_trusted)
        relay.stall()
        relay.stall_new()
        await until(lambda: not made.is_trusted)
        await until(lambda: relay.accepted >= 2)
        assert not made.is_trusted
        await until(lambda: made.heartbeat.is_silent)
        relay.flow()
        await until(lambda: made.is_trusted)
        assert len(resets) == 2
        assert (len(silences), made.heartbeat.is_silent) == (1, False), "said once, however many tries there were"


async def test_a_killed_backend_ends_the_trust_and_the_next_connection_forgets_everything(database_url: str) -> None:
    other: Connection = await asyncpg.connect(database_url)
    async with listening(database_url) as (made, heard, resets):
        await until(lambda: made.is_trusted)
        await other.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        await until(lambda: len(resets) == 2)
        await until(lambda: made.is_trusted)
        await other.execute("NOTIFY news, 'again'")
        await until(lambda: heard == ["again"])
    await other.close()


async def test_behind_a_pooler_nothing_is_trusted_and_the_database_is_there(
    relay: Relay, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A pooler replies with a process id of its own making, and hands queries to backends that do not listen."""
    monkeypatch.setattr(listener_module, "HEARTBEAT_TIMEOUT_SECONDS", 0.2)
    monkeypatch.setattr(listener_module, "PING_SECONDS", 0.05)
    key_data = re.compile(rb"K\x00\x00\x00\x0c(....)", re.DOTALL)
    relay.edit = lambda data: key_data.sub(b"K\x00\x00\x00\x0c\x00\x00\x00\x07", data)
    doubts: list[str] = []
    async with listening(relay.url, on_doubt=doubts.append) as (made, _, resets):
        for accepted in (2, 3):
            await until(lambda: not made.heartbeat.is_silent)
            relay.stall()
            await until(lambda: made.heartbeat.is_silent)
            await until(lambda wanted=accepted: relay.accepted >= wanted)  # type: ignore[misc]
        assert not made.is_trusted
        assert not resets
        assert doubts == [POOLED], "said once, not at each try"


async def test_nothing_is_trusted_while_the_check_says_no(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listener_module, "DOUBT_SECONDS", 0.05)
    monkeypatch.setattr(listener_module, "PING_SECONDS", 0.05)
    results = [True, False, False]

    async def check(_connection: Connection) -> bool:
        return results.pop()

    doubts: list[str] = []
    async with listening(database_url, check, doubts.append) as (made, _, resets):
        await until(lambda: made.is_trusted)
        assert (results, len(resets), doubts) == ([], 1, [UNNOTIFIED])


async def test_a_database_that_is_not_there_is_tried_again_and_stopping_is_quick(tmp_path: Path) -> None:
    tries: list[None] = []

    async def connect() -> Connection:
        tries.append(None)
        raise ConnectionRefusedError

    made = Listener(Listened(connect), "news", lambda _: None, notifies, lambda _: None)
    await made.start(Events())
    await until(lambda: len(tries) >= 3)
    assert not made.is_trusted
    async with asyncio.timeout(5):
        await made.stop()
