"""`gatepost dev --instances 2`: two servers on one database in one terminal, and what happens when one is killed."""

import http.client
import json
import re
import shutil
import signal
from pathlib import Path

import psutil
import pytest
from tests.acceptance.conftest import SECONDS_MAX, Command, Running, Start, is_alive, wait_for

from gatepost.balancer import programs

Environ = dict[str, str]


def ports_of(server: Running) -> list[int]:
    """The ports of the instances, as the greeting says them."""
    return wait_for(
        lambda: [int(port) for port in re.findall(r"dev-\d +http://127\.0\.0\.1:(\d+),", server.output)], "a greeting"
    )


def get(port: int, path: str) -> tuple[int, str]:
    """Status and body; 0 where nothing listens."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=SECONDS_MAX)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        return response.status, response.read().decode()
    except OSError:
        return 0, ""
    finally:
        connection.close()


def wait_until_ready(ports: list[int]) -> None:
    for port in ports:
        wait_for(lambda port=port: get(port, "/readyz")[0] == 200, f"readiness at {port}")


def routine_probes(output: str) -> list[str]:
    """The instances of which successful health checks are shown, besides the first after failed ones."""
    shown = re.findall(r"^\S*\[(dev-\d)\].* (?:\x1b\[\d+m)?(\d{3})\S* GET +/readyz ", output, re.M)
    last: dict[str, str] = {}
    found: list[str] = []
    for name, status in shown:
        if status == "200" and last.get(name, "200") == "200":
            found.append(name)
        last[name] = status
    return found


def instance(server: Running, number: int) -> psutil.Process:
    """The master of an instance."""
    name = f"dev-{number}"
    return next(
        child
        for child in psutil.Process(server.process.pid).children()
        if child.environ().get("GATEPOST_INSTANCE") == name
    )


def test_instances_share_a_database_and_limits_and_one_that_is_killed_comes_back(
    start: Start, environ: Environ, project: Path
) -> None:
    server = start("dev", "--instances", "2", "--port", "0", environ=environ)
    ports = ports_of(server)
    assert len(set(ports)) == 2
    wait_until_ready(ports)
    assert "per client, shared through an embedded Valkey" in server.output
    assert [get(port, "/api/notes")[0] for port in ports] == [200, 200]
    assert [json.loads(get(port, "/readyz")[1])["limits"] for port in ports] == ["ok", "ok"]
    wait_for(lambda: re.search(r"^\[dev-2\] .* 200 GET +/api/notes", server.output, re.M), "a marked line")
    assert not routine_probes(server.output), "nobody wants to see these"
    assert {path.name for path in (project / ".gatepost" / "logs").iterdir()} >= {"dev-1", "dev-2"}

    named = re.search(r"^  processes  .*Instance dev-2 (\d+)", server.output, re.M)
    assert named is not None, "what to kill by hand"
    assert int(named[1]) == instance(server, 2).pid
    instance(server, 2).kill()
    wait_for(lambda: "Instance dev-2 ended by SIGKILL, and is started again at once." in server.output, "the warning")
    again = wait_for(lambda: re.search(r"^Instance dev-2 is process (\d+) now\.$", server.output, re.M), "the new one")
    assert int(again[1]) == instance(server, 2).pid
    assert get(ports[0], "/api/notes")[0] == 200
    wait_until_ready(ports)

    app = project / "app.py"
    app.write_text(app.read_text().replace("read=anyone)", 'read=anyone, path="remarks")'))
    for port in ports:
        wait_for(lambda port=port: get(port, "/api/remarks")[0] == 200, "the new path")

    processes = server.children()
    server.send(signal.SIGKILL)
    server.wait()
    _, alive = psutil.wait_procs(processes, timeout=SECONDS_MAX)
    assert not [process for process in alive if is_alive(process)]


@pytest.mark.parametrize(
    ("release", "said"),
    [
        ({"ID": "ubuntu", "ID_LIKE": "debian"}, "Install it: `sudo apt install haproxy`."),
        ({"ID": "fedora"}, "Install it: `sudo dnf install haproxy`."),
        ({"ID": "nixos"}, "Install it: the package `haproxy` of your system, version 2.6 or newer."),
    ],
)
def test_without_haproxy_it_says_how_to_get_it(
    command: Command, monkeypatch: pytest.MonkeyPatch, release: dict[str, str], said: str
) -> None:
    monkeypatch.setattr(shutil, "which", lambda *_, **__: None)
    monkeypatch.setattr(programs.platform, "freedesktop_os_release", lambda: release)
    refused = command("dev", "--instances", "2", "--balancer")
    assert (refused.returncode, refused.stderr) == (2, f"Error: HAProxy is not installed. {said}\n")
