"""Workers that are spawned, as on macOS, instead of forked: they inherit nothing but what they are handed."""

import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from tests.acceptance.conftest import Running, is_alive, wait_for
from tests.acceptance.traffic import Traffic

SPAWNED = """
import multiprocessing

from gatepost.server.__main__ import main

if __name__ == "__main__":
    set_start_method = multiprocessing.set_start_method
    multiprocessing.set_start_method = lambda method, force=False: set_start_method("spawn", force=True)
    main(["--port", "0", "--workers", "2"])
"""


class Spawned(Running):
    """`gatepost serve`, whose workers are new processes."""

    def __init__(self, folder: Path, environ: dict[str, str]) -> None:
        (folder / "spawned.py").write_text(SPAWNED)
        self._out, self._err = folder / "out", folder / "err"
        with self._out.open("w") as out, self._err.open("w") as err:
            self.begin([sys.executable, folder / "spawned.py"], folder, environ, stdout=out, stderr=err)

    def workers(self) -> set[int]:
        """The processes that serve."""
        return {child.pid for child in self.children() if "spawn_main" in " ".join(command_of(child))}


def command_of(process: psutil.Process) -> list[str]:
    """Its words; none of one that has ended since it was found."""
    try:
        return process.cmdline()
    except psutil.Error:
        return []


@pytest.fixture
def server(project: Path, production: dict[str, str]) -> Iterator[Spawned]:
    """A ready server."""
    running = Spawned(project, production)
    yield running.ready()
    running.close()


def test_spawned_workers_are_replaced_and_stopped_as_forked_ones_are(server: Spawned) -> None:
    old = server.workers()
    assert len(old) == 2
    with Traffic(server.port) as traffic:
        server.send(signal.SIGHUP)
        wait_for(lambda: len(server.workers()) == 2 and not server.workers() & old, "other workers")
    assert traffic.refused.total() == traffic.cut.total() == 0
    server.send(signal.SIGTERM)
    assert server.wait() == 0


def test_spawned_workers_end_with_their_master(server: Spawned) -> None:
    workers = [psutil.Process(pid) for pid in server.workers()]
    server.send(signal.SIGKILL)
    server.wait()
    _, alive = psutil.wait_procs(workers, timeout=10)
    assert not [worker for worker in alive if is_alive(worker)]
