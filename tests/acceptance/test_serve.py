"""`gatepost serve`: starting, refusing to start, stopping, and being killed."""

import json
import re
import signal
from pathlib import Path

import psutil
import pytest
from tests.acceptance.conftest import SECONDS_MAX, Command, Done, Running, Start, is_alive, run, wait_for

Environ = dict[str, str]


@pytest.fixture(scope="module")
def serving(module_start: Start, module_production: Environ) -> Running:
    """A server that tests leave running."""
    return module_start("serve", "--port", "0", environ=module_production).ready()


def test_a_server_drains_at_sigterm_and_ends_with_status_0_when_the_last_access_line_is_written(
    start: Start, production: Environ, project: Path
) -> None:
    server = start("serve", "--port", "0", environ=production).ready()
    waiting = server.ask_and_leave_waiting()
    assert server.get("/api/nothing-like-it?password=secret")[0] == 404
    server.send(signal.SIGTERM)
    wait_for(lambda: not server.responds("/livez", 200), "new connections to be refused")
    (project / "released").touch()
    response = waiting.getresponse()
    assert (response.status, response.read()) == (200, b"released")
    assert response.getheader("connection") == "close"
    assert server.wait() == 0
    lines = [json.loads(line) for line in server.output.splitlines() if line.startswith("{")]
    for path, status in (("/api/nothing-like-it", 404), ("/waiting", 200)):
        [line] = [line for line in lines if line["event"] == "request" and line["path"] == path]
        assert line["status"] == status
        assert line["request_id"]
    assert "secret" not in server.output


def test_a_second_signal_ends_at_once(start: Start, production: Environ) -> None:
    server = start("serve", "--port", "0", environ=production).ready()
    server.ask_and_leave_waiting()
    workers = server.workers()
    server.send(signal.SIGINT)
    wait_for(lambda: not server.responds("/livez", 200), "the drain to begin")
    server.send(signal.SIGINT)
    assert server.wait() == 130
    psutil.wait_procs(workers, timeout=SECONDS_MAX)
    assert not [worker for worker in workers if is_alive(worker)]


def test_a_request_that_never_ends_is_cut_off_after_the_drain(start: Start, production: Environ) -> None:
    server = start("serve", "--port", "0", environ={**production, "GATEPOST_DRAIN_SECONDS": "1"}).ready()
    server.ask_and_leave_waiting()
    server.send(signal.SIGTERM)
    assert server.wait() == 0


def test_a_second_server_on_the_port_is_refused(serving: Running, production: Environ, project: Path) -> None:
    server = serving
    refused = run("serve", "--port", str(server.port), cwd=project, environ=production)
    assert refused.returncode == 2
    assert f"Another program is already listening on 127.0.0.1:{server.port}." in refused.stderr
    assert "Traceback" not in refused.stderr


def test_a_killed_master_takes_its_workers_along_and_the_next_start_works(start: Start, production: Environ) -> None:
    environ = {**production, "GATEPOST_DRAIN_SECONDS": "1"}
    server = start("serve", "--port", "0", "--workers", "2", environ=environ).ready()
    server.ask_and_leave_waiting()
    workers = server.workers()
    server.send(signal.SIGKILL)
    server.wait()
    assert len(workers) == 2
    start("serve", "--port", str(server.port), environ=environ).ready()
    wait_for(lambda: not [worker for worker in workers if is_alive(worker)], "the workers to end")


def test_a_killed_worker_is_replaced_and_no_connection_is_refused_meanwhile(serving: Running) -> None:
    server = serving
    [worker] = server.workers()
    worker.kill()
    assert server.get("/livez")[0] == 200
    assert [child.pid for child in server.workers()] != [worker.pid]


def test_production_refuses_to_start_without_a_database_and_a_key(environ: Environ, project: Path) -> None:
    refused = run("serve", "--port", "0", cwd=project, environ=environ)
    assert refused.returncode == 2
    assert "DATABASE_URL is not set" in refused.stderr
    assert "GATEPOST_SIGNING_KEY is not set" in refused.stderr


@pytest.mark.parametrize(
    ("source", "sentence"),
    [
        ("x = (\n", "app.py:1: '(' was never closed"),
        ("import nothing_like_it\n", "app.py:1: ModuleNotFoundError: No module named 'nothing_like_it'"),
        ("def f():\n    return 1 / 0\nf()\n", "app.py:2: ZeroDivisionError: division by zero"),
        ("app = 1\n", "app:app: is a int, not a gatepost.App"),
        ("", "has no attribute 'app'"),
    ],
)
def test_an_app_that_cannot_be_loaded_is_a_sentence(
    command: Command, production: Environ, project: Path, source: str, sentence: str
) -> None:
    (project / "app.py").write_text(source)
    check_refusal(command("routes", environ=production), sentence)


def test_a_server_is_refused_that_has_no_app(production: Environ, project: Path) -> None:
    (project / "app.py").write_text("x = (\n")
    check_refusal(run("serve", "--port", "0", cwd=project, environ=production), "app.py:1: '(' was never closed")


def check_refusal(refused: Done, sentence: str) -> None:
    """The sentence, and of tracebacks only what is the user's own."""
    assert refused.returncode == 2
    assert sentence in refused.stderr
    assert "gatepost/" not in refused.stderr + refused.stdout, "the traceback is the user's own"
    is_raised_by_the_module = "Error: " in sentence
    assert ("Traceback" in refused.stderr) == is_raised_by_the_module
    assert is_raised_by_the_module or len(refused.stderr.splitlines()) == 1


def test_a_database_that_refuses_is_a_sentence_and_one_that_is_away_is_waited_for(
    start: Start, production: Environ, project: Path, database_url: str
) -> None:
    there = database_url.rpartition("/test_")[0]
    absent = {**production, "DATABASE_URL": database_url.replace("/test_", "/absent_")}
    refused = run("serve", "--port", "0", cwd=project, environ=absent)
    assert refused.returncode == 2
    assert re.search(r"Error: DATABASE_URL: PostgreSQL at .* refuses the connection: database", refused.stderr)
    assert "Traceback" not in refused.stderr + refused.stdout

    away = start("serve", "--port", "0", environ={**production, "DATABASE_URL": f"{there}/test?host={project}"})
    wait_for(lambda: away.responds("/readyz", 503), "the server to say that the database is away")
    assert (away.get("/livez")[0], away.get("/api/notes")[0]) == (200, 503)
    wait_for(lambda: '"event":"database_lost"' in away.output, "the line")
    assert away.output.count('"event":"database_lost"') == 1
