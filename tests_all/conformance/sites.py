"""Apps on real servers, with rows and users: what schemathesis talks to."""

import asyncio
import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import httpx
from examples.bookshop.seed import seed
from tests.acceptance.conftest import SECONDS_MAX, Done, Running, run, without_settings

from gatepost.auth.keys import KEY_FILE, development_key
from gatepost.embedded.postgresql import EmbeddedPostgreSQL

ROOT = Path(__file__).parents[2]
PASSWORD = "correct horse battery"
UNLIMITED = "1000000000"
SETTINGS = {
    "GATEPOST_LIMIT_API": UNLIMITED,
    "GATEPOST_LIMIT_AUTH": UNLIMITED,
    "GATEPOST_LIMIT_PREFLIGHT": UNLIMITED,
    "GATEPOST_TOKEN_MINUTES": "600",
    "GATEPOST_DRAIN_DELAY_SECONDS": "0",
}
"""Limits out of the way, and tokens that outlive the run."""

MIGRATE = """
import asyncio, importlib, sys
from gatepost.migrations.safe_changes import apply_lossless
module, _, name = sys.argv[2].partition(":")
asyncio.run(apply_lossless(sys.argv[1], getattr(importlib.import_module(module), name).metadata))
"""

AUDIENCES = ("anonymous", "user", "privileged")


@dataclass(frozen=True)
class Site:
    """An app to test: where it is, the roles that may do everything in it, and how it wants tokens sent."""

    name: str
    app: str
    roles: tuple[str, ...] = ()
    scheme: str = "Bearer"
    columns: Mapping[str, str] = field(default_factory=dict)
    """Columns that the users' model needs; `{name}` is the audience."""
    folders: tuple[str, ...] = ()


SITES = (
    Site("bookshop", "examples.bookshop.app:app", roles=("editor",)),
    Site("conduit", "examples.conduit.conduit:app", scheme="Token", columns={"username": "{name}"}),
    Site(
        "everything",
        "tests_all.conformance.everything_app:app",
        roles=("keeper",),
        folders=("tests/integration/openapi", "tests/integration/values"),
    ),
)


@dataclass(frozen=True)
class Address:
    """A site that runs, with the `Authorization` of each audience that has one."""

    site: Site
    url: str
    authorizations: Mapping[str, str]


@contextlib.contextmanager
def serving_all(folder: Path) -> Iterator[dict[str, Address]]:
    """All sites, by their names."""
    with (
        EmbeddedPostgreSQL(folder / "postgresql", settings={"fsync": "off"}) as server,
        contextlib.ExitStack() as stack,
    ):
        yield {site.name: stack.enter_context(serving(site, server, folder / site.name)) for site in SITES}


@contextlib.contextmanager
def serving(site: Site, postgresql: EmbeddedPostgreSQL, folder: Path) -> Iterator[Address]:
    """The site on a database of its own, served as in production."""
    folder.mkdir(exist_ok=True)
    postgresql.execute(f"CREATE DATABASE {site.name}")
    dsn = postgresql.dsn(site.name)
    development_key(folder)
    path = os.pathsep.join(str(ROOT / each) for each in ("src", "", *site.folders))
    key = str(folder / KEY_FILE)
    environ = {
        **without_settings(), **SETTINGS, "DATABASE_URL": dsn, "PYTHONPATH": path, "GATEPOST_SIGNING_KEY_FILE": key,
    }  # fmt: skip
    subprocess.run([sys.executable, "-c", MIGRATE, dsn, site.app], cwd=folder, env=environ, check=True)
    if site.name == "bookshop":
        asyncio.run(seed(dsn, authors=20, books=200, orders=20))
    authorizations = {name: f"{site.scheme} {_token(site, name, folder, environ)}" for name in AUDIENCES[1:]}
    server = Running(["serve", site.app, "--port", "0"], folder, environ, site.name)
    try:
        found = Address(site, f"http://127.0.0.1:{server.ready().port}", authorizations)
        _create_examples(found)
        yield found
    finally:
        server.close()


def _create_examples(address: Address) -> None:
    """Create what the document gives as examples, so that there are rows of most kinds."""
    headers = {"authorization": address.authorizations["privileged"]}
    with httpx.Client(base_url=address.url, headers=headers, timeout=SECONDS_MAX) as client:
        paths = client.get("/openapi.json").json()["paths"]
        bodies = {path: item["post"].get("requestBody") for path, item in paths.items() if "post" in item}
        examples = {
            path: media["example"]
            for path, body in bodies.items()
            if body is not None and "{" not in path
            for media in body["content"].values()
            if "example" in media
        }
        statuses = {path: client.post(path, json=example).status_code for path, example in examples.items()}
    assert 201 in statuses.values(), statuses


def _token(site: Site, name: str, folder: Path, environ: Mapping[str, str]) -> str:
    """A new user's token."""
    email = f"{name}@example.com"
    roles = [f"--role={role}" for role in site.roles if name == "privileged"]
    columns = [f"--set={column}={value.format(name=name)}" for column, value in site.columns.items()]
    command = ["users", "create", email, "--app", site.app, "--password-stdin", *roles, *columns]
    _printed(run(*command, cwd=folder, environ=environ, stdin=PASSWORD))
    return _printed(run("users", "token", email, "--app", site.app, cwd=folder, environ=environ)).strip()


def _printed(done: Done) -> str:
    """What a command printed; the test fails where the command did."""
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
