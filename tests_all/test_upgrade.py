"""A new version and the way back, by the very commands of docs/how-to/deploy-to-one-machine.md, under load.

Not run: what needs systemd as the first process (`unit_runner.py` does what the units say in its place), the users of
the page, and the download of packages (`test_new_project.py` installs a project by the same commands).
"""

import json
import os
import re
import shutil
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Generator, Iterator
from contextlib import contextmanager

import pytest
from debian_postgresql import DebianPostgreSQL
from test_deploy import FILES, GATEPOST, PAGE, ROOT, Deployment, caddy, deployment
from test_tutorial import wait_for

assert deployment, "a fixture"

BUILD = "/usr/local/bin/build-release"
PACKAGES = """python3 -m venv .venv
.venv/bin/pip install --quiet uv
.venv/bin/uv sync --no-dev --inexact
"""
COLUMN = "    text: Mapped[Annotated[str, Len(0, 10_000)]]\n"
SECONDS_MAX = 300.0


def commands(heading: str) -> list[str]:
    """The blocks of commands below a heading of the page."""
    section = PAGE.read_text().partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    return re.findall(r"^```sh\n(.*?)^```$", section, re.M | re.S)


def lines(text: str, *beginnings: str) -> str:
    return "".join(f"{line}\n" for line in text.splitlines() if line.startswith(beginnings))


class Machine:
    """The machine of the page, in a folder."""

    def __init__(self, deployment: Deployment) -> None:
        self.deployment = deployment
        self.folder = deployment.folder
        self.places = {
            "/srv/releases": str(self.folder / "releases"),
            "/srv/source": str(self.folder / "source"),
            "/srv/shop": str(self.folder / "shop"),
            "/etc/shop/shop.env": str(self.folder / "shop.env"),
            "/var/log/shop": str(self.folder / "log"),
            **{f"127.0.0.1:{port}": f"127.0.0.1:{here}" for port, here in deployment.ports.items()},
        }
        for name in ("bin", "releases", "units"):
            (self.folder / name).mkdir()
        self.environ = {
            **deployment.environ,
            "PATH": f"{self.folder / 'bin'}:{os.environ['PATH']}",
            "GATEPOST_TEST_UNITS": str(self.folder / "units"),
            **dict.fromkeys(("GIT_AUTHOR_NAME", "GIT_COMMITTER_NAME"), "shop"),
            **dict.fromkeys(("GIT_AUTHOR_EMAIL", "GIT_COMMITTER_EMAIL"), "shop@shop.example"),
        }
        self._install()

    def here(self, text: str) -> str:
        """A text of the page with the places of this machine."""
        for there, here in self.places.items():
            text = text.replace(there, here)
        return text

    def run(self, script: str) -> None:
        """Commands of the page; each has to succeed."""
        done = subprocess.run(
            ["bash", "-euc", self.here(script)],
            cwd=self.folder,
            env=self.environ,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=SECONDS_MAX,
            check=False,
        )
        assert done.returncode == 0, f"{script}{done.stdout}{self.printed()}"

    def release(self, tag: str, dsn: str) -> None:
        """Commit the project as a release, with the migration that it needs."""
        origin = self.folder / "origin"
        made = [GATEPOST, "migrate", "make", tag]
        subprocess.run(made, cwd=origin, env={**self.environ, "DATABASE_URL": dsn}, check=True, capture_output=True)
        self.run(f"cd {origin} && git add -A && git commit -qm {tag} && git tag {tag}")

    def fields(self, port: int) -> set[str]:
        """Those by which the notes of this instance can be filtered, as the release says."""
        url = f"http://127.0.0.1:{self.deployment.ports[port]}/openapi.json"
        asked = subprocess.run(["curl", "-s", "-H", "Host: shop.example", url], capture_output=True, check=True)
        return set(json.loads(asked.stdout)["components"]["schemas"]["Note"]["properties"])

    def printed(self) -> str:
        return "".join(path.read_text() for path in sorted((self.folder / "units").glob("*.log")))

    def _install(self) -> None:
        (self.folder / "shop").rename(self.folder / "origin")
        self.run(f"cd {self.folder / 'origin'} && git init -qb main .")
        for path in (ROOT / "deploy" / "systemd").glob("*.service"):
            (self.folder / "units" / path.name).write_text(self.here(path.read_text()))
        (self.folder / "units" / "ports.json").write_text(json.dumps(self.deployment.ports))
        for name in ("state", "run"):
            (self.folder / "units" / name).mkdir()
        assert PACKAGES in FILES[BUILD]
        build = FILES[BUILD].replace(PACKAGES, f"mkdir -p .venv/bin && ln -s {GATEPOST} .venv/bin/gatepost\n")
        runner = f'#!/bin/sh\nexec {sys.executable} {ROOT / "tests_all" / "unit_runner.py"} "$@"\n'
        for name, text in (("build-release", self.here(build)), ("systemctl", runner)):
            path = self.folder / "bin" / name
            path.write_text(text)
            path.chmod(0o755)
        shutil.copy(ROOT / "deploy" / "rolling-restart", self.folder / "bin")


