"""HAProxy as a child process that dies with us: for `gatepost dev --balancer`, and for tests of several instances.

Outside the request path.
"""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Generator, Mapping
from pathlib import Path
from typing import Self

from gatepost.balancer.configuration import (
    CONNECTIONS_PER_ADDRESS,
    ERRORS_FOLDER,
    HAProxyConfiguration,
    write_configuration,
)
from gatepost.balancer.programs import find_haproxy
from gatepost.embedded.processes import end, ending_with_parent
from gatepost.errors import ConfigurationError

START_SECONDS_MAX = 20.0
STOP_SECONDS_MAX = 10.0
POLL_SECONDS = 0.02
LOG_BYTES_MAX = 16 * 1024 * 1024
"""A longer log is begun anew when HAProxy is started."""

_RELOADED = "Loading success."
"""What the master says when a new worker has taken over."""
_SOCKET_PATH_BYTES_MAX = 100


class HAProxy:
    """HAProxy at `host:port`, before `instances`: name to `host:port` of each.

        with HAProxy({"shop-1": "127.0.0.1:8001", "shop-2": "127.0.0.1:8002"}, 8000, folder) as balancer:
            balancer.url                # http://127.0.0.1:8000
            balancer.states()           # {"shop-1": "UP", "shop-2": "DOWN"}
            balancer.reload({...})      # other instances, without a lost connection

    Everything that it keeps lies in `folder`: its configuration, its log (`log`), its socket. Plain, blocking methods;
    from asyncio call them by `asyncio.to_thread`, except for `start`: on Linux HAProxy ends when the THREAD that called
    `start` ends, even by kill -9 of the process. The instances need 127.0.0.1 in GATEPOST_TRUSTED_PROXIES.

    `start`, `reload` and `states` raise ConfigurationError: HAProxy is not installed, refuses the configuration, or
    does not run.
    """

    def __init__(  # noqa: PLR0913 - what differs from place to place
        self,
        instances: Mapping[str, str],
        port: int,
        folder: Path,
        *,
        host: str = "127.0.0.1",
        accepts_proxy_protocol: bool = False,
        connections_per_address: int = CONNECTIONS_PER_ADDRESS,
        asks_the_unready: bool = False,
    ) -> None:
        self.instances = dict(instances)
        self.host, self.port = host, port
        self.folder = folder.resolve()
        self.log = self.folder / "haproxy.log"
        self._accepts_proxy_protocol = accepts_proxy_protocol
        self._connections_per_address = connections_per_address
        self._asks_the_unready = asks_the_unready
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Where clients reach it."""
        return f"http://[{self.host}]:{self.port}" if ":" in self.host else f"http://{self.host}:{self.port}"

    @property
    def pid(self) -> int | None:
        """Its master process; None while it does not run."""
        return self._process.pid if self._process is not None and self._process.poll() is None else None

    @property
    def status(self) -> int | None:
        """The exit status of its process; None while it runs."""
        return 0 if self._process is None else self._process.poll()

    def start(self) -> None:
        """Start it, and wait until it takes connections."""
        program = find_haproxy()
        self._write(program)
        is_long = self.log.exists() and self.log.stat().st_size > LOG_BYTES_MAX
        with self.log.open("wb" if is_long else "ab") as log:
            self._process = subprocess.Popen(  # noqa: S603 - our own configuration, no shell
                [program, "-W", "-db", "-f", "haproxy.cfg"],
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                preexec_fn=ending_with_parent(signal.SIGTERM),  # noqa: PLW1509 - as in `embedded/processes.py`
            )
        self._wait(self._takes_connections, "it does not take connections")

    def reload(self, instances: Mapping[str, str] | None = None) -> None:
        """Replace its worker, for these instances where some are given: new connections go to the new worker, the old
        one serves those that it has."""
        if self._process is None or self.pid is None:
            raise self._failure("it does not run")
        self.instances = dict(self.instances if instances is None else instances)
        self._write(find_haproxy())
        count = self._said().count(_RELOADED)
        self._process.send_signal(signal.SIGUSR2)
        self._wait(lambda: self._said().count(_RELOADED) > count, "it does not reload")

    def states(self) -> dict[str, str]:
        """How each instance is for it: `UP`, `DOWN`, or on the way from one to the other (`UP 1/2`)."""
        rows = [line.split(",") for line in self._ask("show stat -1 4 -1").splitlines()]
        names = rows[0]
        place = names.index("status")
        return {row[1]: row[place] for row in rows[1:] if row[0] == "instances"}

    def close(self) -> None:
        """End it, and the connections that it has. Idempotent."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """End it as a crash would; its worker ends by itself."""
        self._end(signal.SIGKILL)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _write(self, program: str) -> None:
        """Write the configuration; one that HAProxy refuses takes no one's place."""
        listeners = f"    bind {_bindable(self.host)}:{self.port}"
        configuration = HAProxyConfiguration(
            instances=self.instances,
            process="    log stdout format raw local0\n    stats socket unix@admin.sock mode 600 level admin\n",
            listeners=f"{listeners} accept-proxy\n" if self._accepts_proxy_protocol else f"{listeners}\n",
            errors=ERRORS_FOLDER,
            connections_per_address=self._connections_per_address,
            accepts_proxy_protocol=self._accepts_proxy_protocol,
            redirects_to_tls=False,
            asks_the_unready=self._asks_the_unready,
        )
        new = self.folder / "new.cfg"
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            write_configuration(configuration, new, self.folder / ERRORS_FOLDER)
        except OSError as error:
            raise ConfigurationError(f"Its files cannot be written: {error}.", location=str(self.folder)) from error
        check_configuration(program, new)
        new.replace(self.folder / "haproxy.cfg")

    def _end(self, number: signal.Signals) -> None:
        if self._process is not None:
            end(self._process, number, STOP_SECONDS_MAX)
            self._process = None

    def _takes_connections(self) -> bool:
        with contextlib.suppress(OSError), socket.create_connection((_reached(self.host), self.port), 1.0):
            return True
        return False

    def _wait(self, condition: Callable[[], bool], otherwise: str) -> None:
        deadline = time.monotonic() + START_SECONDS_MAX
        while not condition():
            if self.pid is None or time.monotonic() > deadline:
                failure = self._failure(otherwise if self.pid is not None else "it ended")
                self.close()
                raise failure
            time.sleep(POLL_SECONDS)

    def _said(self) -> str:
        return self.log.read_text(errors="replace")

    def _failure(self, reason: str) -> ConfigurationError:
        lines = self._said().splitlines() if self.log.exists() else []
        alert = next((line for line in reversed(lines) if "[ALERT]" in line), "")
        return ConfigurationError(
            f"HAProxy: {reason}. {alert.partition(' : ')[2]}".rstrip(), hint=f"Its log is {self.log}."
        )

    def _ask(self, command: str) -> str:
        with socket.socket(socket.AF_UNIX) as connection, _short(self.folder / "admin.sock") as path:
            connection.settimeout(START_SECONDS_MAX)
            try:
                connection.connect(path)
                connection.sendall(f"{command}\n".encode())
                return connection.makefile(encoding="utf-8").read().removeprefix("# ")
            except OSError as error:
                raise self._failure(f"it does not respond at its socket ({error})") from None


def check_configuration(program: str, file: Path) -> None:
    """Raise ConfigurationError with HAProxy's own words where it refuses the file."""
    done = subprocess.run(  # noqa: S603 - the program was found, no shell
        [program, "-c", "-f", file.name], cwd=file.parent, capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        alerts = [line.partition(" : ")[2] for line in done.stderr.splitlines() if "[ALERT]" in line]
        reasons = [alert.removeprefix("config : ") for alert in alerts if " found in configuration" not in alert]
        raise ConfigurationError(f"HAProxy refuses it: {'; '.join(reasons) or done.stderr}", location=str(file))


@contextlib.contextmanager
def _short(path: Path) -> Generator[str]:
    """A path of a socket that is short enough for the kernel."""
    if len(os.fsencode(path)) <= _SOCKET_PATH_BYTES_MAX or sys.platform != "linux":
        yield str(path)
        return
    folder = os.open(path.parent, os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)


def _bindable(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _reached(host: str) -> str:
    return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - compared, not bound
