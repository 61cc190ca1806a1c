"""Workers replaced again and again under the load of many clients: what `test_replacing.py` shows, at length."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.acceptance.conftest import APP, Running, wait_for
from tests.acceptance.raw_http_server import migrate
from tests.acceptance.traffic import Traffic

from gatepost.auth.keys import KEY_FILE, development_key
from gatepost.embedded.postgresql import EmbeddedPostgreSQL

REQUESTS = 130_000
CUT_MAX = 1 / 10_000
WORKERS = 2


@pytest.fixture
def database_url(tmp_path: Path) -> Iterator[str]:
    """An empty database."""
    with EmbeddedPostgreSQL(tmp_path / "postgresql") as server:
        yield server.dsn("postgres")


@pytest.fixture
def server(database_url: str, tmp_path: Path) -> Iterator[Running]:
    """The tiny app of the acceptance tests, in production."""
    (tmp_path / "app.py").write_text(APP)
    development_key(tmp_path)
    environ = {
        **{name: value for name, value in os.environ.items() if not name.startswith("GATEPOST")},
        "DATABASE_URL": database_url,
        "GATEPOST_DRAIN_DELAY_SECONDS": "0",
        "GATEPOST_LOG_ACCESS": "false",
        "GATEPOST_SIGNING_KEY_FILE": str(tmp_path / KEY_FILE),
    }
    migrate(tmp_path, database_url)
    running = Running(["serve", "--port", "0", "--workers", str(WORKERS)], tmp_path, environ, "server")
    yield running.ready()
    running.close()


def test_replacing_workers_cuts_off_nobody_in_130_000_requests(server: Running) -> None:
    replacements = 0
    with Traffic(server.port, clients=8) as traffic:
        while traffic.count < REQUESTS:
            server.send(signal.SIGHUP)
            replacements += WORKERS
            wait_for(lambda: server.output.count('"event":"worker_replaced"') == replacements, "new workers")  # noqa: B023
    assert set(traffic.responses["kept"]) == set(traffic.responses["fresh"]) == {200}
    assert traffic.refused.total() == 0
    assert traffic.cut["kept"] == 0
    assert traffic.cut["fresh"] <= traffic.responses["fresh"].total() * CUT_MAX, f"{replacements} replacements"
    assert replacements >= 2 * WORKERS
    server.send(signal.SIGTERM)
    assert server.wait() == 0
