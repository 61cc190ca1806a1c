"""The example of an application behind the gate, served by the command that it names."""

import contextlib
import os
import re
import shlex
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from tests.acceptance.conftest import STOP_SECONDS_MAX, end_with_parent, wait_for

from gatepost.auth.keys import development_key

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples" / "fastapi_behind_the_gate" / "app.py"
COMMAND = re.compile(r"^    (granian .*)$", re.M)


class Site:
    """The running example: its process, its port, and what it has printed."""

    def __init__(self, process: "subprocess.Popen[bytes]", port: int, log: Path) -> None:
        self.process = process
        self.port = port
        self._log = log

    @property
    def output(self) -> str:
        """All that it has printed."""
        return self._log.read_text()

    def stop(self) -> int:
        """Its exit status after SIGTERM."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(STOP_SECONDS_MAX)

    def accepts(self) -> bool:
        """Whether somebody listens."""
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1):
            return True
        return False


def command() -> list[str]:
    """What the example's first lines say to run."""
    found = COMMAND.findall(EXAMPLE.read_text())
    assert len(found) == 1
    return shlex.split(found[0])


@contextlib.contextmanager
def serving(folder: Path, **settings: str) -> Iterator[Site]:
    """The example on a free port, with these settings and otherwise those of production."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    program, *options = command()
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("GATEPOST", "GRANIAN"))}
    key = {"GATEPOST_SIGNING_KEY": str(development_key(folder).as_pem(private=True), "ascii")}
    log = folder / "log"
    with log.open("wb") as out:
        process = subprocess.Popen(
            [Path(sys.executable).parent / program, *options, "--port", str(port)],
            cwd=ROOT,
            env={**kept, **key, **settings, "PYTHONDONTWRITEBYTECODE": "1"},
            stdout=out,
            stderr=out,
            start_new_session=True,
            preexec_fn=end_with_parent,
        )
    site = Site(process, port, log)
    try:
        wait_for(lambda: process.poll() is not None or site.accepts(), "the example to listen")
        assert process.poll() is None, site.output
        yield site
    finally:
        if process.poll() is None:
            # Its workers are of its session, which is its group: nothing of them may stay.
            with contextlib.suppress(subprocess.TimeoutExpired):
                site.stop()
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
