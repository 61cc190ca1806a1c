"""The servers of a run: how each is started, and what has to be installed first.

How Gatepost itself is migrated and served is said in `migrate()` and `gatepost()` and nowhere else.
"""

import asyncio
import dataclasses
import importlib.metadata
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.database import create_tables, execute_file
from benchmarks.interfaces import GRAPHQL, REST, Interface
from benchmarks.node import find_node

HERE = Path(__file__).parent
ROOT = HERE.parent
PEERS = HERE / "peers"
BIN = Path(sys.executable).parent
BOOKSHOP = "examples.bookshop.app:app"
PYTHON_PEERS = HERE / ".venv"
NODE_MAJOR_MIN = 20
# How every ASGI function but Gatepost's own is served: Granian, one worker, what is fastest for it.
GRANIAN = (
    *("--http", "1", "--loop", "uvloop", "--workers", "1"),
    *("--backpressure", "8192", "--no-ws", "--log-level", "error"),
)


class Missing(Exception):
    """A peer's runtime is not here; the message says what to install."""


@dataclass(frozen=True)
class Stage:
    """What a server is told: the database, the folder of the keys, and the port to serve on."""

    dsn: str
    keys: Path
    port: int


@dataclass(frozen=True)
class Server:
    """How one server is started for a stage, and what it is made of."""

    command: Sequence[str]
    environment: Mapping[str, str]
    algorithm: str = "EdDSA"
    ready_path: str = "/livez"
    versions: Mapping[str, str] = field(default_factory=dict[str, str])
    interface: Interface = REST


def tables_for(names: Sequence[str]) -> Callable[[str], None]:
    """What makes the tables for these servers: Gatepost migrates where it takes part, and PostGraphile's access control
    is in the database."""

    def create(dsn: str) -> None:
        (migrate if "gatepost" in names else create_tables)(dsn)
        if "postgraphile" in names:
            execute_file(dsn, PEERS / "postgraphile" / "roles.sql")

    return create


def migrate(dsn: str) -> None:
    """Make the bookshop's tables as `gatepost dev` does."""
    from examples.bookshop.app import app

    from gatepost.migrations.safe_changes import apply_lossless

    asyncio.run(apply_lossless(dsn, app.metadata))


def gatepost(stage: Stage) -> Server:
    """The bookshop as written, by its own command, everything on; limits raised by setting, buckets still taken."""
    return Server(
        command=[str(BIN / "gatepost"), "serve", BOOKSHOP, "--port", str(stage.port)],
        environment={
            "DATABASE_URL": stage.dsn,
            "GATEPOST_ENV": "production",
            "GATEPOST_SIGNING_KEY_FILE": str(stage.keys / "ed25519.pem"),
            "GATEPOST_LIMIT_API": "1000000000",
            "GATEPOST_LOG": "json",
        },
        algorithm="gatepost",
        ready_path="/readyz",
        versions={"gatepost": importlib.metadata.version("gatepost")},
    )


def ceiling(stage: Stage) -> Server:
    """One ASGI function on Granian; no lifespan."""
    names = ("granian", "asyncpg", "msgspec", "uvloop")
    return Server(
        command=[
            *(str(BIN / "granian"), "--interface", "asginl", *GRANIAN),
            *("--host", "127.0.0.1", "--port", str(stage.port), "benchmarks.ceiling:app"),
        ],
        environment=_told(stage),
        ready_path="/",
        versions={name: importlib.metadata.version(name) for name in names},
    )


def ceiling_batch(stage: Stage) -> Server:
    """The same, its threads with the policy that `gatepost serve` gives those of Granian: what layers alone cost."""
    if (chrt := shutil.which("chrt")) is None:
        raise Missing("chrt (util-linux) is not installed")
    plain = ceiling(stage)
    return dataclasses.replace(plain, command=[chrt, "--batch", "0", *plain.command])


def fastapi(stage: Stage) -> Server:
    """FastAPI on Granian, from a virtual environment of its own."""
    python = python_of_peers()
    return Server(
        command=[
            *(str(python.parent / "granian"), "--interface", "asgi", *GRANIAN),
            *("--host", "127.0.0.1", "--port", str(stage.port), "benchmarks.peers.fastapi.main:app"),
        ],
        environment=_told(stage),
        versions=_installed(python, FASTAPI_NAMES),
    )


def django_ninja(stage: Stage) -> Server:
    """django-ninja on Granian by WSGI: Django's ORM blocks, so its views run in a few threads."""
    python = python_of_peers()
    return Server(
        command=[
            *(str(python.parent / "granian"), "--interface", "wsgi", "--blocking-threads", str(DJANGO_THREADS)),
            *("--http", "1", "--workers", "1", "--backpressure", "8192", "--no-ws", "--log-level", "error"),
            *("--host", "127.0.0.1", "--port", str(stage.port), "benchmarks.peers.django_ninja.wsgi:application"),
        ],
        environment=_told(stage),
        versions=_installed(python, DJANGO_NAMES),
    )


