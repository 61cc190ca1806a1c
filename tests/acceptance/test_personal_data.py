"""Values of personal fields that come into a server by every way in, and are looked for in all that it writes."""

import asyncio
import http.client
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import asyncpg
import httpx
import pytest
from tests.acceptance.conftest import Command, Start, wait_for
from tests.acceptance.raw_http_server import migrate
from tests.databases import Databases

Environ = dict[str, str]
APP = '''
"""Customers, and code that logs what it should not."""
import msgspec
from sqlalchemy import String, text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from gatepost import Actor, App, Call, Controller, Field, Resource, Service, anyone, get, post


class Base(DeclarativeBase):
    pass


class Customer(Base):
    __tablename__ = "customers"
    email: Mapped[str] = mapped_column(String(200), primary_key=True)
    phone: Mapped[str] = mapped_column(String(200), unique=True)
    note: Mapped[str | None] = mapped_column(String(200))


class Customers(Service[Customer]):
    async def create(self, draft: Customer, actor: Actor) -> Customer:
        self.log.info(f"creating {draft.email}", phone=draft.phone, given={"email": draft.email, "list": [draft.phone]})
        return await super().create(draft, actor)

    async def get(self, id: str, actor: Actor, *, lock: bool = False) -> Customer:
        row = await super().get(id, actor, lock=lock)
        phone = row.phone
        del row
        self.log.info(f"found {phone.upper()} for {id}")
        return await super().get(id, actor, lock=lock)


class Reminder(msgspec.Struct):
    phone: str


class Desk(Controller):
    path = "desk"

    @post("/remind", allow=anyone)
    async def remind(self, body: Reminder) -> None:
        raise RuntimeError(f"cannot call {body.phone!r}")

    @post("/bind", allow=anyone)
    async def bind(self, body: Reminder) -> None:
        await self.session.execute(text("SELECT CAST(CAST(:phone AS text) AS int)"), {"phone": body.phone})

    @post("/misfit", allow=anyone)
    async def misfit(self, body: Reminder) -> None:
        await self.session.execute(text("SELECT CAST(:phone AS int)"), {"phone": body.phone})

    @get("/hello", allow=anyone)
    async def hello(self, call: Call) -> dict[str, str]:
        self.log.info(f"hello {call.cookie('visitor')} {call.header('authorization')}")
        return {}


personal = Field(personal=True)
app = App(
    Resource(
        Customer, read=anyone, write=anyone, service=Customers, fields={"email": personal, "phone": personal}
    ),
    controllers=[Desk],
)
'''
CONSTRAINT = "ALTER TABLE customers ADD CONSTRAINT not_so CHECK (note <> 'no')"
"""One that the models do not declare: PostgreSQL tells the whole row in its DETAIL."""


class Canary(NamedTuple):
    """A value that is in no place but where it was put."""

    way: str

    @property
    def email(self) -> str:
        return f"canary+{self.way}@example.com"

    @property
    def phone(self) -> str:
        return f"canary-{self.way}/'o 7"


