"""The page about one machine, with the programs that it names: Debian's PostgreSQL, systemd's verifier, Caddy, curl."""

import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Generator, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from debian_postgresql import DebianPostgreSQL, psql
from test_tutorial import wait_for
from tests.ports import free_port

from gatepost.auth.keys import KEY_FILE, development_key
from gatepost.cli.new import make_project
from gatepost.cli.project_source import ProjectSource

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "how-to" / "deploy-to-one-machine.md"
UNIT = "/etc/systemd/system/shop@.service"
FILES = dict(re.findall(r"^```\w+ title=\"([^\"]+)\"\n(.*?)^```$", PAGE.read_text(), re.M | re.S))
GATEPOST = Path(sys.executable).parent / "gatepost"
SECONDS_MAX = 60.0
CADDY = """{{
	admin off
	local_certs
	skip_install_trust
	http_port {http}
	https_port {https}
}}
"""
"""For a machine without that name, and without privileges."""


class Deployment:
    """The files of the page, with what differs here: where things are, and the ports."""

    def __init__(self, folder: Path, dsn: str) -> None:
        self.http, self.https = free_port(), free_port()
        self.ports = {8001: free_port(), 8002: free_port()}
        make_project("shop", folder, ProjectSource(None))
        development_key(folder)
        self.folder = folder
        places = {
            "/srv/shop/.venv/bin/gatepost": str(GATEPOST),
            "/srv/shop": str(folder / "shop"),
            "/etc/shop/signing-key.pem": str(folder / KEY_FILE),
            "/etc/shop/shop.env": str(folder / "shop.env"),
            "/var/log/shop": str(folder / "log"),
            "postgresql://shop:a-long-password@127.0.0.1:5432/shop": dsn,
            **{f"127.0.0.1:{port}": f"127.0.0.1:{here}" for port, here in self.ports.items()},
        }
        files = dict(FILES)
        for there, here in places.items():
            assert any(there in text for text in FILES.values()), there
            files = {name: text.replace(there, here) for name, text in files.items()}
        self.unit = files[UNIT]
        for name in ("state", "run", "log"):
            (folder / name).mkdir()
        (folder / "shop.env").write_text(files["/etc/shop/shop.env"])
        caddy = CADDY.format(http=self.http, https=self.https) + files["/etc/caddy/Caddyfile"]
        (folder / "Caddyfile").write_text(caddy)
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("GATEPOST", "DATABASE_URL"))}
        settings = dict(line.split("=", 1) for line in shlex.split(files["/etc/shop/shop.env"]))
        self.environ = {**kept, **settings, "XDG_DATA_HOME": str(folder), "XDG_CONFIG_HOME": str(folder)}

    def said(self, key: str, port: int) -> list[str]:
        """What the unit of this instance says of a key."""
        (words,) = re.findall(rf"^{key}=(.+)$", self.unit, re.M)
        return shlex.split(words.replace("%i", str(self.ports[port])))

    def environ_of(self, port: int) -> dict[str, str]:
        """What systemd would give this instance besides the file of settings."""
        given = dict(word.split("=", 1) for word in self.said("Environment", port))
        folders = {"STATE_DIRECTORY": "state", "RUNTIME_DIRECTORY": "run"}
        return {**given, **{name: str(self.folder / folder) for name, folder in folders.items()}}

    def lines(self, port: int) -> str:
        """What this instance has logged."""
        path = self.folder / "log" / str(self.ports[port]) / "combined.log"
        return path.read_text() if path.exists() else ""

    def run(self, *command: str | Path, **environ: str) -> str:
        """A command of the deployment from start to end."""
        done = subprocess.run(
            command,
            cwd=self.folder / "shop",
            env={**self.environ, **environ},
            capture_output=True,
            text=True,
            timeout=SECONDS_MAX,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout + done.stderr

    @contextmanager
    def running(self, name: str, *command: str | Path, **environ: str) -> Generator["subprocess.Popen[bytes]"]:
        """A command that serves, with its output in a file of that name."""
        given = {**self.environ, **environ}
        with (self.folder / name).open("wb") as log:
            process = subprocess.Popen(command, cwd=self.folder / "shop", env=given, stdout=log, stderr=log)
        try:
            yield process
        finally:
            process.kill()
            process.wait()

    def is_ready(self, port: int) -> bool:
        """Whether this instance says so."""
        url = f"http://127.0.0.1:{self.ports[port]}/readyz"
        command = ["curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", "--max-time", "5", url]
        return subprocess.run(command, capture_output=True, text=True, check=False).stdout == "200"

    def ask(self, path: str, *options: str) -> str:
        """A response by HTTPS, with its headers; empty where there is none."""
        url = f"https://shop.example:{self.https}{path}"
        resolve = f"shop.example:{self.https}:127.0.0.1"
        command = ["curl", "-ski", "--max-time", "10", "--resolve", resolve, *options, url]
        return subprocess.run(command, capture_output=True, text=True, check=False).stdout


@pytest.fixture
def deployment(debian: DebianPostgreSQL, tmp_path: Path) -> Iterator[Deployment]:
    superuser = debian.dsn("postgres", "postgres")
    for statement in FILES["database.sql"].splitlines():
        psql(superuser, statement)
    yield Deployment(tmp_path, debian.dsn("shop", "shop"))
    for statement in ("DROP DATABASE shop WITH (FORCE)", "DROP ROLE shop"):
        psql(superuser, statement)


def caddy() -> str:
    """Caddy, of this environment or of the machine."""
    beside = Path(sys.executable).parent / "caddy"
    found = str(beside) if beside.exists() else shutil.which("caddy")
    assert found is not None, "Caddy is not installed: run make test-all"
    return found


def test_the_unit_of_the_page_is_that_of_the_folder() -> None:
    assert FILES[UNIT] == (ROOT / "deploy" / "systemd" / "shop@.service").read_text()


def test_two_instances_serve_by_https_while_one_of_them_is_replaced(
    deployment: Deployment, debian: DebianPostgreSQL
) -> None:
    deployment.run(GATEPOST, "migrate", "make", "first tables", DATABASE_URL=debian.dsn("shop", "postgres"))
    deployment.run(GATEPOST, "migrate", "up")

    with ExitStack() as stack:
        servers = {
            port: stack.enter_context(
                deployment.running(f"{port}.log", *deployment.said("ExecStart", port), **deployment.environ_of(port))
            )
            for port in deployment.ports
        }
        configuration = deployment.folder / "Caddyfile"
        stack.enter_context(deployment.running("caddy.log", caddy(), "run", "--config", configuration))
        wait_for(lambda: deployment.ask("/readyz").startswith("HTTP/2 200"), "readiness by HTTPS")
        wait_for(lambda: all(map(deployment.is_ready, deployment.ports)), "both instances")

        forged = ("--interface", "127.0.0.2", "-H", "X-Forwarded-For: 203.0.113.9")
        response = deployment.ask("/api/notes", *forged)
        assert response.startswith("HTTP/2 200")
        assert "strict-transport-security: max-age=31536000" in response
        assert response.endswith('{"data":[],"page":{"limit":20,"next":null,"prev":null}}')

        def logged() -> str:
            return "".join(map(deployment.lines, deployment.ports))

        wait_for(lambda: '"path":"/api/notes"' in logged(), "the line of the request")
        assert '"client":"127.0.0.2"' in logged()
        assert "203.0.113.9" not in logged()

        first, second = servers.values()
        assert deployment.said("ExecReload", 8001) == ["/bin/kill", "-HUP", "$MAINPID"]
        first.send_signal(signal.SIGHUP)
        wait_for(lambda: "worker_replaced" in deployment.lines(8001), "new workers")
        second.send_signal(signal.SIGTERM)
        while second.poll() is None:
            assert deployment.ask("/api/notes").startswith("HTTP/2 200"), "one of them stops"
            time.sleep(0.4)  # a client may ask 100 times in all
        assert second.returncode == 0
        assert deployment.ask("/api/notes").startswith("HTTP/2 200")
        first.send_signal(signal.SIGTERM)
        assert first.wait(SECONDS_MAX) == 0
