"""Faults of a running server and its database, one after the other, with the times of each."""

import asyncio
import contextlib
import os
import random
import signal
import subprocess
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import asyncpg
import psutil

from gatepost.embedded.postgresql import EmbeddedPostgreSQL

QUIET_SECONDS = 8.0
"""Between two faults: what is to heal in five seconds has healed, and is seen to work."""

READER_AWAY_SECONDS = (1.0, 4.0)
PAUSE_SECONDS = (0.5, 8.0)

RECOVERY_SECONDS_MAX = 60.0
"""PostgreSQL replays what was written since its last checkpoint, up to five minutes of a busy server."""


@dataclass(frozen=True)
class Fault:
    """What was done, from when to when."""

    name: str
    began: float
    ended: float


class LogReader:
    """A program that reads the server's log from a named pipe. While it is gone the pipe fills up."""

    def __init__(self, pipe: Path) -> None:
        self._pipe = pipe
        os.mkfifo(pipe)
        # Held open, so that the server meets a reader that does not read, and not one that has gone for good.
        self._held = os.open(pipe, os.O_RDWR)
        self._program: subprocess.Popen[bytes] | None = None
        self.start()

    def start(self) -> None:
        """Read, and throw away."""
        self._program = subprocess.Popen(["cat", str(self._pipe)], stdout=subprocess.DEVNULL)

    def kill(self) -> None:
        """Stop reading."""
        if self._program is not None:
            self._program.kill()
            self._program.wait()

    def close(self) -> None:
        """Stop reading for good."""
        self.kill()
        os.close(self._held)


class Faults:
    """Commits faults at random, until told to stop. `done` are those that are over."""

    def __init__(self, server: subprocess.Popen[bytes], database: EmbeddedPostgreSQL, reader: LogReader) -> None:
        self.done: list[Fault] = []
        self._server = server
        self._database = database
        self._reader = reader
        self._chance = random.Random()
        self._kinds: dict[str, Callable[[], None]] = {
            "kill a worker": self._kill_worker,
            "terminate all backends": self._terminate_backends,
            "kill a backend": self._kill_backend,
            "pause PostgreSQL": self._pause,
            "kill the log's reader": self._stop_reading,
        }

    def run(self, seconds: float) -> None:
        """Every kind in turn, in a new order each time, for so long."""
        ends = time.monotonic() + seconds
        order: list[str] = []
        rest = threading.Event()
        while time.monotonic() < ends:
            order = order or self._chance.sample(list(self._kinds), len(self._kinds))
            name = order.pop()
            began = time.monotonic()
            self._kinds[name]()
            self.done.append(Fault(name, began, time.monotonic()))
            rest.wait(QUIET_SECONDS)

    def _kill_worker(self) -> None:
        workers = [child for child in psutil.Process(self._server.pid).children() if child.is_running()]
        if workers:
            self._chance.choice(workers).kill()

    def _backends(self) -> list[psutil.Process]:
        pid = self._database.pid
        children = psutil.Process(pid).children() if pid is not None else []
        found: list[psutil.Process] = []
        for child in children:
            with contextlib.suppress(psutil.NoSuchProcess):
                if " [local] " in (title := " ".join(child.cmdline())) or "127.0.0.1(" in title:
                    found.append(child)
        return found

    def _terminate_backends(self) -> None:
        for backend in self._backends():
            with contextlib.suppress(psutil.NoSuchProcess):
                backend.terminate()

    def _kill_backend(self) -> None:
        """PostgreSQL ends all others as well, and replays its log: the fault is over when it accepts connections."""
        if backends := self._backends():
            with contextlib.suppress(psutil.NoSuchProcess):
                self._chance.choice(backends).kill()
            psutil.wait_procs(backends, timeout=RECOVERY_SECONDS_MAX)
            asyncio.run(self._wait_until_accepted())

    async def _wait_until_accepted(self) -> None:
        async with asyncio.timeout(RECOVERY_SECONDS_MAX):
            while True:
                with contextlib.suppress(OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
                    connection = await asyncpg.connect(self._database.dsn("gatepost"))
                    await connection.close()
                    return
                await asyncio.sleep(0.05)

    def _pause(self) -> None:
        pid = self._database.pid
        assert pid is not None
        family = [psutil.Process(pid), *psutil.Process(pid).children()]
        for process in family:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.send_signal(signal.SIGSTOP)
        time.sleep(self._chance.uniform(*PAUSE_SECONDS))
        for process in family:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.send_signal(signal.SIGCONT)

    def _stop_reading(self) -> None:
        self._reader.kill()
        time.sleep(self._chance.uniform(*READER_AWAY_SECONDS))
        self._reader.start()
