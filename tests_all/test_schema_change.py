"""The page about schema changes, step by step: both versions serve, and each sees what the other wrote."""

import json
import re
import subprocess
import textwrap
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from tests.acceptance.conftest import GATEPOST, Running, production_settings, without_settings
from tests.conftest import FAST_AND_FORGETFUL

from gatepost.embedded.postgresql import EmbeddedPostgreSQL

PAGE = Path(__file__).parents[1] / "docs" / "how-to" / "change-the-schema-without-downtime.md"
BLOCKS = re.findall(r"^```(\w+) title=\"([^\"]+)\"\n(.*?)^```$", PAGE.read_text(), re.M | re.S)
[(OLD, EXPAND, CONTRACT)] = [[text for kind, _, text in BLOCKS if kind == "python"]]
(DIFF,) = (text for kind, _, text in BLOCKS if kind == "diff")


class Rollout:
    """The project of the page, and its versions that run."""

    def __init__(self, folder: Path, dsn: str, stack: ExitStack) -> None:
        self.folder = folder
        self.environ = {
            **without_settings(),
            **production_settings(folder, dsn),
            "GATEPOST_PORT": "0",
            "GATEPOST_INSTANCE": "shop",
        }
        self._stack = stack
        self.running: list[Running] = []

    def gatepost(self, *arguments: str) -> str:
        done = subprocess.run(
            [GATEPOST, *arguments], cwd=self.folder, env=self.environ, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def make(self, *arguments: str) -> Path:
        """Write a migration, and return its file."""
        said = self.gatepost("migrate", "make", *arguments)
        return self.folder / said.split()[1].rstrip(".")

    def serve(self) -> None:
        """Start what is in the folder now, beside the others."""
        running = Running(["serve"], self.folder, self.environ, f"server{len(self.running)}")
        self._stack.callback(running.close)
        self.running.append(running.ready())

    def check_all(self, mark: str) -> None:
        """Each version writes a row, and then each sees them all."""
        for number, server in enumerate(self.running):
            body = json.dumps({"title": f"{mark} {number}"}).encode()
            url = f"http://127.0.0.1:{server.port}/api/notes"
            request = urllib.request.Request(url, body, {"content-type": "application/json"})
            assert urllib.request.urlopen(request, timeout=60).status == 201
        for server in self.running:
            titles = {row["title"] for row in json.loads(server.get("/api/notes?limit=100")[1])["data"]}
            assert {f"{mark} {number}" for number in range(len(self.running))} <= titles


@pytest.fixture
def rollout(tmp_path: Path) -> Iterator[Rollout]:
    with ExitStack() as stack:
        server = stack.enter_context(EmbeddedPostgreSQL(tmp_path / "postgresql", settings=FAST_AND_FORGETFUL))
        yield Rollout(tmp_path, server.dsn("gatepost"), stack)


def test_both_versions_serve_at_every_step(rollout: Rollout) -> None:
    app = rollout.folder / "app.py"
    app.write_text(OLD)
    rollout.make("first")
    rollout.gatepost("migrate", "up")
    rollout.serve()
    rollout.check_all("before")

    file = rollout.make("--empty", "add notes.subject")
    file.write_text(re.sub(r"^def upgrade\(\).*?(?=^def )", f"{EXPAND}\n\n", file.read_text(), flags=re.M | re.S))
    rollout.gatepost("migrate", "up")
    rollout.check_all("expanded")

    new = OLD
    for removed, added in zip(*(re.findall(rf"^\{sign}(.*)$", DIFF, re.M) for sign in "-+"), strict=True):
        assert removed in new
        new = new.replace(removed, added)
    app.write_text(new)
    rollout.serve()
    rollout.check_all("both")

    old = rollout.running.pop(0)
    file = rollout.make("--allow-loss", "drop notes.title")
    written = file.read_text()
    assert "op.drop_column('notes', 'title')" in written
    begin = "def upgrade() -> None:\n"
    file.write_text(written.replace(begin, begin + textwrap.indent(CONTRACT, "    ")))
    rollout.gatepost("migrate", "up")
    rollout.check_all("contracted")
    status, body = old.get("/api/notes")
    assert (status, json.loads(body)["code"]) == (503, "schema_changed")
