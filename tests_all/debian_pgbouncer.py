"""Debian's PgBouncer in front of Debian's PostgreSQL, as an operator has it who read "use a pooler" somewhere."""

import os
import shutil
import signal
import subprocess
import time
from pathlib import Path
from typing import Self

from debian_postgresql import ROLE, DebianPostgreSQL, psql

from gatepost.embedded.processes import spawn

STARTUP_SECONDS_MAX = 30.0
PORT = 6432
ADMITTED = (
    "default_transaction_isolation,extra_float_digits,intervalstyle,bytea_output,jit,statement_timeout,lock_timeout,"
    "idle_in_transaction_session_timeout"
)
"""What has to be in `ignore_startup_parameters`, for PgBouncer would refuse our connections."""


class PgBouncer:
    """A pooler on a Unix socket of its own beside the server's, which dies with us; it never runs as root."""

    def __init__(self, server: DebianPostgreSQL, *, pool_mode: str, ignored: str = ADMITTED) -> None:
        self._server = server
        self._folder = server.folder / f"pgbouncer-{pool_mode}"
        self._options = {
            "auth_type": "any",
            "ignore_startup_parameters": ignored,
            "listen_port": str(PORT),
            "logfile": str(self._folder / "log"),
            "pool_mode": pool_mode,
            "unix_socket_dir": str(self._folder),
        }
        self._process: subprocess.Popen[bytes] | None = None

    def dsn(self, database: str) -> str:
        """The DSN of a database behind the pooler, as the application's role."""
        return f"postgresql://{ROLE}@/{database}?host={self._folder}&port={PORT}"

    def __enter__(self) -> Self:
        self._folder.mkdir()
        lines = ["[databases]", f"* = host={self._server.folder} user={ROLE}", "[pgbouncer]"]
        lines += [f"{name} = {value}" for name, value in self._options.items()]
        settings = self._folder / "pgbouncer.ini"
        settings.write_text("\n".join(lines) + "\n")
        account = self._server.account
        if account.changes:
            for path in (self._folder, settings):
                os.chown(path, account.uid, account.gid)
        command = [_program(), str(settings)]
        self._process = spawn(command, account, death_signal=signal.SIGINT, output=subprocess.DEVNULL)
        self._wait_until_ready()
        return self

    def __exit__(self, *_: object) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
        shutil.rmtree(self._folder)

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + STARTUP_SECONDS_MAX
        while not (self._folder / f".s.PGSQL.{PORT}").exists():
            assert self._process is not None
            assert self._process.poll() is None, (self._folder / "log").read_text()
            assert time.monotonic() < deadline, "PgBouncer is not ready"
            time.sleep(0.02)
        assert psql(self.dsn("postgres"), "SELECT 1") == "1"


def _program() -> str:
    found = shutil.which("pgbouncer") or "/usr/sbin/pgbouncer"
    assert Path(found).exists(), "Debian's package pgbouncer is not installed: run tests/install-programs"
    return found
