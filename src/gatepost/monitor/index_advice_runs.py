"""`IndexAdviceRuns`: what `gatepost db advise` finds, for the page of the database.

The advice needs the models of the application, which the monitor does not load: the command runs in a process of its
own, while somebody looks, and every ADVICE_SECONDS at most.
"""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from typing import Any

import msgspec

ADVICE_SECONDS = 600.0
RUN_SECONDS_MAX = 60.0
FINDINGS = (0, 1)
"""The exit statuses of a command that has looked: without and with advice."""

_COMMAND = (sys.executable, "-c", "from gatepost.cli.main import main; main()", "db", "advise", "--json")


class IndexAdviceRuns:
    """Of the application of this reference, at the database of this DSN; without one of them there is none."""

    def __init__(self, reference: str | None, dsn: str | None) -> None:
        self._command = None if reference is None or dsn is None else [*_COMMAND, "--app", reference]
        self._environ = {**os.environ, "DATABASE_URL": dsn or "", "NO_COLOR": "1"}
        self._lock = threading.Lock()
        self._looked_at = 0.0
        self.is_running = False
        self.advice: list[dict[str, Any]] | None = None
        self.error: str | None = None

    def look(self) -> None:
        """Begin to look, where that was long ago. What is found is in `advice`, or why nothing can be in `error`."""
        with self._lock:
            is_recent = abs(time.time() - self._looked_at) < ADVICE_SECONDS
            if self._command is None or self.is_running or is_recent:
                return
            self.is_running, self._looked_at = True, time.time()
        threading.Thread(target=self._run, args=[self._command], name="gatepost-advice", daemon=True).start()

    def _run(self, command: Sequence[str]) -> None:
        try:
            self.advice, self.error = self._found(command), None
        except (OSError, subprocess.SubprocessError, msgspec.DecodeError, KeyError) as error:
            self.error = str(error)
        finally:
            self.is_running = False

    def _found(self, command: Sequence[str]) -> list[dict[str, Any]]:
        done = subprocess.run(  # noqa: S603 - our own command
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=RUN_SECONDS_MAX,
            check=False,
            env=self._environ,
        )
        if done.returncode not in FINDINGS:
            said = done.stderr.decode(errors="replace").strip()
            raise OSError(said or f"gatepost db advise ended with {done.returncode}")
        found = msgspec.json.decode(done.stdout)["advice"]
        return [{**each, "sentence": f"{each['index']}: {'; '.join(each['reasons'])}"} for each in found]
