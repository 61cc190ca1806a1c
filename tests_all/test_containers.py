"""A server as a container has it: the first process, on a file system that cannot be written to."""

import os
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from debian_postgresql import DebianPostgreSQL
from test_deploy import GATEPOST, Deployment, deployment
from test_tutorial import wait_for

assert deployment, "a fixture"

CONTAINER = """
set -e
mount -t tmpfs tmpfs "$1"
mount -o remount,bind,ro /
if touch written 2>/dev/null; then echo "The file system can be written to." >&2; exit 9; fi
[ $$ -eq 1 ]
shift
exec "$@"
"""
"""`--read-only --tmpfs /tmp` of an engine, without the engine."""


@pytest.fixture
def temporary() -> Iterator[Path]:
    """A folder with a short path: that of a socket in it is limited to about a hundred bytes."""
    with tempfile.TemporaryDirectory(prefix="gatepost-") as folder:
        yield Path(folder)


def test_a_server_is_the_first_process_on_a_read_only_file_system(
    deployment: Deployment, debian: DebianPostgreSQL, temporary: Path
) -> None:
    deployment.run(GATEPOST, "migrate", "make", "first tables", DATABASE_URL=debian.dsn("shop", "postgres"))
    deployment.run(GATEPOST, "migrate", "up")
    as_root = [] if os.getuid() == 0 else ["--user", "--map-root-user"]
    command = ["unshare", *as_root, "--mount", "--pid", "--fork", "--mount-proc", "--kill-child"]
    command += ["bash", "-c", CONTAINER, "container", str(temporary)]
    command += deployment.said("ExecStart", 8001)
    log = deployment.folder / "container.log"
    with deployment.running(log.name, *command, TMPDIR=str(temporary)) as outer:
        url = f"http://127.0.0.1:{deployment.ports[8001]}"

        def asked(path: str, host: str) -> str:
            words = ["curl", "-si", "--max-time", "5", "-H", f"Host: {host}", url + path]
            return subprocess.run(words, capture_output=True, text=True, check=False).stdout

        wait_for(lambda: asked("/readyz", "10.0.0.7:8000").startswith("HTTP/1.1 200"), f"readiness: {log.read_text()}")
        assert asked("/api/notes", "shop.example").endswith('{"data":[],"page":{"limit":20,"next":null,"prev":null}}')
        (server,) = psutil.Process(outer.pid).children()
        server.send_signal(signal.SIGTERM)
        assert outer.wait(60) == 0, log.read_text()
    assert "There is no admin socket" not in log.read_text(), "the folder for temporary files has it"
    assert "Traceback" not in log.read_text()
