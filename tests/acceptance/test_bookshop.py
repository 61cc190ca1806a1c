"""`make run`: the bookshop is filled once, whatever interrupts it, and outlives the death of its PostgreSQL."""

import os
import pty
import re
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import psutil
import pytest
from tests.acceptance.conftest import Running, wait_for

from gatepost.embedded.postgresql import EmbeddedPostgreSQL

ROOT = Path(__file__).parents[2]
COUNTS = "SELECT (SELECT count(*) FROM authors), (SELECT count(*) FROM books), (SELECT count(*) FROM orders)"
BOOKS_HALF_WAY = re.compile(r"books\b.*?\b[1-9]\d+/100000\b")


class Shop(Running):
    """`make run` without make, at the terminal's end of a pseudo-terminal: a progress bar is for people."""

    def __init__(self, data: Path, environ: Mapping[str, str]) -> None:
        self._terminal, theirs = pty.openpty()
        self._shown = ""
        command = [sys.executable, "-m", "examples.bookshop.run", "--port", "0", "--data", data]
        self.begin(command, ROOT, environ, stdout=theirs, stderr=theirs)
        os.close(theirs)
        os.set_blocking(self._terminal, False)

    @property
    def output(self) -> str:
        """All that it has shown."""
        try:
            while part := os.read(self._terminal, 65536):
                self._shown += part.decode()
        except OSError:  # nothing more for now, or for ever
            pass
        return self._shown

    def close(self) -> None:
        """End it, and everything below it."""
        super().close()
        os.close(self._terminal)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a shop whose filling was interrupted half way, and begun again by a second start."""
    folder = tmp_path_factory.mktemp("shop") / "data"
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("GATEPOST", "DATABASE_URL"))}
    environ = {**kept, "NO_COLOR": "1", "TERM": "xterm", "COLUMNS": "100"}

    interrupted = Shop(folder, environ)
    try:
        wait_for(lambda: BOOKS_HALF_WAY.search(interrupted.output), "some of the books")
        below = interrupted.children()
        assert any(process.name() == "postgres" for process in below)
        interrupted.send(signal.SIGINT)
        assert interrupted.wait() == 130
        assert "Traceback" not in interrupted.output
        assert not psutil.wait_procs(below, timeout=5)[1]
    finally:
        interrupted.close()

    filled = Shop(folder, environ)
    try:
        filled.ready()
        assert "100000/100000" in filled.output
        assert filled.get("/api/books?limit=1")[0] == 200
        filled.send(signal.SIGINT)
        assert filled.wait() == 0
    finally:
        filled.close()
    return folder


@pytest.fixture
def shop(data: Path, environ: dict[str, str]) -> Iterator[Shop]:
    """A later start on that folder."""
    running = Shop(data, {**environ, "TERM": "xterm"})
    yield running.ready()
    running.close()


def counts(data: Path) -> str:
    """Authors, books and orders in the shop."""
    return EmbeddedPostgreSQL(data).execute(COUNTS, database="gatepost")


def test_the_shop_is_filled_once_and_whole_though_the_first_time_was_interrupted(data: Path, shop: Shop) -> None:
    assert counts(data) == "2000|100000|500"
    assert "authors  " not in shop.output.split("The bookshop is at")[0], "a full shop shows no progress bar"
    shop.send(signal.SIGTERM)
    assert shop.wait() == 0


CHANGING = ((r'"(next|prev)":"[^"]+"', r'"\1":"..."'), (r'"request_id":"[^"]+"', '"request_id":"..."'))
"""Signed with the key of this shop, or new with each request."""


def plain(text: str) -> str:
    """A response without what differs each time."""
    for pattern, replacement in CHANGING:
        text = re.sub(pattern, replacement, text)
    return text.strip()


def test_the_commands_of_the_readme_get_the_responses_that_it_shows(shop: Shop, tmp_path: Path) -> None:
    section = (ROOT / "README.md").read_text().split("## Two commands")[1].split("\n## ")[0]
    (console,) = re.findall(r"^```console\n(.*?)^```$", section, re.M | re.S)
    shown = [part.partition("\n") for part in re.split(r"^\$ ", console, flags=re.M)[1:]]
    script = "\n".join(f"{command}; echo; echo ---" for command, _, _ in shown).replace(":8000", f":{shop.port}")

    done = subprocess.run(["bash", "-c", script], cwd=tmp_path, capture_output=True, text=True, check=True)
    responses = done.stdout.split("---\n")[:-1]

    assert len(shown) == len(responses) == 6
    for (command, _, expected), response in zip(shown, responses, strict=True):
        assert plain(response) == plain(expected), command


def test_a_killed_postgresql_is_back_by_itself(data: Path, shop: Shop) -> None:
    assert shop.get("/api/books?limit=1")[0] == 200
    direct = psutil.Process(shop.process.pid).children()
    [postgresql] = [process for process in direct if process.name() == "postgres"]
    workers = [process for process in direct if process != postgresql]
    shop.send(signal.SIGSTOP)  # the supervisor is busy for a while
    postgresql.kill()
    wait_for(lambda: shop.responds("/api/books?limit=1", 503), "the last backend to notice, and 503s")
    shop.send(signal.SIGCONT)
    wait_for(lambda: shop.responds("/api/books?limit=1", 200), "responses")
    assert counts(data) == "2000|100000|500"
    shown = shop.output
    for event in ("embedded_database_ended ended_by=SIGKILL", "embedded_database_restarted", "database_lost"):
        assert shown.count(event) == 1, shown
    assert all(worker.is_running() for worker in workers), "nobody else had to be replaced"


def test_a_shop_that_is_killed_starts_again(data: Path, environ: dict[str, str], shop: Shop) -> None:
    shop.send(signal.SIGKILL)
    shop.wait()
    again = Shop(data, {**environ, "TERM": "xterm"})
    try:
        again.ready()
        assert counts(data) == "2000|100000|500"
    finally:
        again.close()
