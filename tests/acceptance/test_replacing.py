"""SIGHUP and SIGTERM under traffic: workers come and go, and clients do not notice."""

import signal
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from tests.acceptance.conftest import Running, Start, is_alive, wait_for
from tests.acceptance.traffic import Traffic

Environ = dict[str, str]
CUT_MAX = 1 / 10_000
"""Of new connections, those that may be cut off while workers are replaced."""
PAUSE_SECONDS = 0.005
"""Between two requests of a client: in tests_soak/test_replaced_workers.py there is none."""
REPLACED = '"event":"worker_replaced"'


def pids(server: Running) -> set[int]:
    """The processes that serve."""
    return {process.pid for process in server.workers() if is_alive(process)}


def assert_nobody_noticed(traffic: Traffic) -> None:
    """No kept connection failed, no new one was refused, and hardly any was cut."""
    assert set(traffic.responses["kept"]) == set(traffic.responses["fresh"]) == {200}
    assert traffic.refused.total() == 0
    assert traffic.cut["kept"] == 0
    assert traffic.cut["fresh"] <= traffic.responses["fresh"].total() * CUT_MAX


@pytest.fixture(scope="module", params=[1, 2])
def several(request: pytest.FixtureRequest, module_start: Start, module_production: Environ) -> Iterator[Running]:
    """A server of one or two workers that a test may replace; it ends in order."""
    workers = str(request.param)
    server = module_start("serve", "--port", "0", "--workers", workers, environ=module_production).ready()
    yield server
    server.send(signal.SIGTERM)
    assert server.wait() == 0


@pytest.fixture(scope="module")
def one(module_start: Start, module_production: Environ) -> Running:
    """A server of one worker that a test may replace."""
    return module_start("serve", "--port", "0", environ=module_production).ready()


def only_worker(server: Running) -> int:
    """The worker of `one`, once those that it has replaced have ended."""
    wait_for(lambda: len(pids(server)) == 1, "the end of an earlier worker")
    [worker] = pids(server)
    return worker


def test_sighup_replaces_every_worker_and_no_client_notices(several: Running) -> None:
    server, app = several, several.folder / "app.py"
    old = pids(server)
    workers = len(old)
    source = app.read_text()
    path = f"remarks-{workers}"
    app.write_text(source.replace("read=anyone)", f'read=anyone, path="{path}")'))
    with Traffic(server.port, pause_seconds=PAUSE_SECONDS) as traffic:
        wait_for(lambda: traffic.count > 100, "traffic")
        server.send(signal.SIGHUP)
        wait_for(lambda: len(new := pids(server)) == workers and not new & old, "other workers")
        count = traffic.count
        wait_for(lambda: traffic.count > count + 100, "traffic of the new workers")
    assert_nobody_noticed(traffic)
    assert traffic.closed > 0, "kept connections moved because they were told to"
    assert server.get(f"/api/{path}")[0] != 404, "the new workers have loaded the application anew"
    assert server.output.count(REPLACED) == workers
    app.write_text(source)


def test_a_request_in_flight_is_finished_by_the_worker_that_is_replaced(one: Running) -> None:
    server, old = one, only_worker(one)
    count = server.output.count(REPLACED)
    waiting = server.ask_and_leave_waiting()
    server.send(signal.SIGHUP)
    wait_for(lambda: server.output.count(REPLACED) > count, "a new worker")
    (server.folder / "released").touch()
    response = waiting.getresponse()
    assert (response.status, response.read(), response.getheader("connection")) == (200, b"released", "close")
    wait_for(lambda: old not in pids(server), "the old worker's end")


def test_a_replaced_worker_is_still_ready(one: Running) -> None:
    server, old = one, only_worker(one)
    with Traffic(server.port, "/readyz", clients=2, pause_seconds=PAUSE_SECONDS) as traffic:
        server.send(signal.SIGHUP)
        wait_for(lambda: old not in pids(server), "the old worker's end")
    assert_nobody_noticed(traffic)


