"""The instances of a site: `gatepost serve` in processes of their own."""

import asyncio
import contextlib
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import msgspec

from gatepost.errors import ConfigurationError
from gatepost.testing.topology.http_client import HTTPConnection, HTTPResponse, NotSent
from gatepost.testing.topology.processes import (
    READY_SECONDS_MAX,
    Launcher,
    is_in_time,
    kill_tree,
    processes_below,
    resident_pages,
    signal_tree,
)

PROBE_SECONDS = 2.0
RESPONSE_SECONDS_MAX = 60.0


class Instance:
    """One instance, always at the same port."""

    def __init__(self, name: str, app: str, folder: Path, launcher: Launcher, log: Path) -> None:
        self.name = name
        self.port = free_port()
        self.environ: dict[str, str] = {}
        self._app = app
        self._folder = folder
        self._launcher = launcher
        self._log = log
        self._process: subprocess.Popen[bytes] | None = None

    def __repr__(self) -> str:
        return self.name

    @property
    def url(self) -> str:
        """Where it serves."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def pid(self) -> int | None:
        """The master process, None while it does not run."""
        return self._process.pid if self._process is not None and self._process.poll() is None else None

    @property
    def log(self) -> str:
        """What it has printed."""
        return self._log.read_text(errors="replace") if self._log.exists() else ""

    async def launch(self) -> None:
        """Start the process, and wait for nothing."""
        command = [sys.executable, "-m", "gatepost.server", self._app, "--port", str(self.port)]
        self._process = await self._launcher.spawn(command, folder=self._folder, environ=self.environ, log=self._log)

    async def start(self) -> None:
        """Start it, or start it again; returns when it is ready."""
        await self.launch()
        await self.becomes_ready()

    async def becomes_ready(self, *, seconds: float = READY_SECONDS_MAX) -> None:
        """Wait until `/readyz` is 200. Raises ConfigurationError, with what it has printed, where it ends or takes
        longer than `seconds`."""

        async def is_over() -> bool:
            return self.pid is None or await self.is_ready()

        if await is_in_time(is_over, seconds) and self.pid is not None:
            return
        raise ConfigurationError(f"{self.name} is not ready. It has printed: {self.log[-2000:]}", location=self._app)

    async def is_ready(self) -> bool:
        """Whether `/readyz` is 200."""
        try:
            return (await self.get("/readyz")).status == 200
        except (NotSent, OSError):
            return False

    async def get(self, path: str, *, token: str | None = None, seconds: float = PROBE_SECONDS) -> HTTPResponse:
        """A GET on a connection of its own. Raises `NotSent` or `OSError` where there is no response in time."""
        return await self._request("GET", path, token, None, seconds)

    async def post(
        self, path: str, body: object, *, token: str | None = None, seconds: float = RESPONSE_SECONDS_MAX
    ) -> HTTPResponse:
        """A POST of a JSON body, as `get`."""
        return await self._request("POST", path, token, msgspec.json.encode(body), seconds)

    async def _request(
        self, method: str, path: str, token: str | None, content: bytes | None, seconds: float
    ) -> HTTPResponse:
        headers = {} if token is None else {"authorization": f"Bearer {token}"}
        connection = HTTPConnection(self.port)
        try:
            return await connection.request(method, path, headers, content, seconds=seconds)
        finally:
            connection.close()

    async def stop(self) -> int:
        """Stop it in order (SIGTERM); its exit status."""
        if self._process is None:
            return 0
        self._process.send_signal(signal.SIGTERM)
        return await asyncio.to_thread(self._process.wait)

    def kill(self) -> None:
        """End all its processes at once, as when its machine loses power."""
        if self._process is not None:
            kill_tree(self._process)

    def kill_worker(self) -> None:
        """End the process with the most memory, as the kernel does when there is none left."""
        if (pid := self.pid) is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(max(processes_below(pid), key=resident_pages), signal.SIGKILL)

    def pause(self) -> None:
        """Let all its processes hang."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        """End a pause."""
        self._signal(signal.SIGCONT)

    def _signal(self, number: signal.Signals) -> None:
        if (pid := self.pid) is not None:
            signal_tree(pid, number)


def free_port() -> int:
    """A port of this machine on which nothing listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