@contextmanager
def asked(deployment: Deployment) -> Generator[Counter[str]]:
    """Requests by HTTPS, one after the other, each of another client, with how they ended."""
    found: Counter[str] = Counter()
    is_over = threading.Event()

    def ask() -> None:
        while not is_over.wait(0.2):
            client = f"127.0.0.{2 + found.total() % 200}"  # each may ask 100 times in all
            found[deployment.ask("/api/notes", "--interface", client).partition("\n")[0].strip()] += 1

    thread = threading.Thread(target=ask)
    thread.start()
    try:
        yield found
    finally:
        is_over.set()
        thread.join()


@pytest.fixture
def machine(deployment: Deployment) -> Iterator[Machine]:
    made = Machine(deployment)
    yield made
    made.run("systemctl stop shop@8001 shop@8002")


def test_a_release_goes_out_and_back_without_a_failed_request(machine: Machine, debian: DebianPostgreSQL) -> None:
    upgrade, back = commands("A new version")
    superuser = debian.dsn("shop", "postgres")
    machine.release("v1", superuser)
    machine.run(f"git clone -q {machine.folder / 'origin'} /srv/source")
    application = "".join(commands("The application"))
    machine.run(lines(application, "build-release", "ln ") + lines(application, "systemctl start", "systemctl enable"))
    with machine.deployment.running("caddy.log", caddy(), "run", "--config", machine.folder / "Caddyfile"):
        wait_for(lambda: machine.deployment.ask("/readyz").startswith("HTTP/2 200"), "readiness by HTTPS")
        wait_for(lambda: all(map(machine.deployment.is_ready, machine.deployment.ports)), "both instances")
        old = machine.fields(8001)

        app = machine.folder / "origin" / "app.py"
        assert COLUMN in app.read_text()
        app.write_text(app.read_text().replace(COLUMN, f"{COLUMN}    colour: Mapped[str | None]\n"))
        machine.release("v2", superuser)
        with asked(machine.deployment) as responses:
            machine.run(upgrade)
            assert machine.fields(8001) == machine.fields(8002) == old | {"colour"}
            machine.run(back)
            assert machine.fields(8001) == machine.fields(8002) == old
        assert set(responses) == {"HTTP/2 200"}, responses
        assert responses.total() > 10

    [undo] = re.findall(r"`(cd /srv/releases/v2 && [^`]+)`", PAGE.read_text())
    machine.run(f"set -a; . /etc/shop/shop.env; set +a; {undo}")
    [remove] = re.findall(r"`(git -C /srv/source worktree remove) /srv/releases/v1`", PAGE.read_text())
    machine.run(f"{remove} /srv/releases/v2")
    assert machine.deployment.is_ready(8001), "the release that serves works without the column"
