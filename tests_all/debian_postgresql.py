"""Debian's PostgreSQL, as somebody has it who brings a DATABASE_URL: older, another locale, a role without powers.

Not the embedded one in anything: collations of ICU or libc instead of the built-in one, no `uuidv7()`, and the
application's role may do what the owner of a database may; a developer may make databases as well.
"""

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Self

from gatepost.embedded.account import Account, drop_privileges
from gatepost.embedded.processes import spawn

ROLE = "bookseller"
DEVELOPER = "developer"
STARTUP_SECONDS_MAX = 60.0
SETTINGS = {"fsync": "off", "listen_addresses": "", "timezone": "America/New_York", "datestyle": "SQL, DMY"}


def debian_programs() -> Path:
    """The folder of the newest server that Debian's packages have installed."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[4]))
    assert found, "Debian's package postgresql is not installed: run tests/install-programs"
    return found[-1].parent


class DebianPostgreSQL:
    """A server in a folder of its own below /tmp, which dies with us; as root it runs as Debian's `postgres`.

    Texts are sorted as `icu_locale` sorts them; by code point, through libc, where it is None. `settings` are added to
    SETTINGS.
    """

    def __init__(self, *, icu_locale: str | None = None, settings: Mapping[str, str] = SETTINGS) -> None:
        self._icu_locale = icu_locale
        self._settings = {**SETTINGS, **settings}
        self.programs = debian_programs()
        self.account = _account()
        self.folder = Path(tempfile.mkdtemp(prefix="gatepost-debian-", dir="/tmp"))
        if self.account.changes:
            os.chown(self.folder, self.account.uid, self.account.gid)
        self._process: subprocess.Popen[bytes] | None = None

    def dsn(self, database: str, role: str = DEVELOPER) -> str:
        """The DSN of a database, as a developer unless told otherwise."""
        return f"postgresql://{role}@/{database}?host={self.folder}"

    def execute(self, sql: str, database: str = "postgres") -> str:
        """Run SQL as a developer, by Debian's psql; returns the rows, unaligned."""
        return psql(self.dsn(database), sql)

    def create_database(self, name: str) -> str:
        """An empty database that the application's role owns; returns its DSN."""
        self.execute(f"CREATE DATABASE {name} OWNER {ROLE}")
        return self.dsn(name, ROLE)

    def drop_database(self, name: str) -> None:
        """Remove it, whoever is still connected: autovacuum may be, which only a superuser may end."""
        psql(self.dsn("postgres", "postgres"), f"DROP DATABASE {name} WITH (FORCE)")

    def __enter__(self) -> Self:
        try:
            self._initialise()
            options = [f"--{name}={value}" for name, value in self._settings.items()]
            command = [self.programs / "postgres", "-D", self._cluster, "-k", self.folder, *options]
            with (self.folder / "log").open("wb") as log:
                words = [str(word) for word in command]
                self._process = spawn(words, self.account, death_signal=signal.SIGINT, output=log.fileno())
            self._wait_until_ready()
            superuser = self.dsn("postgres", "postgres")
            psql(superuser, f"CREATE ROLE {ROLE} LOGIN")
            psql(superuser, f"CREATE ROLE {DEVELOPER} LOGIN CREATEDB IN ROLE {ROLE}")
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        if self._process is not None:
            self._process.send_signal(signal.SIGINT)
            self._process.wait(30)
        shutil.rmtree(self.folder)

    @property
    def _cluster(self) -> Path:
        return self.folder / "data"

    def _initialise(self) -> None:
        locale = ["--locale=C.UTF-8", "--encoding=UTF8"]
        if self._icu_locale is not None:
            locale += ["--locale-provider=icu", f"--icu-locale={self._icu_locale}"]
        access = ["--auth=trust", "--username=postgres"]
        subprocess.run(
            [self.programs / "initdb", "--no-sync", *locale, *access, "-D", self._cluster],
            check=True,
            capture_output=True,
            cwd="/",
            preexec_fn=self._become,
        )

    def _become(self) -> None:
        if self.account.changes:
            drop_privileges(self.account)

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + STARTUP_SECONDS_MAX
        question = [self.programs / "pg_isready", "-q", "-h", self.folder]
        while subprocess.run(question, check=False).returncode != 0:
            assert self._process is not None
            log = (self.folder / "log").read_text()
            assert self._process.poll() is None, f"it ended: {log}"
            assert time.monotonic() < deadline, f"not ready after {STARTUP_SECONDS_MAX:g} s: {log}"
            time.sleep(0.02)


def psql(dsn: str, sql: str) -> str:
    """What an administrator types; returns the rows, unaligned."""
    command = ["psql", "--no-psqlrc", "--quiet", "--tuples-only", "--no-align", "-v", "ON_ERROR_STOP=1", dsn, "-c", sql]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def _account() -> Account:
    if os.geteuid() != 0:
        return Account(os.geteuid(), os.getegid(), changes=False)
    user = pwd.getpwnam("postgres")
    return Account(user.pw_uid, user.pw_gid, changes=True)
