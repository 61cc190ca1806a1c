"""Processes of a run: started on one core, measured by what the kernel counts for them and their children."""

import os
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType

import psutil  # type: ignore[import-untyped]

TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
START_SECONDS_MAX = 30.0
STOP_SECONDS_MAX = 10.0


class StartFailed(Exception):
    """A server did not get ready; the message ends with what it wrote to stderr."""


def free_port() -> int:
    """A TCP port of the loopback that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def cpu_seconds(pid: int) -> float:
    """CPU time of a process, of those below it, and of those below it that have ended."""
    process = psutil.Process(pid)
    family = [process, *process.children(recursive=True)]
    return sum(_own_and_reaped_seconds(member.pid) for member in family)


def resident_mib(pid: int) -> float:
    """Resident memory of the largest process of the family: the one that serves."""
    process = psutil.Process(pid)
    family = [process, *process.children(recursive=True)]
    return float(max(member.memory_info().rss for member in family)) / 2**20


def _own_and_reaped_seconds(pid: int) -> float:
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:  # ended just now: its parent has reaped, and counts, it
        return 0.0
    fields = text.rpartition(")")[2].split()
    return sum(map(int, fields[11:15])) / TICKS_PER_SECOND


class Process:
    """A server on one core; stdout, where the access lines go, is thrown away for all alike."""

    def __init__(
        self, command: Sequence[str], environment: Mapping[str, str], *, core: int, log: Path, cwd: Path
    ) -> None:
        self._log = log
        with log.open("wb") as errors:
            self._process = subprocess.Popen(
                ["taskset", "-c", str(core), *command],
                env={**os.environ, **environment},
                cwd=cwd,
                stdout=subprocess.DEVNULL,
                stderr=errors,
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        """The first process; `taskset` has become the server itself."""
        return self._process.pid

    def wait_until_ready(self, url: str, is_ready: Callable[[int], bool]) -> float:
        """Wait until `url` responds with a status that satisfies; returns the seconds it took."""
        started = time.perf_counter()
        while time.perf_counter() - started < START_SECONDS_MAX:
            if self._process.poll() is not None:
                raise StartFailed(f"It ended with status {self._process.returncode}:\n{self._tail()}")
            if (status := _status(url)) is not None and is_ready(status):
                return time.perf_counter() - started
            time.sleep(0.005)
        raise StartFailed(f"It did not respond at {url} within {START_SECONDS_MAX:.0f} s:\n{self._tail()}")

    def stop(self) -> None:
        """End the whole process group, gently first."""
        if self._process.poll() is None:
            os.killpg(self.pid, signal.SIGTERM)
        try:
            self._process.wait(STOP_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            os.killpg(self.pid, signal.SIGKILL)
            self._process.wait()

    def __enter__(self) -> "Process":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _tail(self) -> str:
        return self._log.read_text(errors="replace")[-2000:]


def _status(url: str) -> int | None:
    try:
        with urllib.request.urlopen(url, timeout=2) as response:
            return int(response.status)
    except urllib.error.HTTPError as refusal:
        return refusal.code
    except OSError:
        return None
