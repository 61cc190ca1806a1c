"""Real commands in real processes, in a folder with a tiny app: what they print, how they respond, what they leave."""

import contextlib
import http.client
import importlib
import io
import itertools
import logging
import os
import re
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psutil
import pytest

from gatepost.auth.keys import KEY_FILE, development_key
from gatepost.cli.main import main
from gatepost.embedded.account import prctl
from gatepost.embedded.postgresql import EmbeddedPostgreSQL
from gatepost.monitor.supervision import NAME as MONITOR

SECONDS_MAX = 60.0  # for a busy machine; nothing waits so long on an idle one
STOP_SECONDS_MAX = 5.0
PR_SET_PDEATHSIG = 1
GATEPOST = Path(sys.executable).parent / "gatepost"
APP = '''
"""One model, and an old application beside it whose response waits for a file."""
import asyncio
from pathlib import Path

from sqlalchemy.orm import Mapped

from gatepost import App, Model, Resource, anyone


class Note(Model):
    __tablename__ = "notes"
    title: Mapped[str]


async def waiting(scope, receive, send):
    if scope["type"] != "http":
        raise NotImplementedError
    Path("asked").touch()
    while not Path("released").exists():
        await asyncio.sleep(0.01)
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"released"})


app = App(Resource(Note, read=anyone), mount={"/waiting": waiting})
'''


NOTES = """
CREATE TABLE notes (
  id uuid PRIMARY KEY DEFAULT uuidv7(),
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now(),
  version integer NOT NULL DEFAULT 1,
  title varchar NOT NULL
)
"""
"""The table of the model, without which `gatepost serve` does not start."""


