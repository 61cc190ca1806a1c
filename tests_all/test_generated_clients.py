"""Clients that `gatepost openapi client` makes of the bookshop, of Conduit and an app that streams: checked, and run.

The programs that use the bookshop are those of the page about clients; the others are in `client_programs`.
"""

import asyncio
import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from benchmarks.node import find_node
from examples.bookshop.seed import seed

from gatepost.cli.client_generators import TYPESCRIPT_PACKAGE
from gatepost.embedded.postgresql import EmbeddedPostgreSQL

ROOT = Path(__file__).parents[1]
PROGRAMS = Path(__file__).parent / "client_programs"
PAGE = (ROOT / "docs" / "how-to" / "generate-a-client.md").read_text()
APPS = {
    "bookshop": "examples.bookshop.app:app",
    "conduit": "examples.conduit.conduit:app",
    "streaming": "tests_all.streaming_app:app",
}
PROGRAMS_OF = {"write_articles": "conduit", "read_ticks": "streaming"}
SHOWN = re.findall(r"^```text\n(.*?)^```$", PAGE, re.M | re.S)
UV = [sys.executable, "-m", "uv"]
BINARIES = Path(sys.executable).parent
PACKAGES = ["httpx", "attrs", "python-dateutil", "types-python-dateutil"]
STRICT = {
    "compilerOptions": {
        "strict": True,
        "noUncheckedIndexedAccess": True,
        "noImplicitReturns": True,
        "noUnusedLocals": True,
        "target": "es2022",
        "module": "nodenext",
        "lib": ["es2022", "dom", "dom.iterable"],
        "types": [],
        "rootDir": ".",
        "outDir": "compiled",
    },
    "include": [*APPS],
}
SECONDS_MAX = 300.0
"""The first run fetches the generators."""


