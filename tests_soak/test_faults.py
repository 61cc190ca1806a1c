"""Random kills of workers, backends and the log's reader, and pauses of PostgreSQL, under clients that write.

`make soak SOAK_SECONDS=600` is ten minutes of it. No acknowledged write is lost, none is doubled, what is said not to
be written is not there; and no 5xx comes outside the time of a fault and five seconds after it.
"""

import asyncio
import os
import socket
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import asyncpg
import pytest
from tests.acceptance.conftest import GATEPOST, end_with_parent, wait_for
from tests.acceptance.raw_http_server import migrate
from tests_soak.faults import Fault, Faults, LogReader
from tests_soak.ledger import Ledger, Told

from gatepost.auth.keys import KEY_FILE, development_key
from gatepost.embedded.postgresql import EmbeddedPostgreSQL

SECONDS = float(os.environ.get("GATEPOST_SOAK_SECONDS", "60"))
HEALING_SECONDS = 5.0
CLIENTS = 8
APP = """
from sqlalchemy.orm import Mapped

from gatepost import Actor, App, Model, Resource, Service, anyone


class Entry(Model):
    __tablename__ = "entries"
    key: Mapped[str]


class Order(Model):
    __tablename__ = "orders"
    key: Mapped[str]


class Position(Model):
    __tablename__ = "positions"
    key: Mapped[str]


class Orders(Service[Order]):
    async def create(self, draft: Order, actor: Actor) -> Order:
        self.session.add(Position(key=draft.key))
        return await super().create(draft, actor)


app = App(
    Resource(Entry, read=anyone, create=anyone),
    Resource(Order, read=anyone, create=anyone, service=Orders),
    Resource(Position, read=anyone),
)
"""


@dataclass(frozen=True)
class Run:
    """What happened: what clients were told, what was done to the server, and which keys the tables hold how often."""

    told: list[Told]
    faults: list[Fault]
    rows: dict[str, Counter[str]]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    """One run of SECONDS, which all the tests of the module look at."""
    folder: Path = tmp_path_factory.mktemp("faults")
    (folder / "app.py").write_text(APP)
    development_key(folder)
    with EmbeddedPostgreSQL(folder / "postgresql") as database:
        yield serve(folder, database)


def serve(folder: Path, database: EmbeddedPostgreSQL) -> Run:
    environ = {
        **{name: value for name, value in os.environ.items() if not name.startswith("GATEPOST")},
        "DATABASE_URL": database.dsn("gatepost"),
        "GATEPOST_SIGNING_KEY_FILE": str(folder / KEY_FILE),
        "GATEPOST_LIMIT_API": "1000000",
        "GATEPOST_DRAIN_DELAY_SECONDS": "0",
        "PYTHONPATH": str(folder),
    }
    migrate(folder, environ["DATABASE_URL"])
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    reader = LogReader(folder / "log")
    with (folder / "log").open("r+b", buffering=0) as log, (folder / "err").open("wb") as err:
        command = [GATEPOST, "serve", "--port", str(port), "--workers", "2"]
        server = subprocess.Popen(
            command,
            cwd=folder,
            env=environ,
            stdout=log,
            stderr=err,
            start_new_session=True,
            preexec_fn=end_with_parent,
        )
        try:
            wait_for(lambda: is_ready(port), "the server")
            faults = Faults(server, database, reader)
            with Ledger(port, CLIENTS) as ledger:
                faults.run(SECONDS)
            return Run(ledger.told, faults.done, asyncio.run(rows(environ["DATABASE_URL"])))
        finally:
            server.terminate()
            server.wait(30)
            reader.close()


def is_ready(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=5) as client:
            client.sendall(b"GET /readyz HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")
            return client.recv(12) == b"HTTP/1.1 200"
    except OSError:
        return False


async def rows(url: str) -> dict[str, Counter[str]]:
    connection = await asyncpg.connect(url)
    try:
        found: dict[str, Counter[str]] = {}
        for table in ("entries", "orders", "positions"):
            found[table] = Counter(row[0] for row in await connection.fetch(f"SELECT key FROM {table}"))
        return found
    finally:
        await connection.close()


def written(run: Run, told: Told) -> set[int]:
    """How often the rows of a request are there; several numbers where a transaction was torn."""
    key = told.key or ""
    tables = ("entries",) if told.path.endswith("entries") else ("orders", "positions")
    return {run.rows[table][key] for table in tables}


def test_every_acknowledged_write_is_there_once(run: Run) -> None:
    acknowledged = [told for told in run.told if told.key and told.is_acknowledged]
    assert len(acknowledged) > SECONDS * 10
    assert [told for told in acknowledged if written(run, told) != {1}] == []


def test_no_write_is_doubled_or_torn(run: Run) -> None:
    assert [told for told in run.told if told.key and written(run, told) not in ({0}, {1})] == []


def test_what_is_said_not_to_be_written_is_not_there(run: Run) -> None:
    refused = [told for told in run.told if told.key and not told.is_acknowledged and not told.is_unknown]
    assert [told for told in refused if written(run, told) != {0}] == []


def test_there_is_no_5xx_outside_a_fault_and_the_time_to_heal(run: Run) -> None:
    failed = [told for told in run.told if told.status is not None and told.status >= 500]
    print(f"\n{len(run.told):,} requests, {len(run.faults)} faults, {len(failed):,} times 5xx", end="")
    print(f"; {Counter((told.status, told.code) for told in failed)}", end="")
    assert Counter(after(told, run.faults) for told in failed if not in_a_fault(told, run.faults)) == {}


def after(told: Told, faults: list[Fault]) -> str:
    """What a request was told, and how long after which fault."""
    fault = max((fault for fault in faults if fault.began < told.ended), key=lambda fault: fault.began)
    return f"{told.code} {told.ended - fault.ended:.0f} s after: {fault.name} ({fault.ended - fault.began:.1f} s)"


def test_connections_break_only_at_the_kill_of_a_worker(run: Run) -> None:
    kills = [fault for fault in run.faults if fault.name == "kill a worker"]
    broken = [told for told in run.told if told.status is None]
    assert [told for told in broken if not in_a_fault(told, kills)] == []


def in_a_fault(told: Told, faults: list[Fault]) -> bool:
    return any(fault.began <= told.ended and told.began <= fault.ended + HEALING_SECONDS for fault in faults)


def test_every_kind_of_fault_was_committed(run: Run) -> None:
    assert len({fault.name for fault in run.faults}) == 5 or SECONDS < 100
    assert time.monotonic() > run.faults[-1].ended
