"""What a server is given as standard streams keeps it from nothing: stuck readers, full disks, closed descriptors."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from tests.acceptance.conftest import GATEPOST, Running, Start, is_alive, wait_for

Environ = dict[str, str]


PRINTING = """
import sys

from gatepost import App


async def printing(scope, receive, send):
    print("x" * 200_000)
    sys.stderr.write("y" * 200_000 + chr(10))
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"printed"})


app = App(mount={"/printing": printing})
"""


class Mute(Running):
    """A server of whose output nothing can be read; its port is that on which it listens."""

    def __init__(self, folder: Path, environ: Environ, *words: str, command: tuple[object, ...] = (GATEPOST,)) -> None:
        self._words = [*command, *words]
        self.folder, self._environ = folder, environ

    def started(self, **streams: int) -> "Mute":
        """Itself, begun with these streams."""
        self.begin(self._words, self.folder, self._environ, **streams)
        return self

    @property
    def output(self) -> str:
        return ""

    @property
    def port(self) -> int:
        def listening() -> int | None:
            if self.process.poll() is not None:
                raise AssertionError(f"it ended with status {self.process.returncode}")
            found = psutil.Process(self.process.pid).net_connections(kind="tcp")
            return next((item.laddr.port for item in found if item.status == psutil.CONN_LISTEN), None)

        port: int = wait_for(listening, "a port")
        return port


@pytest.fixture
def full_pipe() -> Iterator[int]:
    """The writing end of a pipe that is full, and that nobody reads."""
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    try:
        while True:
            os.write(writing, b"x" * 4096)
    except BlockingIOError:
        pass
    os.set_blocking(writing, True)
    yield writing
    os.close(reading)
    os.close(writing)


def kill_worker(server: Running) -> None:
    """Kill the one worker that it has, and wait until another one serves."""
    [worker] = server.workers()
    worker.kill()
    wait_for(lambda: [child for child in server.workers() if child != worker and is_alive(child)], "another worker")
    assert server.get("/readyz")[0] == 200


def test_a_log_that_nobody_reads_keeps_the_master_from_nothing(
    project: Path, production: Environ, full_pipe: int
) -> None:
    server = Mute(project, production, "serve", "--port", "0").started(stdout=full_pipe, stderr=full_pipe)
    try:
        server.ready()
        kill_worker(server)
        [before] = server.workers()
        server.send(signal.SIGHUP)
        wait_for(lambda: [child for child in server.workers() if child != before], "the worker to be replaced")
        assert server.get("/livez")[0] == 200
        server.send(signal.SIGTERM)
        assert server.wait() == 0
    finally:
        server.close()


def test_a_service_that_prints_waits_for_no_reader(project: Path, production: Environ, full_pipe: int) -> None:
    (project / "app.py").write_text(PRINTING)
    server = Mute(project, production, "serve", "--port", "0").started(stdout=full_pipe, stderr=full_pipe)
    try:
        server.ready()
        assert [server.get("/printing") for _ in range(3)] == [(200, "printed")] * 3
    finally:
        server.close()


def test_a_development_server_that_nobody_reads_starts_and_stops(
    project: Path, production: Environ, full_pipe: int
) -> None:
    server = Mute(project, production, "dev", "--port", "0").started(stdout=full_pipe, stderr=full_pipe)
    try:
        server.ready()
        server.send(signal.SIGTERM)
        assert server.wait() == 0
    finally:
        server.close()


def test_a_full_disk_under_the_log_keeps_no_server_from_starting(project: Path, production: Environ) -> None:
    full = os.open("/dev/full", os.O_WRONLY)
    server = Mute(project, production, "serve", "--port", "0").started(stdout=full, stderr=full)
    os.close(full)
    try:
        server.ready()
        kill_worker(server)
        server.send(signal.SIGTERM)
        assert server.wait() == 0
    finally:
        server.close()


def test_closed_descriptors_become_the_null_device_and_no_socket(project: Path, production: Environ) -> None:
    closing = ("/bin/sh", "-c", 'exec "$@" <&- >&- 2>&-', "sh", GATEPOST)
    server = Mute(project, production, "serve", "--port", "0", command=closing).started()
    try:
        server.ready()
        for process in (psutil.Process(server.process.pid), *server.children()):
            opened = [os.readlink(f"/proc/{process.pid}/fd/{number}") for number in range(3)]
            assert opened == ["/dev/null"] * 3
        server.send(signal.SIGTERM)
        assert server.wait() == 0
    finally:
        server.close()


def test_a_server_stopped_while_a_worker_cannot_start_ends_with_status_0(
    start: Start, production: Environ, project: Path
) -> None:
    server = start("serve", "--port", "0", "--workers", "2", environ=production).ready()
    wait_for(lambda: len(server.workers()) == 2, "two workers")
    (project / "app.py").write_text("x = (\n")
    server.workers()[0].kill()
    wait_for(lambda: server.output.count('"worker_died"') >= 4, "the replacement to fail again and again")
    assert "was never closed" in server.output
    server.send(signal.SIGTERM)
    assert server.wait() == 0
    assert "Killing" not in server.output
