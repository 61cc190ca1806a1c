"""`gatepost dev --instances 2 --balancer` by hand: each part is killed, and clients of the balancer hardly notice."""

import re
import signal
from pathlib import Path

import psutil
from tests.acceptance.conftest import APP, SECONDS_MAX, Running, is_alive, starting, wait_for, without_settings
from tests.acceptance.test_dev_instances import instance, ports_of, routine_probes, wait_until_ready


def child(server: Running, program: str) -> psutil.Process:
    """The child that runs this program."""
    children = psutil.Process(server.process.pid).children()
    return next(each for each in children if program in Path(each.cmdline()[0]).name)


def test_each_part_is_killed_and_comes_back_and_ctrl_c_ends_all(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(APP)
    with starting(tmp_path) as start:
        environ = {**without_settings(), "NO_COLOR": "", "FORCE_COLOR": "1"}
        server = start("dev", "--instances", "2", "--balancer", "--port", "0", environ=environ)
        instances = ports_of(server)
        port = server.port
        assert f"  balancer   http://127.0.0.1:{port}, HAProxy" in server.output
        assert port not in instances
        assert f"  console    http://127.0.0.1:{instances[0]}/console" in server.output
        wait_until_ready(instances)
        wait_for(lambda: f"The API is at http://127.0.0.1:{port}/api/notes" in server.output, "the address")
        wait_for(lambda: server.responds("/api/notes", 200), "a response")

        instance(server, 1).kill()
        assert all(server.get("/api/notes")[0] == 200 for _ in range(20)), "reads go to the other one"
        wait_for(lambda: "Instance dev-1 ended by SIGKILL" in server.output, "the warning")
        wait_until_ready(instances)
        worker = instance(server, 2).children()
        for process in worker:
            process.kill()
        wait_for(
            lambda: re.search(
                r"\[dev-2\]\S* .*The worker, process \d+, ended by SIGKILL, and is started", server.output
            ),
            "the end of its worker",
        )
        wait_until_ready(instances)
        for program, said in {"valkey-server": "Valkey ended", "haproxy": "HAProxy ended"}.items():
            child(server, program).kill()
            wait_for(lambda said=said: f"{said} by SIGKILL, and is started again" in server.output, said)
            wait_for(lambda: server.responds("/api/notes", 200), f"a response after {said}")
        child(server, "postgres").kill()
        wait_for(lambda: "embedded_database_restarted" in server.output, "the database")
        wait_for(lambda: server.responds("/api/notes", 200), "a response from the database")

        source = (tmp_path / "app.py").read_text()
        (tmp_path / "app.py").write_text(source + "x = (\n")
        wait_for(lambda: "app.py:" in server.get("/api/notes")[1], "the mistake, through the balancer")
        (tmp_path / "app.py").write_text(source)
        wait_for(lambda: server.responds("/api/notes", 200), "the application without it")

        processes = server.children()
        server.send(signal.SIGINT)
        assert server.wait() == 0
        _, alive = psutil.wait_procs(processes, timeout=SECONDS_MAX)
        assert not [process for process in alive if is_alive(process)]
        assert "Traceback" not in server.output
        assert "\x1b[32m200\x1b[0m GET" in server.output, "in colours"
        assert not routine_probes(server.output), "health checks that succeed have no line"
