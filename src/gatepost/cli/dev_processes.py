"""The processes of `gatepost dev --instances`: instances whose lines are marked, and whatever else is started again.

All of them are started by the main thread, because on Linux they end with the thread that started them.
"""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import IO, Protocol

from gatepost.backoff import Backoff
from gatepost.embedded.processes import end
from gatepost.errors import ConfigurationError
from gatepost.events import ending_of
from gatepost.logging.console import is_coloured, print_error, print_warning

STOP_SECONDS_MAX = 10.0
RESTART_SECONDS = (0.5, 10.0)
CALM_SECONDS = 30.0
COLOURS = ("36", "35", "34", "33")


class InstanceProcess:
    """An instance as a child: `arguments` are those of `dev_instance.py`, `environ` has its settings."""

    def __init__(self, name: str, number: int, arguments: Sequence[str], environ: Mapping[str, str]) -> None:
        self.name = name
        self._mark = f"[{name}]"
        if is_coloured(sys.stdout):
            self._mark = f"\x1b[{COLOURS[number % len(COLOURS)]}m{self._mark}\x1b[0m"
        self._command = [sys.executable, "-m", "gatepost.cli.dev_instance", *arguments]
        self._environ = {**environ, **({"FORCE_COLOR": "1"} if is_coloured(sys.stdout) else {})}
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int | None:
        """Of the process that was started last, which ends with its workers."""
        return None if self._process is None else self._process.pid

    @property
    def status(self) -> int | None:
        """The exit status; None while it runs."""
        return 0 if self._process is None else self._process.poll()

    def start(self) -> None:
        """Start it; it is ready later."""
        self._process = subprocess.Popen(  # noqa: S603 - ourselves
            self._command,
            env=self._environ,
            stdin=subprocess.PIPE,  # by which it knows that we live
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # Ctrl-C reaches us alone, and we stop it in order
        )
        if self._process.stdout is not None:
            threading.Thread(target=self._mark_lines, args=[self._process.stdout], daemon=True).start()

    def ask_to_stop(self) -> None:
        """Let it finish what it has."""
        if self.status is None and self._process is not None:
            self._process.send_signal(signal.SIGTERM)

    def stop(self) -> None:
        """Wait for its end, or end it by force."""
        if self._process is not None:
            end(self._process, signal.SIGTERM, STOP_SECONDS_MAX)
            self._process = None

    def kill(self) -> None:
        """End it at once, with its workers, which notice its end."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def _mark_lines(self, output: IO[bytes]) -> None:
        with output:
            for line in output:
                sys.stdout.write(f"{self._mark} {line.decode(errors='replace').rstrip()}\n")


class ChildProcess(Protocol):
    """What can be started again. `status` is its exit status, None while it runs."""

    @property
    def pid(self) -> int | None: ...

    @property
    def status(self) -> int | None: ...

    def start(self) -> None: ...


class KeptProcess:
    """Starts a process again whenever it has ended, and says so."""

    def __init__(self, name: str, process: ChildProcess) -> None:
        self._name = name
        self._process = process
        self._backoff = Backoff(*RESTART_SECONDS, is_first_immediate=True, jitter=0.0, calm_seconds=CALM_SECONDS)
        self._restart_at: float | None = None
        self._complaint = ""

    @property
    def shown(self) -> str:
        """Its name and its process, for those who want to kill it."""
        return f"{self._name} {self._process.pid}"

    def look(self) -> None:
        """Start it where it has ended and a start is due."""
        status = self._process.status
        if status is None:
            self._complaint = ""
            return
        if self._restart_at is None:
            pause = self._backoff.next_pause()
            self._restart_at = time.monotonic() + pause
            when = "at once" if not pause else f"in {pause:g} s"
            print_warning(f"{self._name} ended by {ending_of(status)}, and is started again {when}.")
        if time.monotonic() < self._restart_at:
            return
        self._restart_at = None
        try:
            self._process.start()
        except ConfigurationError as error:
            self._complain(error)
            return
        except OSError as error:  # no disk, no memory, no processes: what runs goes on
            self._complain(ConfigurationError(f"It cannot be started: {error}.", location=self._name))
            return
        sys.stdout.write(f"{self._name} is process {self._process.pid} now.\n")
        sys.stdout.flush()

    def _complain(self, error: ConfigurationError) -> None:
        """Try again later, and say why, once and not at each try."""
        self._restart_at = time.monotonic() + self._backoff.next_pause()
        if str(error) != self._complaint:
            print_error(error)
        self._complaint = str(error)


class StopSignals:
    """SIGINT, SIGTERM and SIGHUP ask for the end; the second one calls `end_at_once` and ends this process."""

    def __init__(self, end_at_once: Callable[[], None]) -> None:
        self._end_at_once = end_at_once
        self.came = threading.Event()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._handle)

    def _handle(self, _number: int, _frame: object) -> None:
        if self.came.is_set():
            self._end_at_once()
            os._exit(130)
        self.came.set()