def express(stage: Stage) -> Server:
    """Express 5 on Node; jsonwebtoken knows no Ed25519, RS256 is the cheapest asymmetric signature it verifies."""
    return _node("express", stage, algorithm="RS256")


def fastify(stage: Stage) -> Server:
    """Fastify 5 on Node."""
    return _node("fastify", stage, algorithm="EdDSA")


def postgraphile(stage: Stage) -> Server:
    """PostGraphile 5 on Fastify; it connects as the role that roles.sql makes."""
    limited = dataclasses.replace(stage, dsn=stage.dsn.replace("://gatepost@", "://bookshop_server@", 1))
    server = _node("postgraphile", limited, algorithm="EdDSA", major_min=22)
    return dataclasses.replace(server, interface=GRAPHQL)


SERVERS: dict[str, Callable[[Stage], Server]] = {
    "gatepost": gatepost,
    "ceiling": ceiling,
    "ceiling-batch": ceiling_batch,
    "fastapi": fastapi,
    "django-ninja": django_ninja,
    "express": express,
    "fastify": fastify,
    "postgraphile": postgraphile,
}
FASTAPI_NAMES = ("fastapi", "pydantic", "sqlalchemy", "asyncpg", "granian", "uvloop", "slowapi", "pyjwt")
DJANGO_NAMES = (
    *("django-ninja", "django", "pydantic", "psycopg", "granian", "orjson", "pyjwt"),
    *("django-cors-headers", "django-ratelimit"),
)
DJANGO_THREADS = 4


def _told(stage: Stage) -> dict[str, str]:
    return {
        "DATABASE_URL": stage.dsn,
        "PORT": str(stage.port),
        "PUBLIC_KEY_FILE": str(stage.keys / "ed25519.public.pem"),
        "PUBLIC_KEY_RSA_FILE": str(stage.keys / "rsa.public.pem"),
        "NODE_ENV": "production",
        "PYTHONPATH": str(ROOT),
    }


def python_of_peers() -> Path:
    """The Python peer's environment, made by uv where it is not there or its list has changed."""
    python, wanted = PYTHON_PEERS / "bin" / "python", (PEERS / "requirements.txt")
    stamp = PYTHON_PEERS / ".ready"
    if not stamp.exists() or stamp.read_text() != wanted.read_text():
        uv = str(BIN / "uv")
        _install([uv, "venv", "--quiet", "--clear", "--python", sys.executable, str(PYTHON_PEERS)])
        _install([uv, "pip", "install", "--quiet", "--compile-bytecode", "--python", str(python), "-r", str(wanted)])
        stamp.write_text(wanted.read_text())
    return python


def _installed(python: Path, names: Sequence[str]) -> dict[str, str]:
    """The versions of these packages in the environment of `python`."""
    listing = f"import importlib.metadata as m, json; print(json.dumps({{n: m.version(n) for n in {names!r}}}))"
    versions: dict[str, str] = json.loads(subprocess.check_output([python, "-c", listing]))
    return versions


def _node(name: str, stage: Stage, *, algorithm: str, major_min: int = NODE_MAJOR_MIN) -> Server:
    folder = PEERS / name
    if (node := find_node()) is None:
        raise Missing("Node.js and npm are not installed")
    version = subprocess.check_output([node.program, "--version"], text=True).strip().removeprefix("v")
    if int(version.split(".", 1)[0]) < major_min:
        raise Missing(f"Node.js {version} is older than {major_min}")
    if not (folder / "node_modules").exists():
        _install([*node.npm, "ci", "--no-audit", "--no-fund", "--prefix", str(folder)])
    packages = json.loads((folder / "package-lock.json").read_text())["packages"]
    direct = packages[""]["dependencies"]
    return Server(
        command=[node.program, str(folder / "server.js")],
        environment=_told(stage),
        algorithm=algorithm,
        versions={"node": version} | {package: packages[f"node_modules/{package}"]["version"] for package in direct},
    )


def _install(command: Sequence[str], environment: Mapping[str, str] | None = None) -> None:
    try:
        subprocess.run(
            command, check=True, capture_output=True, text=True, cwd=ROOT, env={**os.environ, **(environment or {})}
        )
    except FileNotFoundError as error:
        raise Missing(f"{command[0]} is not installed") from error
    except subprocess.CalledProcessError as error:
        raise Missing(f"{' '.join(command)} failed: {error.stderr.strip()[-400:]}") from error