def run(*command: str | Path, folder: Path, **environ: str) -> str:
    """What a command prints; the test fails where the command does."""
    done = subprocess.run(
        command,
        cwd=folder,
        env={**os.environ, **environ},
        capture_output=True,
        text=True,
        timeout=SECONDS_MAX,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@dataclass(frozen=True)
class Clients:
    """A folder with two clients of each app, the programs that use them, and what runs those."""

    folder: Path
    python: Path
    node: str


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """The addresses of the apps, running."""
    folder = tmp_path_factory.mktemp("servers")
    with (
        EmbeddedPostgreSQL(folder / "postgresql", settings={"fsync": "off"}) as server,
        contextlib.ExitStack() as stack,
    ):
        found: dict[str, str] = {}
        for app, reference in APPS.items():
            server.execute(f"CREATE DATABASE {app}")
            log = folder / f"{app}.log"
            found[app] = stack.enter_context(serving(reference, server.dsn(app), log))
        asyncio.run(seed(server.dsn("bookshop"), authors=20, books=400, orders=0))
        yield found


@contextlib.contextmanager
def serving(reference: str, dsn: str, log: Path) -> Iterator[str]:
    """The address of an app, served in development."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("GATEPOST")}
    environ = {**kept, "DATABASE_URL": dsn, "NO_COLOR": "1", "PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{ROOT}"}
    command = [BINARIES / "gatepost", "dev", reference, "--port", "0", "--migrate", "--data", str(log.parent)]
    with log.open("w") as output:
        process = subprocess.Popen(command, cwd=log.parent, env=environ, stdout=output, stderr=subprocess.STDOUT)
    try:
        end = time.monotonic() + 60
        while (said := re.search(r"http://127\.0\.0\.1:\d+", log.read_text())) is None or not is_ready(said[0]):
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < end, log.read_text()
            time.sleep(0.1)
        yield said[0]
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=60)


def is_ready(url: str) -> bool:
    """Whether the server is ready, its tables made."""
    try:
        return httpx.get(f"{url}/readyz", timeout=5).status_code == 200
    except httpx.HTTPError:
        return False


@pytest.fixture(scope="module")
def clients(tmp_path_factory: pytest.TempPathFactory) -> Clients:
    """Two clients of each app, beside the programs that use them."""
    node = find_node()
    assert node is not None, "Node.js and npm are not installed"
    folder = tmp_path_factory.mktemp("clients")
    for app, reference in APPS.items():
        of = folder / app
        run(
            *(BINARIES / "gatepost", "openapi", "client", "--app", reference),
            *("--python", of / f"{app}_client", "--typescript", of / "client"),
            folder=ROOT,
            PYTHONPATH=f"{ROOT / 'src'}{os.pathsep}{ROOT}",
        )
    for name, text in re.findall(r"^```\w+ title=\"([^\"]+)\"\n(.*?)^```$", PAGE, re.M | re.S):
        (folder / "bookshop" / name).write_text(text)
    for program in PROGRAMS.iterdir():
        (folder / PROGRAMS_OF[program.stem] / program.name).write_text(program.read_text())
    run(*UV, "venv", "--quiet", "--python", sys.executable, "python", folder=folder)
    python = folder / "python" / "bin" / "python"
    run(*UV, "pip", "install", "--quiet", "--python", python, *PACKAGES, folder=folder)
    (folder / "tsconfig.json").write_text(json.dumps(STRICT))
    return Clients(folder, python, node.program)


def test_the_python_clients_and_programs_are_typed_strictly(clients: Clients) -> None:
    said = run(
        *(BINARIES / "mypy", "--strict", "--python-executable", clients.python, "--cache-dir", "checked"),
        *APPS,
        folder=clients.folder,
        MYPYPATH=os.pathsep.join(APPS),
    )

    assert said.startswith("Success")


@pytest.fixture(scope="module")
def compiled(clients: Clients) -> Path:
    """The programs in TypeScript and their clients, checked strictly, as JavaScript."""
    node = find_node()
    assert node is not None
    run(
        *(*node.npm, "exec", "--yes", "--package", TYPESCRIPT_PACKAGE, "--", "tsc", "--project", "."),
        folder=clients.folder,
    )
    return clients.folder / "compiled"


def test_the_programs_of_the_page_do_what_it_says(clients: Clients, compiled: Path, servers: dict[str, str]) -> None:
    def at_server(program: Path) -> Path:
        text = program.read_text()
        assert "http://127.0.0.1:8000" in text
        program.write_text(text.replace("http://127.0.0.1:8000", servers["bookshop"]))
        return program

    in_python = at_server(clients.folder / "bookshop" / "restock.py")
    in_typescript = at_server(compiled / "bookshop" / "restock.js")

    assert [run(clients.python, in_python, folder=clients.folder)] == SHOWN
    assert [run(clients.node, in_typescript, folder=clients.folder)] == SHOWN


def test_a_client_in_python_writes_articles(clients: Clients, servers: dict[str, str]) -> None:
    program = clients.folder / "conduit" / "write_articles.py"

    assert run(clients.python, program, servers["conduit"], folder=clients.folder).splitlines() == [
        "['From Python'] 1",
        "From Python Changed",
        "Writes. https://conduit.example/py.png",
        "None https://conduit.example/py.png",
        "422 {'errors': {'title': [\"can't be blank\"]}}",
    ]


def test_a_client_in_typescript_writes_articles(clients: Clients, compiled: Path, servers: dict[str, str]) -> None:
    program = compiled / "conduit" / "write_articles.js"

    assert run(clients.node, program, servers["conduit"], folder=clients.folder).splitlines() == [
        "From TypeScript 1",
        "From TypeScript Changed",
        "Writes. https://conduit.example/ts.png",
        "null https://conduit.example/ts.png",
        '422 {"errors":{"title":["can\'t be blank"]}}',
    ]


TICKS = [f'{{"number":{number},"text":"two\\nlines"}}' for number in range(4)]


def test_a_client_in_typescript_reads_streams(clients: Clients, compiled: Path, servers: dict[str, str]) -> None:
    program = compiled / "streaming" / "read_ticks.js"

    assert run(clients.node, program, servers["streaming"], folder=clients.folder).splitlines() == TICKS[1:] + TICKS[:2]


def test_a_client_in_python_reads_streams(clients: Clients, servers: dict[str, str]) -> None:
    program = clients.folder / "streaming" / "read_ticks.py"

    said = run(clients.python, program, servers["streaming"], folder=clients.folder).splitlines()
    assert said == ["200 3", *TICKS[:2]]
