"""The PostgreSQL servers of a site: a primary and standbys that follow it."""

import asyncio
import contextlib
import os
import shutil
import signal
import subprocess
from collections.abc import Mapping
from pathlib import Path

from gatepost.embedded.account import choose_account
from gatepost.embedded.data_folder import SOCKET_NAME, DataFolder
from gatepost.embedded.postgresql import DATABASE_USER, EmbeddedPostgreSQL
from gatepost.embedded.processes import clean_environment, command_line
from gatepost.embedded.programs import find_programs, run_script
from gatepost.errors import ConfigurationError
from gatepost.testing.topology.processes import Launcher, processes_below, resident_pages, signal_tree
from gatepost.testing.topology.relays import Relay

DATABASE = "gatepost"
SETTINGS: Mapping[str, str] = {
    "fsync": "off",  # what is written outlives every process here, and need not outlive the machine
    "full_page_writes": "off",
    "wal_retrieve_retry_interval": "100ms",
}


class DatabaseServer:
    """One server. `name` is unique in its site; `upstream` is the relay through which a standby follows its primary."""

    def __init__(self, name: str, folder: Path, launcher: Launcher, settings: Mapping[str, str]) -> None:
        self.name = name
        self.folder = folder
        self.upstream: Relay | None = None
        self._launcher = launcher
        self._settings = {**SETTINGS, **settings}
        self._paths = DataFolder(folder)
        self._server: EmbeddedPostgreSQL | None = None

    def __repr__(self) -> str:
        return self.name

    @property
    def pid(self) -> int | None:
        """The process of the server, None while it does not run."""
        return self._server.pid if self._server is not None else None

    @property
    def socket(self) -> Path:
        """Where it listens."""
        return self._paths.socket_folder / SOCKET_NAME

    @property
    def dsn(self) -> str:
        """The DSN of the app's database, past all relays."""
        return f"postgresql://{DATABASE_USER}@/{DATABASE}?host={self._paths.socket_folder}"

    @property
    def owner(self) -> int:
        """The user that its processes run as."""
        return self._paths.cluster.stat().st_uid

    @property
    def log(self) -> str:
        """What it has logged."""
        return self._paths.log.read_text(errors="replace") if self._paths.log.exists() else ""

    async def execute(self, sql: str) -> str:
        """Run SQL in the app's database; the rows, unaligned, a line for each. Raises ConfigurationError with
        PostgreSQL's words."""
        return await asyncio.to_thread(run_script, self.dsn, sql)

    async def start(self) -> None:
        """Start it, or start it again after it ended in whatever way; returns when it takes connections."""
        await self.stop()
        upstream = {} if self.upstream is None else {"primary_conninfo": self._conninfo(self.upstream)}
        self._server = EmbeddedPostgreSQL(self.folder, settings={**self._settings, **upstream}, database=DATABASE)
        await self._launcher.run(self._server.start)

    async def stop(self) -> None:
        """Stop it in order, as an administrator does."""
        if self._server is not None:
            await self._launcher.run(self._server.stop)

    def kill(self) -> None:
        """End all its processes at once, as when its machine loses power."""
        if self._server is not None and (pid := self.pid) is not None:
            os.kill(pid, signal.SIGSTOP)
            below = processes_below(pid)
            self._server.kill()
            for each in below:
                _kill(each)

    def kill_backend(self) -> None:
        """End the process with the most memory that serves a client, as the kernel does when there is none left. The
        server then restarts all of them."""
        if (pid := self.pid) is not None:
            backends = [each for each in processes_below(pid) if DATABASE in command_line(each)]
            with contextlib.suppress(ProcessLookupError):
                os.kill(max(backends, key=resident_pages), signal.SIGKILL)

    def pause(self) -> None:
        """Let it hang: it takes connections, and replies to nothing."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        """End a pause."""
        self._signal(signal.SIGCONT)

    async def copy_from(self, source: "DatabaseServer") -> None:
        """Become a standby of a server that runs, from a base backup of it; what was in the folder is gone."""
        self._paths.make()
        shutil.rmtree(self._paths.cluster, ignore_errors=True)
        await self._launcher.run(self._copy, source.dsn)

    async def promote(self) -> None:
        """Become a primary; returns when it takes writes."""
        await self.execute("SELECT pg_promote()")

    async def close(self) -> None:
        """End it, without taking care of what it holds."""
        if self._server is not None and (pid := self.pid) is not None:
            signal_tree(pid, signal.SIGCONT)
            os.kill(pid, signal.SIGQUIT)  # an immediate shutdown, which leaves no shared memory behind
            await asyncio.to_thread(self._server.wait)
            self._server.stop()

    def _signal(self, number: signal.Signals) -> None:
        if (pid := self.pid) is not None:
            signal_tree(pid, number)

    def _conninfo(self, upstream: Relay) -> str:
        return f"user={DATABASE_USER} host={upstream.socket.parent} application_name={self.name}"

    def _copy(self, dsn: str) -> None:
        programs = find_programs()
        cluster = self._paths.cluster
        account = choose_account(cluster, programs / "postgres")
        options = ["-D", str(cluster), "-d", dsn, "--checkpoint=fast", "--no-sync"]
        done = subprocess.run(  # noqa: S603 - our own program, no shell
            [programs / "pg_basebackup", *options],
            env=clean_environment(os.environ),
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            raise ConfigurationError(f"The base backup failed: {done.stderr.strip()}", location=str(self.folder))
        (cluster / "standby.signal").touch()
        if account.changes:
            for path in (cluster, *cluster.rglob("*")):
                os.chown(path, account.uid, account.gid, follow_symlinks=False)


def _kill(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
