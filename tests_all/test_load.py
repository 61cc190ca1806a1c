"""`gatepost serve` on Debian's PostgreSQL under the load of wrk: every response good, and a drain that loses none."""

import asyncio
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.request import urlopen

import pytest
from debian_postgresql import psql
from examples.bookshop.app import app
from examples.bookshop.seed import seed

from gatepost.auth.keys import KEY_FILE, development_key
from gatepost.migrations.safe_changes import apply_lossless

pytestmark = pytest.mark.alone

GATEPOST = Path(sys.executable).parent / "gatepost"
ROOT = Path(__file__).parents[1]
CONNECTIONS = 16
LOAD_SECONDS = 3
WAIT_SECONDS_MAX = 60.0
# wrk opens a new connection where one is closed, which a server that drains refuses: the lines of connect errors and
# of closed reads are no lost responses. `Non-2xx` and `timeout` are.
LISTING = "/api/books?sort=-price&limit=20&expand=author"
REQUESTS = re.compile(r"^\s*(\d+) requests in", re.M)
WORKERS = 2


@dataclass
class Serving:
    """A running `gatepost serve`, and where it is."""

    process: subprocess.Popen[bytes]
    log: Path
    address: str = ""

    def wait_until_ready(self) -> None:
        """Learn the address from what it says, and wait for readiness."""
        wait_for(lambda: re.search(r"http://127\.0\.0\.1:\d+", self._output()), f"an address: {self._output()}")
        found = re.search(r"http://127\.0\.0\.1:\d+", self._output())
        assert found is not None
        self.address = found[0]
        wait_for(lambda: status_of(f"{self.address}/readyz") == 200, f"readiness: {self._output()}")

    def _output(self) -> str:
        assert self.process.poll() is None, f"it ended: {self.log.read_text()}"
        return self.log.read_text()


def wait_for(condition: Callable[[], Any], what: str) -> None:
    """Returns as soon as the condition holds."""
    deadline = time.monotonic() + WAIT_SECONDS_MAX
    while not condition():
        assert time.monotonic() < deadline, f"waited {WAIT_SECONDS_MAX:g} s for {what}"
        time.sleep(0.02)


def status_of(url: str) -> int:
    """The status of a GET; 0 where nothing responds."""
    try:
        with urlopen(url, timeout=WAIT_SECONDS_MAX) as response:
            return int(response.status)
    except HTTPError as refusal:
        return refusal.code
    except (URLError, ConnectionError):
        return 0


def load(url: str) -> "subprocess.Popen[str]":
    """wrk on this address for LOAD_SECONDS, with keep-alive connections."""
    command = ["wrk", "-t", "1", "-c", str(CONNECTIONS), "-d", f"{LOAD_SECONDS}s", "--timeout", "10s", url]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


@pytest.fixture
def serving(debian_url: str, tmp_path: Path) -> Iterator[Serving]:
    """The bookshop with some books, in production, with two workers."""
    asyncio.run(apply_lossless(debian_url, app.metadata))
    asyncio.run(seed(debian_url, authors=50, books=2000, orders=5))
    development_key(tmp_path)
    environ = {
        **{name: value for name, value in os.environ.items() if not name.startswith("GATEPOST")},
        "DATABASE_URL": debian_url,
        "GATEPOST_DRAIN_DELAY_SECONDS": "0",
        "GATEPOST_ENV": "production",
        "GATEPOST_LIMIT_API": "1000000000",
        "GATEPOST_LOG": "json",
        "GATEPOST_SIGNING_KEY_FILE": str(tmp_path / KEY_FILE),
    }
    command = [GATEPOST, "serve", "examples.bookshop.app:app", "--port", "0", "--workers", str(WORKERS)]
    path = tmp_path / "log"
    with path.open("wb") as log:
        process = subprocess.Popen(command, cwd=ROOT, env=environ, stdout=log, stderr=log, start_new_session=True)
    running = Serving(process, path)
    try:
        running.wait_until_ready()
        yield running
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()


def test_every_response_under_load_is_good_and_the_end_is_clean(serving: Serving) -> None:
    out, _ = load(f"{serving.address}{LISTING}").communicate(timeout=60)
    requests = REQUESTS.search(out)
    assert requests is not None, out
    assert int(requests[1]) > CONNECTIONS
    assert "Non-2xx" not in out
    assert "Socket errors" not in out, out
    serving.process.send_signal(signal.SIGTERM)
    assert serving.process.wait(WAIT_SECONDS_MAX) == 0
    lines = serving.log.read_text()
    assert "Traceback" not in lines
    assert lines.count(f'"path":"{LISTING.partition("?")[0]}"') >= int(requests[1]), "an access line of every response"


def test_a_drain_in_the_middle_of_the_load_ends_in_order(serving: Serving, debian_url: str) -> None:
    with load(f"{serving.address}{LISTING}") as client:
        wait_for(lambda: '"status":200' in serving.log.read_text(), "the load to begin")
        serving.process.send_signal(signal.SIGTERM)
        assert serving.process.wait(WAIT_SECONDS_MAX) == 0
        out, _ = client.communicate(timeout=60)
    assert "Non-2xx" not in out
    assert re.search(r"timeout [1-9]", out) is None, out
    assert "Traceback" not in serving.log.read_text()
    theirs = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
    wait_for(lambda: psql(debian_url, theirs) == "0", "the connections to be closed")
