"""Random and damaged requests over raw sockets: never an internal error, never a hang, and the server lives on."""

import asyncio
import json
import secrets

import psutil
from tests.acceptance.conftest import Running
from tests.acceptance.fuzzing import GOOD, Fuzz
from tests.acceptance.raw_http import ask

SECONDS = 4


def fuzz(server: Running, seconds: float) -> Fuzz:
    """A run with a seed of its own; fails with the requests that are to blame."""
    workers = {process.pid for process in server.workers()}
    seed = secrets.randbits(32)
    run = Fuzz(server, seed)
    asyncio.run(run.run(seconds))
    assert not run.complaints, f"seed {seed}: {run.complaints[:3]}"
    assert {process.pid for process in server.workers()} == workers
    assert errors_of(server) == [], f"seed {seed}"
    return run


def errors_of(server: Running) -> list[str]:
    """Lines of the log that say that something went wrong."""
    lines = [line for line in server.output.splitlines() if not line.startswith("{")]
    found = [line for line in lines if "Traceback" in line or "panicked" in line]
    events = [json.loads(line) for line in server.output.splitlines() if line.startswith("{")]
    return found + [str(event) for event in events if event["level"] == "error"]


def test_no_request_is_an_internal_error_or_a_hang(raw_http_server: Running) -> None:
    run = fuzz(raw_http_server, SECONDS)

    # Both sides of the line are reached: what is damaged beyond use, and what still is a request.
    assert {200, 201, 400, 404, 415, 422} <= run.found.keys(), run.found
    for data in GOOD[:3]:
        response = ask(raw_http_server.port, data)
        assert response is not None
        assert response.status < 500
    worker = psutil.Process(max(process.pid for process in raw_http_server.workers()))
    assert worker.num_fds() < 200
