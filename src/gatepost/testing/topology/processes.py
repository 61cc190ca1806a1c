"""The processes of a site: started so that none outlives it, and found with everything below them.

Used by the neighbours that run a program: instances, the balancer, Valkey.
"""

import asyncio
import contextlib
import os
import signal
import subprocess
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from gatepost.embedded.processes import ending_with_parent
from gatepost.errors import ConfigurationError

T = TypeVar("T")


POLL_SECONDS = 0.02

READY_SECONDS_MAX = 60.0
"""How long a program may take to be ready, on a busy machine."""


async def is_in_time(condition: Callable[[], Awaitable[bool]], seconds: float = READY_SECONDS_MAX) -> bool:
    """Whether a condition becomes true within so many seconds."""
    try:
        async with asyncio.timeout(seconds):
            while not await condition():  # noqa: ASYNC110 - other processes decide it
                await asyncio.sleep(POLL_SECONDS)
    except TimeoutError:
        return False
    return True


class Launcher:
    """The thread in which all processes of a site are started: on Linux they end when it does, however that is."""

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, "gatepost-topology")

    async def run(self, function: Callable[..., T], *arguments: object) -> T:
        """Call it in the thread. One that is cancelled is waited for: what it starts has to be known."""
        running = asyncio.get_running_loop().run_in_executor(self._thread, function, *arguments)
        try:
            return await asyncio.shield(running)
        except asyncio.CancelledError:
            await asyncio.wait([running])
            raise

    async def spawn(
        self, command: Sequence[str | Path], *, folder: Path, environ: Mapping[str, str], log: Path
    ) -> subprocess.Popen[bytes]:
        """Start a program with its output in a file. Raises ConfigurationError where there is no such program."""
        return await self.run(_spawn, command, folder, environ, log)

    def close(self) -> None:
        """End the thread; what runs still is sent SIGTERM."""
        self._thread.shutdown()


def signal_tree(pid: int, number: signal.Signals) -> None:
    """Send a signal to a process, then to all below it. Those that have ended meanwhile are no error."""
    for each in (pid, *processes_below(pid)):
        with contextlib.suppress(ProcessLookupError):
            os.kill(each, number)


def kill_tree(process: subprocess.Popen[bytes]) -> None:
    """End a process and all below it at once, as when its machine loses power."""
    if process.poll() is None:
        # Stopped first: then none of them starts another one while they are counted.
        process.send_signal(signal.SIGSTOP)
        signal_tree(process.pid, signal.SIGKILL)
        process.wait()


def processes_below(pid: int) -> list[int]:
    """The children of a process, theirs, and so on."""
    children: dict[int, list[int]] = {}
    for child, parent in _parents():
        children.setdefault(parent, []).append(child)
    found: list[int] = []
    unseen = [pid]
    while unseen:
        below = children.get(unseen.pop(), [])
        found += below
        unseen += below
    return found


def resident_pages(pid: int) -> int:
    """The memory of a process, where the system tells it."""
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    except OSError:
        return 0


def _parents() -> Iterable[tuple[int, int]]:
    """Every process and its parent."""
    if not Path("/proc/self/stat").exists():
        shown = subprocess.run(["ps", "-axo", "pid=,ppid="], capture_output=True, text=True, check=True).stdout  # noqa: S607
        yield from ((int(pid), int(parent)) for pid, parent in map(str.split, shown.splitlines()))
        return
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                # The name in brackets may contain anything.
                yield int(entry.name), int((entry / "stat").read_text().rpartition(")")[2].split()[1])


def _spawn(
    command: Sequence[str | Path], folder: Path, environ: Mapping[str, str], log: Path
) -> subprocess.Popen[bytes]:
    try:
        with log.open("ab") as output:
            return subprocess.Popen(  # noqa: S603 - our own programs, no shell
                command,
                cwd=folder,
                env=environ,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=ending_with_parent(signal.SIGTERM),  # noqa: PLW1509 - nothing else ties the child's life to ours
            )
    except OSError as error:
        raise ConfigurationError(f"The program could not be started: {error}.", location=str(command[0])) from error
