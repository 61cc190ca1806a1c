"""Rate limits of real servers: one count for all workers and instances, and the operator's look at it."""

import json
import signal
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from tests.acceptance.conftest import Running, Start, is_alive, run, wait_for
from tests.valkey_server import ValkeyServer

Environ = dict[str, str]
LIMIT = 6
"""So few that a token comes back only after 150 s: on a busy machine it must not come back while a test counts."""


@pytest.fixture
def limited(production: Environ) -> Environ:
    """The environment of a server that admits LIMIT requests."""
    return {**production, "GATEPOST_LIMIT_API": str(LIMIT)}


def admitted(server: Running, count: int) -> int:
    """How many of so many requests are not too many, each on a connection of its own, which any worker may take."""
    statuses = Counter(server.get("/api/auth/me")[0] for _ in range(count))
    assert statuses.keys() <= {401, 429}
    return statuses[401]


def left(output: str) -> dict[str, int]:
    """What `gatepost limits show --json` says is left."""
    return {row["limit"]: row["left"] for row in json.loads(output)}


def workers(server: Running) -> set[int]:
    return {process.pid for process in server.workers() if is_alive(process)}


def test_workers_share_one_count_which_outlives_them_and_can_be_lifted(start: Start, limited: Environ) -> None:
    server = start("serve", "--port", "0", "--workers", "3", environ=limited).ready()
    assert admitted(server, 2 * LIMIT) == LIMIT
    options = ("--port", str(server.port))
    shown = run("limits", "show", "127.0.0.1", "--json", *options, cwd=server.folder, environ=limited)
    assert shown.returncode == 0, shown.stderr
    assert left(shown.stdout)["api"] == 0

    old = workers(server)
    server.send(signal.SIGHUP)
    wait_for(lambda: len(new := workers(server)) == 3 and not new & old, "other workers")
    assert admitted(server, 10) == 0
    psutil.Process(min(workers(server))).kill()
    assert admitted(server, 10) == 0

    filled = run("limits", "reset", "127.0.0.1", *options, cwd=server.folder, environ=limited)
    assert filled.returncode == 0, filled.stderr
    assert "Refilled" in filled.stderr + filled.stdout
    assert admitted(server, 2 * LIMIT) == LIMIT


@pytest.fixture
def valkey() -> Iterator[ValkeyServer]:
    with ValkeyServer() as server:
        yield server


def test_instances_share_one_count_and_go_on_without_their_valkey(
    start: Start, limited: Environ, valkey: ValkeyServer
) -> None:
    environ = {**limited, "GATEPOST_VALKEY_URL": valkey.url, "GATEPOST_VALKEY_TIMEOUT_SECONDS": "1"}
    one = start("serve", "--port", "0", "--workers", "2", environ=environ).ready()
    other = start("serve", "--port", "0", environ=environ).ready()
    assert admitted(one, 3) + admitted(other, LIMIT) + admitted(one, 10) == LIMIT
    shown = run("limits", "show", "127.0.0.1", "--json", cwd=one.folder, environ=environ)
    assert left(shown.stdout)["api"] == 0, shown.stderr
    assert run("limits", "reset", "127.0.0.1", cwd=one.folder, environ=environ).returncode == 0
    wait_for(lambda: admitted(other, 1), "the bucket to be full")

    valkey.kill()
    assert admitted(other, 5) == 5
    ready = json.loads(other.get("/readyz")[1])
    assert (ready["status"], ready["limits"], ready["limits_decided_locally"] >= 4) == ("ok", "local", True)
    wait_for(lambda: other.output.count('"event":"buckets_lost"') == 1, "the loss to be told")
    assert f'"address":"127.0.0.1:{valkey.port}"' in other.output
    gone = run("limits", "show", "127.0.0.1", cwd=one.folder, environ=environ)
    refusal = f"GATEPOST_VALKEY_URL: Valkey at 127.0.0.1:{valkey.port} cannot be reached: "
    assert (gone.returncode, refusal in gone.stderr) == (2, True), gone.stderr
    valkey.start()
    wait_for(lambda: json.loads(other.get("/readyz")[1])["limits"] == "ok", "the Valkey to be found again")
    wait_for(lambda: '"event":"buckets_restored"' in other.output, "it to be told")
    assert other.output.count('"event":"buckets_lost"') == 1


KEYS = ["127.0.0.1", "ada@example.com", "2001:db8::1", "0198c0de-0000-7000-8000-000000000000"]


def test_every_kind_of_key_is_shown(start: Start, limited: Environ) -> None:
    server = start("serve", "--port", "0", environ=limited).ready()
    for key in KEYS:
        shown = run("limits", "show", key, "--port", str(server.port), cwd=server.folder, environ=limited)
        assert shown.returncode == 0, shown.stderr
        assert "/ 15 min" in shown.stdout, key


def test_where_no_server_is_the_command_says_so(limited: Environ, project: Path) -> None:
    response = run("limits", "show", "127.0.0.1", "--port", "1", cwd=project, environ=limited)
    assert response.returncode == 2
    assert "No server that you run has the admin socket" in response.stderr
    assert "Traceback" not in response.stderr
