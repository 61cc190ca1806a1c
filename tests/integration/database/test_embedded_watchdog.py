"""The embedded PostgreSQL under guard: it is back after every end but the wanted one."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.integration.database.embedded_processes import SMALL, is_running, wait_until

from gatepost.embedded.postgresql import EmbeddedPostgreSQL
from gatepost.embedded.watchdog import Watchdog
from gatepost.events import (
    EmbeddedDatabaseEnded,
    EmbeddedDatabaseNotRestarted,
    EmbeddedDatabaseRestarted,
    Events,
)

Told = list[object]


@pytest.fixture
def told() -> Told:
    """What the guardian said."""
    return []


@pytest.fixture
def events(told: Told) -> Events:
    """Events that end up in `told`."""
    made = Events()
    for event in (EmbeddedDatabaseEnded, EmbeddedDatabaseRestarted, EmbeddedDatabaseNotRestarted):
        made.subscribe(event, told.append)
    return made


@pytest.fixture
def server(spoilable: Path) -> Iterator[EmbeddedPostgreSQL]:
    """A running server in a folder of its own."""
    with EmbeddedPostgreSQL(spoilable, settings=SMALL) as server:
        yield server


def kill(server: EmbeddedPostgreSQL) -> int:
    """As the kernel does that is short of memory; the process that was killed."""
    pid = server.pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    return pid


def test_a_killed_server_is_back_with_its_data_and_it_is_said_once(
    server: EmbeddedPostgreSQL, told: Told, events: Events
) -> None:
    with Watchdog(server, events):
        killed = kill(server)
        wait_until(lambda: len(told) == 2)
        assert server.execute("SELECT value FROM kept", database="gatepost") == "42"
        assert server.pid not in (None, killed)
    ended, restarted = told
    assert ended == EmbeddedDatabaseEnded(ended_by="SIGKILL")
    assert isinstance(restarted, EmbeddedDatabaseRestarted)


def test_it_comes_back_while_forked_children_share_the_folders_lock(
    server: EmbeddedPostgreSQL, told: Told, events: Events
) -> None:
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:  # as a worker: it holds what it inherits until it is told to end
        os.close(writer)
        os.read(reader, 1)
        os._exit(0)
    try:
        with Watchdog(server, events):
            kill(server)
            wait_until(lambda: len(told) == 2)
            assert server.execute("SELECT value FROM kept", database="gatepost") == "42"
    finally:
        os.close(writer)
        os.close(reader)
        os.waitpid(child, 0)


def test_a_server_that_cannot_start_is_tried_again_and_the_reason_said_once(
    server: EmbeddedPostgreSQL, told: Told, events: Events, spoilable: Path
) -> None:
    needed = spoilable / "cluster" / "global"
    with Watchdog(server, events):
        hidden = needed.rename(spoilable / "hidden")
        kill(server)
        starts = "could not open file"
        wait_until(lambda: server.log.read_text().count(starts) >= 2)
        hidden.rename(needed)
        wait_until(lambda: isinstance(told[-1], EmbeddedDatabaseRestarted))
    _, reason, _ = told
    assert isinstance(reason, EmbeddedDatabaseNotRestarted)
    assert starts in reason.reason
    assert str(server.log) in reason.reason


def test_a_server_that_is_stopped_stays_so(server: EmbeddedPostgreSQL, told: Told, events: Events) -> None:
    with Watchdog(server, events):
        pid = server.pid
    assert pid is not None
    assert is_running(pid), "leaving the block does not stop it"
    server.stop()
    assert (server.wait(), server.pid, told) == (0, None, [])