def is_alive(process: psutil.Process) -> bool:
    """Whether a process is at work: one that ended counts as gone, whether its parent has noticed or not."""
    try:
        return bool(process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def end_with_parent() -> None:
    """For `preexec_fn`: the process gets SIGTERM when that of the tests ends (Linux). A run that is interrupted leaves
    no server behind."""
    if sys.platform == "linux":
        prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


def wait_for(condition: Callable[[], Any], what: str) -> Any:
    """The first true result of `condition`; fails after SECONDS_MAX."""
    deadline = time.monotonic() + SECONDS_MAX
    while time.monotonic() < deadline:
        if found := condition():
            return found
        time.sleep(0.02)
    raise AssertionError(f"waited {SECONDS_MAX:g} s for {what}")


class Running:
    """A command that serves: its process, its output in files, and HTTP to it."""

    def __init__(
        self, arguments: list[str], folder: Path, environ: Mapping[str, str], name: str, launcher: Sequence[str] = ()
    ) -> None:
        self._out, self._err = folder / f"{name}.out", folder / f"{name}.err"
        with self._out.open("w") as out, self._err.open("w") as err:
            self.begin([*launcher, GATEPOST, *arguments], folder, environ, stdout=out, stderr=err)

    def begin(self, command: list[Any], folder: Path, environ: Mapping[str, str], **streams: Any) -> None:
        """Start the process, in a session of its own."""
        self.folder = folder
        self._waiting: list[http.client.HTTPConnection] = []
        self.process = subprocess.Popen(
            command, cwd=folder, env=environ, start_new_session=True, preexec_fn=end_with_parent, **streams
        )

    @property
    def output(self) -> str:
        """All that it has printed."""
        return self._out.read_text() + self._err.read_text()

    @property
    def port(self) -> int:
        """The port that it says it serves on."""
        found = wait_for(lambda: re.search(r"http://127\.0\.0\.1:(\d+)", self.output) or self._ended(), "an address")
        assert isinstance(found, re.Match), f"it ended: {self.output}"
        return int(found[1])

    def get(self, path: str, *, timeout: float = SECONDS_MAX) -> tuple[int, str]:
        """Status and body of a GET on a connection of its own."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        try:
            connection.request("GET", path)
            response = connection.getresponse()
            return response.status, response.read().decode()
        finally:
            connection.close()

    def responds(self, path: str, status: int) -> bool:
        """Whether a GET gets this status."""
        try:
            return self.get(path)[0] == status
        except OSError:
            return False

    def ready(self) -> "Running":
        """Itself, as soon as it is ready."""
        wait_for(lambda: self._ended() or self.responds("/readyz", 200), f"readiness; it says: {self.output}")
        assert self.process.poll() is None, f"it ended: {self.output}"
        return self

    def ask_and_leave_waiting(self) -> http.client.HTTPConnection:
        """A request that is in flight until the file `released` is there."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=SECONDS_MAX)
        self._waiting.append(connection)
        connection.request("GET", "/waiting")
        wait_for((self.folder / "asked").exists, "the request to arrive")
        return connection

    def workers(self) -> list[psutil.Process]:
        """The processes that serve: those that it has started but for the monitor."""
        return [child for child in self.children() if name_of(child) != MONITOR]

    def children(self) -> list[psutil.Process]:
        """Every process below it."""
        return psutil.Process(self.process.pid).children(recursive=True)

    def send(self, number: signal.Signals) -> None:
        """A signal to the master alone."""
        self.process.send_signal(number)

    def wait(self) -> int:
        """The exit status."""
        return self.process.wait(SECONDS_MAX)

    def close(self) -> None:
        """End it and everything below it: in order, so that it clears up, or by force where that takes long."""
        for connection in self._waiting:
            connection.close()
        if not self._ended():
            below = self.children()
            self.send(signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(STOP_SECONDS_MAX)
            self.process.kill()
            self.process.wait()
            for process in below:
                if process.is_running():
                    process.kill()

    def _ended(self) -> bool:
        return self.process.poll() is not None


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A folder with the tiny app."""
    (tmp_path / "app.py").write_text(APP)
    return tmp_path


def without_settings() -> dict[str, str]:
    """The environment without settings, and without colours."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("GATEPOST", "DATABASE_URL"))}
    return {**kept, "NO_COLOR": "1", "PYTHONDONTWRITEBYTECODE": "1"}


@pytest.fixture
def environ() -> dict[str, str]:
    """The environment without settings, and without colours."""
    return without_settings()


@pytest.fixture
def production(
    environ: dict[str, str], postgresql: EmbeddedPostgreSQL, database_url: str, tmp_path: Path
) -> dict[str, str]:
    """The environment that a production server needs, with the table of the tiny app; without the time that load
    balancers need at a stop."""
    postgresql.execute(NOTES, database=urlsplit(database_url).path[1:])
    return {**environ, **production_settings(tmp_path, database_url)}


def production_settings(folder: Path, database_url: str) -> dict[str, str]:
    """What `production` adds to an environment, with a signing key that lies in the folder."""
    development_key(folder)
    return {
        "DATABASE_URL": database_url,
        "GATEPOST_DRAIN_DELAY_SECONDS": "0",
        "GATEPOST_SIGNING_KEY_FILE": str(folder / KEY_FILE),
    }


@pytest.fixture(scope="module")
def module_project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`project`, for servers that the tests of a module share."""
    folder = tmp_path_factory.mktemp("project")
    (folder / "app.py").write_text(APP)
    return folder


@pytest.fixture(scope="module")
def module_production(postgresql: EmbeddedPostgreSQL, module_database_url: str, module_project: Path) -> dict[str, str]:
    """`production`, for servers that the tests of a module share."""
    postgresql.execute(NOTES, database=urlsplit(module_database_url).path[1:])
    return {**without_settings(), **production_settings(module_project, module_database_url)}


def name_of(process: psutil.Process) -> str:
    """What the system calls a process; nothing where it has ended."""
    try:
        return process.name()
    except psutil.NoSuchProcess:
        return ""


def monitor_of(server: Running) -> psutil.Process:
    """The process of the monitor, once it has its name."""
    return wait_for(lambda: next((child for child in server.children() if name_of(child) == MONITOR), None), "it")


Start = Callable[..., Running]


@contextlib.contextmanager
def starting(folder: Path) -> Iterator[Start]:
    """Starts commands in a folder, by a `launcher` where one is given; none of them outlives the block."""
    with contextlib.ExitStack() as stack:
        numbers = itertools.count()

        def begin(*arguments: str, environ: Mapping[str, str], launcher: Sequence[str] = ()) -> Running:
            running = Running(list(arguments), folder, environ, f"command{next(numbers)}", launcher)
            stack.callback(running.close)
            return running

        yield begin


@pytest.fixture
def start(project: Path) -> Iterator[Start]:
    """Starts commands in the project; none of them outlives the test."""
    with starting(project) as begin:
        yield begin


@pytest.fixture(scope="module")
def module_start(module_project: Path) -> Iterator[Start]:
    """Starts commands that the tests of a module share."""
    with starting(module_project) as begin:
        yield begin


def run(*arguments: str, cwd: Path, environ: Mapping[str, str], stdin: str = "") -> "subprocess.CompletedProcess[str]":
    """A command from start to end."""
    return subprocess.run(
        [GATEPOST, *arguments],
        cwd=cwd,
        env=environ,
        input=stdin,
        capture_output=True,
        text=True,
        timeout=SECONDS_MAX,
        check=False,
    )


Done = subprocess.CompletedProcess[str]
Command = Callable[..., Done]


@contextlib.contextmanager
def root_logger_as_it_is() -> Iterator[None]:
    """A command takes over the root logger of its process, which here is not its own."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    try:
        yield
    finally:
        root.handlers[:] = handlers
        root.setLevel(level)
        logging.captureWarnings(False)


@pytest.fixture
def command(project: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Iterator[Command]:
    """Runs a command like `run`, but in this process, which costs no start of Python. Not for commands that serve.

    It runs in the folder `project`, with the settings of `environ` in place of all others where that is given; the
    project's module is loaded anew each time, so its models need a declarative base of their own.
    """
    monkeypatch.chdir(project)
    monkeypatch.syspath_prepend(project)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    monkeypatch.setenv("NO_COLOR", "1")

    def run_here(*arguments: str, environ: Mapping[str, str] | None = None, stdin: str = "") -> Done:
        with pytest.MonkeyPatch.context() as patch:
            if environ is not None:
                for name in [name for name in os.environ if name.startswith(("GATEPOST", "DATABASE_URL"))]:
                    patch.delenv(name)
                for name, value in environ.items():
                    patch.setenv(name, value)
            patch.setattr(sys, "stdin", io.StringIO(stdin))
            importlib.invalidate_caches()
            sys.modules.pop("app", None)
            capfd.readouterr()
            with root_logger_as_it_is(), pytest.raises(SystemExit) as ended:
                main(arguments)
        return Done(["gatepost", *arguments], int(ended.value.code or 0), *capfd.readouterr())

    yield run_here
    sys.modules.pop("app", None)


@pytest.fixture(scope="session")
def raw_http_database_url(postgresql: EmbeddedPostgreSQL) -> Iterator[str]:
    """The DSN of the database that servers of `raw_http_server.py` share."""
    name = f"raw_http_{uuid.uuid4().hex}"
    postgresql.execute(f"CREATE DATABASE {name}")
    yield postgresql.dsn(name)
    postgresql.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(scope="session")
def raw_http_server(raw_http_database_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A server for raw bytes, shared by the session."""
    from tests.acceptance.raw_http_server import serving

    with serving(tmp_path_factory.mktemp("raw_http_server"), raw_http_database_url) as server:
        yield server