def test_workers_that_cannot_start_replace_nobody(start: Start, production: Environ, project: Path) -> None:
    server = start("serve", "--port", "0", "--workers", "2", environ=production).ready()
    old = pids(server)
    source = (project / "app.py").read_text()
    (project / "app.py").write_text(source + "x = (\n")
    server.send(signal.SIGHUP)
    wait_for(lambda: '"event":"worker_not_replaced"' in server.output, "the refusal")
    assert f"app.py:{len(source.splitlines()) + 1}" in server.output
    assert pids(server) == old
    assert server.get("/livez")[0] == 200

    (project / "app.py").write_text(source)
    server.send(signal.SIGHUP)
    wait_for(lambda: not pids(server) & old, "other workers, now that the mistake is gone")


def test_a_worker_that_dies_when_the_application_is_broken_does_not_end_the_server(
    start: Start, production: Environ, project: Path
) -> None:
    server = start("serve", "--port", "0", "--workers", "2", environ=production).ready()
    source = (project / "app.py").read_text()
    (project / "app.py").write_text(source + "x = (\n")
    first, _ = server.workers()
    first.kill()
    wait_for(lambda: server.output.count('"event":"worker_died"') > 1, "its successor to fail")
    assert '"ended_by":"SIGKILL","replaced_in_seconds":0.0' in server.output
    assert '"ended_by":"status 2","replaced_in_seconds":0.5' in server.output
    assert server.get("/livez")[0] == 200
    (project / "app.py").write_text(source)
    wait_for(lambda: len(pids(server)) == 2, "a successor that lives")


def test_a_server_that_is_told_to_stop_while_it_replaces_stops(start: Start, production: Environ) -> None:
    server = start("serve", "--port", "0", "--workers", "2", environ=production).ready()
    server.send(signal.SIGHUP)
    wait_for(lambda: '"event":"worker_replaced"' in server.output, "the first new worker")
    below = server.workers()
    assert len(below) == 3
    server.send(signal.SIGTERM)
    assert server.wait() == 0
    _, alive = psutil.wait_procs(below, timeout=5)
    assert not alive


def test_readiness_turns_false_before_connections_are_refused(start: Start, production: Environ) -> None:
    environ = {**production, "GATEPOST_DRAIN_DELAY_SECONDS": "2"}
    server = start("serve", "--port", "0", "--workers", "2", environ=environ).ready()
    with Traffic(server.port, pause_seconds=PAUSE_SECONDS) as traffic:
        wait_for(lambda: traffic.count > 100, "traffic")
        server.send(signal.SIGTERM)
        wait_for(lambda: server.responds("/readyz", 503), "readiness to turn false")
        said = server.get("/readyz")[1]
        count = traffic.count
        wait_for(lambda: traffic.count > count + 100, "traffic of those that have not yet heard of it")
        # Here a load balancer sends its clients elsewhere.
        traffic.stop()
        assert server.get("/livez")[0] == 200
    assert '"process":"draining"' in said
    assert_nobody_noticed(traffic)
    assert traffic.closed >= 4, "kept connections are told to close"
    assert server.wait() == 0


def test_a_second_signal_does_not_wait_for_load_balancers(start: Start, production: Environ) -> None:
    server = start("serve", "--port", "0", environ={**production, "GATEPOST_DRAIN_DELAY_SECONDS": "60"}).ready()
    server.send(signal.SIGTERM)
    wait_for(lambda: server.responds("/readyz", 503), "the drain")
    server.send(signal.SIGTERM)
    assert server.wait() == 130


def test_signals_between_master_and_workers_do_no_harm_to_a_master(one: Running) -> None:
    server, worker = one, only_worker(one)
    server.send(signal.SIGUSR1)
    server.send(signal.SIGUSR2)
    assert server.get("/readyz")[0] == 200
    assert server.process.poll() is None
    assert only_worker(server) == worker
