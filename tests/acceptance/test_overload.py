"""A real server under more load than it can serve, from clients that send the next request at every response."""

import asyncio
import os
import signal
from collections.abc import Mapping
from pathlib import Path

import pytest
from benchmarks.closed_load import run_closed
from benchmarks.works import request_bytes
from tests.acceptance.conftest import Start

from gatepost import App, Model, Resource, anyone
from gatepost.migrations.safe_changes import apply_lossless

APP = """
from gatepost import App, Model, Resource, anyone

class Note(Model):
    __tablename__ = "paused_notes"

app = App(Resource(Note, read=anyone))
"""


pytestmark = pytest.mark.alone


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "app.py").write_text(APP)
    return tmp_path


def test_a_pause_of_the_worker_does_not_outlast_itself(
    start: Start, production: Mapping[str, str], database_url: str
) -> None:
    class Note(Model):
        __tablename__ = "paused_notes"

    asyncio.run(apply_lossless(database_url, App(Resource(Note, read=anyone)).metadata))
    environ = {**production, "GATEPOST_LIMIT_API": "1000000000", "GATEPOST_LOG_ACCESS": "false"}
    running = start("serve", "app:app", "--port", "0", "--workers", "1", environ=environ).ready()
    (worker,) = running.workers()
    course = run_closed(
        running.port,
        [request_bytes("GET", "/api/paused_notes?limit=20", None)],
        200,
        seconds=7,
        events=[
            (2.0, lambda: os.kill(worker.pid, signal.SIGSTOP)),
            (3.0, lambda: os.kill(worker.pid, signal.SIGCONT)),
        ],
    )
    before, after = course.served_per_second(0.5, 2), course.served_per_second(5, 7)
    # It was a tenth where refusals displaced service; the rest is room for what else the machine does.
    assert after > 0.5 * before