@pytest.fixture(scope="module")
def customers_url(databases: Databases, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("customers")
    (folder / "app.py").write_text(APP)
    with databases.opened() as url:
        migrate(folder, url)
        yield url


@pytest.fixture
async def environ_of_customers(project: Path, production: Environ, customers_url: str) -> Environ:
    (project / "app.py").write_text(APP)
    connection: asyncpg.Connection[Any] = await asyncpg.connect(customers_url)
    await connection.execute(CONSTRAINT)
    await connection.close()
    return {
        **production,
        "DATABASE_URL": customers_url,
        "GATEPOST_LOG_FOLDER": str(project / "logs"),
        "GATEPOST_LOG_LEVEL": "debug",
        "GATEPOST_ADMIN_SOCKET": str(project / "admin.sock"),
        "GATEPOST_RECORDS_FOLDER": str(project / "records"),
    }


def _ask(port: int, method: str, path: str, body: Any = None, **headers: str) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        content = None if body is None else json.dumps(body)
        kind = {} if body is None else {"Content-Type": "application/json"}
        connection.request(method, path, content, {**kind, **{key.replace("_", "-"): headers[key] for key in headers}})
        response = connection.getresponse()
        response.read()
        return response.status
    finally:
        connection.close()


def test_no_value_of_a_personal_field_is_written_whatever_way_it_comes_in(
    start: Start, command: Command, project: Path, environ_of_customers: Environ
) -> None:
    server = start("serve", "--port", "0", environ=environ_of_customers).ready()
    port, body = server.port, Canary("body")
    row = {"email": body.email, "phone": body.phone}

    statuses = {
        "body": _ask(port, "POST", "/api/customers", row),
        "duplicate": _ask(port, "POST", "/api/customers", row),
        "path": _ask(port, "GET", f"/api/customers/{body.email}"),
        "no such path": _ask(port, "GET", f"/api/customers/{Canary('path').email}"),
        "query": _ask(port, "GET", "/api/customers?phone=canary-query&email[starts_with]=canary-query"),
        "detail": _ask(port, "POST", "/api/customers", {**row, "email": Canary("detail").email, "note": "no"}),
        "exception": _ask(port, "POST", "/api/desk/remind", {"phone": Canary("exception").phone}),
        "argument": _ask(port, "POST", "/api/desk/bind", {"phone": Canary("argument").phone}),
        "driver": _ask(port, "POST", "/api/desk/misfit", {"phone": Canary("driver").phone}),
        "header": _ask(port, "GET", "/api/desk/hello", X_Phone="canary-header", User_Agent="canary-agent"),
        "cookie": _ask(port, "GET", "/api/desk/hello", Cookie="visitor=canary-cookie"),
        "token": _ask(port, "GET", "/api/desk/hello", Authorization="Bearer canary-token"),
    }
    assert statuses == {
        "body": 201,
        "duplicate": 409,
        "path": 200,
        "no such path": 404,
        "query": statuses["query"],
        "detail": 409,
        "exception": 500,
        "argument": statuses["argument"],
        "driver": 500,
        "header": 200,
        "cookie": 200,
        "token": 401,
    }
    explained = command("explain", "GET /api/customers?phone=canary-explained", environ=environ_of_customers)
    shell = "async with tx() as t: row = await t.service(Customer).get('" + body.email + "', t.actor); print(row)"
    shown = command("shell", "-c", shell, environ=environ_of_customers)
    wait_for(lambda: [line for line in _lines(project) if line.get("path") == "/api/desk/hello"], "the last lines")
    metrics = _page(project / "admin.sock", "metrics")
    socket = project / "admin.sock"
    wait_for(lambda: b"cannot call" in _page(socket, "errors"), "the group of errors")
    pages = {path: _page(socket, path) for path in ("errors", "changes", "operations", "clients")}
    ids = [group["id"] for group in json.loads(pages["errors"])["errors"]]
    pages |= {each: _page(socket, f"errors/{each}") for each in ids}
    server.close()

    written = {path.name: path.read_bytes() for path in project.rglob("*") if path.is_file() and path.name != "app.py"}
    written["explain"] = (explained.stdout + explained.stderr).encode()
    written["shell"] = (shown.stdout + shown.stderr).encode()
    written |= {"metrics": metrics, **pages}
    written["tables"] = asyncio.run(_tables(environ_of_customers["DATABASE_URL"]))
    assert b"gatepost_request_duration_seconds" in metrics
    assert _with_canaries(written) == {}
    assert explained.returncode == 0
    assert "$1 = '***'" in explained.stdout
    events = [line["event"] for line in _lines(project)]
    assert "creating ***" in events
    assert "found *** for ***" in events
    assert {line["path"] for line in _lines(project) if line["event"] == "request"} >= {"/api/customers/{id}"}
    assert shown.returncode == 0
    assert "found *** for ***" in shown.stderr
    [failed] = [line for line in _lines(project) if "cannot call" in line.get("exception", "")]
    assert "***" in failed["exception"].rpartition("RuntimeError: cannot call ")[2]


def _with_canaries(written: dict[str, bytes]) -> dict[str, bytes]:
    """What holds a canary, in any case, and where."""
    return {
        name: text[max(0, at - 200) : at + 80]
        for name, text in written.items()
        if (at := text.lower().find(b"canary")) >= 0
    }


def _page(path: Path, page: str) -> bytes:
    transport = httpx.HTTPTransport(uds=str(path))
    with httpx.Client(transport=transport) as client:
        return client.get(f"http://admin/{page}").content


async def _tables(dsn: str) -> bytes:
    """All rows of Gatepost's own tables."""
    connection: asyncpg.Connection[Any] = await asyncpg.connect(dsn)
    names = await connection.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'gatepost'")
    rows = [await connection.fetch(f"SELECT * FROM gatepost.{name}") for (name,) in names]
    await connection.close()
    return repr(rows).encode()


def _lines(project: Path) -> list[dict[str, Any]]:
    path = project / "logs" / "combined.log"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
