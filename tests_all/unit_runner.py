"""What systemd does with the units of the page about one machine, where it is not the first process of the machine.

`systemctl start|enable --now|restart NAME...`: the file of settings, the environment, the working directory, ExecStart,
readiness as Type=notify tells it, and SIGTERM. Not: other users, and what the units take away from a process
(`test_systemd_units.py` holds them to that).

GATEPOST_TEST_UNITS names a folder: units with the places of the test in them, `ports.json` with the port of each
instance, and what runs.
"""

import contextlib
import json
import os
import re
import shlex
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

SECONDS_MAX = 90.0


class Unit:
    """A unit with its instance."""

    def __init__(self, folder: Path, name: str) -> None:
        template, _, instance = name.partition("@")
        port = json.loads((folder / "ports.json").read_text()).get(instance, instance)
        self._text = (folder / f"{template}@.service").read_text().replace("%i", str(port))
        self._pid_file = folder / f"{name}.pid"
        self._log = folder / f"{name}.log"
        self._socket = folder / f"{port}.notify"
        self._folders = {"STATE_DIRECTORY": folder / "state", "RUNTIME_DIRECTORY": folder / "run"}

    def start(self) -> int:
        """Run it to its end, or until it is ready."""
        if self._said("Type") == ["oneshot"]:
            done: subprocess.CompletedProcess[bytes] = subprocess.run(**self._process(), check=False)
            return done.returncode
        self._socket.unlink(missing_ok=True)
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
            manager.bind(str(self._socket))
            manager.settimeout(SECONDS_MAX)
            process = subprocess.Popen(**self._process(NOTIFY_SOCKET=str(self._socket)), start_new_session=True)
            self._pid_file.write_text(str(process.pid))
            while manager.recv(100) != b"READY=1":
                pass
        return 0

    def stop(self) -> None:
        """SIGTERM to the main process, and wait for its end, as KillMode=mixed says."""
        if not self._pid_file.exists():
            return
        pid = int(self._pid_file.read_text())
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGTERM)
        deadline = time.monotonic() + SECONDS_MAX
        while _runs(pid):
            if time.monotonic() > deadline:
                raise TimeoutError(f"process {pid} does not end")
            time.sleep(0.05)
        self._pid_file.unlink()

    def _process(self, **environ: str) -> dict[str, Any]:
        settings = shlex.split(Path(self._said("EnvironmentFile")[0]).read_text())
        given = dict(word.split("=", 1) for word in [*settings, *self._said("Environment")])
        folders = {name: str(path) for name, path in self._folders.items()}
        with self._log.open("ab") as log:
            return {
                "args": self._said("ExecStart"),
                "cwd": self._said("WorkingDirectory")[0],
                "env": {**_inherited(), **folders, **given, **environ},
                "stdin": subprocess.DEVNULL,
                "stdout": os.dup(log.fileno()),
                "stderr": subprocess.STDOUT,
            }

    def _said(self, key: str) -> list[str]:
        (words,) = re.findall(rf"^{key}=(.+)$", self._text, re.M)
        return shlex.split(words)


def _runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def _inherited() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith(("GATEPOST", "DATABASE_URL"))}


def main(words: list[str]) -> int:
    """Returns the exit status."""
    verb, *names = (word for word in words if not word.startswith("--"))
    units = [Unit(Path(os.environ["GATEPOST_TEST_UNITS"]), name) for name in names]
    for unit in units:
        if verb in ("stop", "restart"):
            unit.stop()
        if verb in ("start", "enable", "restart") and (status := unit.start()) != 0:
            return status
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
