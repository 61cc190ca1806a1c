"""The listener: what a heartbeat proves, and what happens when it does not come back."""

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeAlias

import asyncpg
import pytest
from accounts_scenes import until

from gatepost.database import listener as listener_module
from gatepost.database.listener import HEARTBEAT_SECONDS, POOLED, TRUST_SECONDS, UNNOTIFIED, Listener, clock

Connection: TypeAlias = "asyncpg.Connection[Any]"


class Relay:
    """Stands between a client and PostgreSQL's socket, as a network or a pooler does."""

    def __init__(self, server: Path, folder: Path) -> None:
        self._server = server
        self._folder = folder
        self.flows = asyncio.Event()
        self.flows.set()
        self.accepted = 0
        self.edit: Callable[[bytes], bytes] = bytes
        self._streams: set[asyncio.StreamWriter] = set()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        server = await asyncio.start_unix_server(self._serve, self._folder / ".s.PGSQL.5432")
        try:
            yield
        finally:
            self.flows.set()
            server.close()
            for stream in self._streams:
                stream.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.accepted += 1
        far_reader, far_writer = await asyncio.open_unix_connection(str(self._server))
        self._streams |= {writer, far_writer}
        await asyncio.gather(self._pump(reader, far_writer, bytes), self._pump(far_reader, writer, self.edit))

    async def _pump(
        self, source: asyncio.StreamReader, target: asyncio.StreamWriter, edit: Callable[[bytes], bytes]
    ) -> None:
        while data := await source.read(65536):
            await self.flows.wait()
            if target.is_closing():
                return
            target.write(edit(data))
        target.close()


@pytest.fixture
async def relay(database_url: str, tmp_path: Path) -> AsyncIterator[tuple[Relay, str]]:
    """A relay, and the DSN that goes through it."""
    folder = database_url.partition("host=")[2]
    made = Relay(Path(folder) / ".s.PGSQL.5432", tmp_path)
    async with made.running():
        yield made, database_url.replace(folder, str(tmp_path))


@asynccontextmanager
async def listening(
    url: str,
    check: Callable[[Connection], Awaitable[bool]] | None = None,
    on_doubt: Callable[[str], None] | None = None,
) -> AsyncIterator[tuple[Listener, list[str], list[None]]]:
    """A listener, what it heard, and how often everything had to be forgotten."""
    heard: list[str] = []
    resets: list[None] = []

    async def connect() -> Connection:
        return await asyncpg.connect(url)

    made = Listener(
        connect,
        "news",
        on_notification=heard.append,
        on_reset=lambda: resets.append(None),
        check=check,
        on_doubt=on_doubt,
    )
    await made.start()
    try:
        yield made, heard, resets
    finally:
        await made.stop()


async def test_what_was_committed_before_a_heartbeat_is_heard_before_its_answer(database_url: str) -> None:
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
    relay: tuple[Relay, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listener_module, "SILENCE_SECONDS", 0.2)
    network, url = relay
    async with listening(url) as (made, _, resets):
        await until(lambda: made.is_trusted)
        network.flows.clear()
        await until(lambda: not made.is_trusted)
        await until(lambda: network.accepted >= 2)
        assert not made.is_trusted
        network.flows.set()
        await until(lambda: made.is_trusted)
        assert len(resets) == 2


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


async def test_behind_a_pooler_nothing_is_trusted(relay: tuple[Relay, str]) -> None:
    """A pooler answers with a process id of its own making, and hands queries to backends that do not listen."""
    pooler, url = relay
    key_data = re.compile(rb"K\x00\x00\x00\x0c(....)", re.DOTALL)
    pooler.edit = lambda data: key_data.sub(b"K\x00\x00\x00\x0c\x00\x00\x00\x07", data)
    doubts: list[str] = []
    async with listening(url, on_doubt=doubts.append) as (made, _, resets):
        await until(lambda: pooler.accepted >= 3)
        assert not made.is_trusted
        assert not resets
        assert doubts == [POOLED], "said once, not at each try"


async def test_nothing_is_trusted_while_the_check_says_no(database_url: str) -> None:
    answers = [True, False, False]

    async def check(_connection: Connection) -> bool:
        return answers.pop()

    doubts: list[str] = []
    async with listening(database_url, check, doubts.append) as (made, _, resets):
        await until(lambda: made.is_trusted)
        assert (answers, len(resets), doubts) == ([], 1, [UNNOTIFIED])


async def test_a_database_that_is_not_there_is_tried_again_and_stopping_is_quick(tmp_path: Path) -> None:
    tries: list[None] = []

    async def connect() -> Connection:
        tries.append(None)
        raise ConnectionRefusedError

    made = Listener(connect, "news", on_notification=lambda _: None, on_reset=lambda: None)
    await made.start()
    await until(lambda: len(tries) >= 3)
    assert not made.is_trusted
    async with asyncio.timeout(5):
        await made.stop()
