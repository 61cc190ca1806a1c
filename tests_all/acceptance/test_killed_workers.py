"""What a log loses where a worker is killed: lines of its last tenth of a second, and of nothing before."""

import http.client
import random
import statistics
import time
from pathlib import Path

import psutil
import pytest
from tests.acceptance.conftest import Start, wait_for

pytestmark = pytest.mark.alone  # a busy machine writes later

KILLS = 8
MEDIAN_SECONDS_MAX = 0.1
SECONDS_MAX = 0.3


def test_a_killed_worker_loses_the_lines_of_a_tenth_of_a_second(
    start: Start, production: dict[str, str], tmp_path: Path
) -> None:
    environ = {
        **production,
        "GATEPOST_LOG": "none",
        "GATEPOST_LOG_FOLDER": str(tmp_path / "logs"),
        "GATEPOST_ADMIN_SOCKET": str(tmp_path / "admin.sock"),
        "GATEPOST_LIMIT_API": "100000000",
    }
    server = start("serve", "--port", "0", environ=environ).ready()
    log = tmp_path / "logs" / "combined.log"
    lost: list[float] = []
    for kill in range(KILLS):
        server.ready()
        worker = server.workers()[0]
        responded = _ask_until_killed(server.port, worker, kill, random.uniform(0.3, 0.8))
        killed_at = time.monotonic()
        wait_for(lambda gone=worker: not gone.is_running(), "its end")
        written = log.read_text()
        missing = [moment for path, moment in responded if f'"{path}"' not in written]
        lost.append(killed_at - min(missing) if missing else 0.0)
        assert len(missing) < len(responded)

    assert statistics.median(lost) <= MEDIAN_SECONDS_MAX, lost
    assert max(lost) <= SECONDS_MAX, lost


def _ask_until_killed(port: int, worker: psutil.Process, kill: int, seconds: float) -> list[tuple[str, float]]:
    """Paths that were responded to, and when."""
    found: list[tuple[str, float]] = []
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        path = f"/api/notes/{kill}-{len(found)}"
        connection.request("GET", path)
        connection.getresponse().read()
        found.append((path, time.monotonic()))
    worker.kill()
    connection.close()
    return found
