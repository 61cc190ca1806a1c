"""What the tests of accounts share: two users' models, their schema, requests, and watched processes."""

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg
from joserfc.jwk import OKPKey
from sqlalchemy import MetaData, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from sqlalchemy.schema import CreateTable

from gatepost.accounts.models import UserColumns
from gatepost.accounts.user_accounts import AttemptLimiter, UserAccounts
from gatepost.actor import Actor
from gatepost.auth.access_control import AccessControl
from gatepost.auth.tokens import Tokens
from gatepost.call import Call
from gatepost.database.database import Database
from gatepost.database.listener import BEAT
from gatepost.database.statements import DIALECT
from gatepost.device_cookies import Devices
from gatepost.events import Events
from gatepost.models.base import NAMING
from gatepost.models.schema_objects import objects_of
from gatepost.services.call_transactions import CallTransactions
from gatepost.services.service_registry import ServiceRegistry
from gatepost.services.unit_of_work import UnitOfWork
from gatepost.settings import AuthSettings, DatabaseSettings

PASSWORD = "correct horse battery"
WORKER = Path(__file__).parent / "accounts_worker.py"

_LISTENING = """
SELECT pid FROM pg_stat_activity
WHERE datname = current_database() AND application_name = 'gatepost' AND query = $1 AND pid <> pg_backend_pid()
"""
"""A listener is known by its heartbeat."""


class Base(DeclarativeBase):
    metadata = MetaData(naming_convention=NAMING)


class User(Base, UserColumns):
    """Keys are UUIDs, as with the default model."""

    __tablename__ = "users"
    id: Mapped[UUID] = mapped_column(primary_key=True, server_default=text("uuidv7()"))


class Member(Base, UserColumns):
    """A model of somebody's own: other table, integer keys, more columns, a default made in Python."""

    __tablename__ = "the members"
    number: Mapped[int] = mapped_column("no", primary_key=True)
    nickname: Mapped[str] = mapped_column(default="none yet")
    tags: Mapped[dict[str, Any]] = mapped_column(JSONB, default=dict)


def make_tokens(pem: str | None = None) -> Tokens:
    return Tokens(AuthSettings(), OKPKey.import_key(pem) if pem else OKPKey.generate_key("Ed25519"))


async def create_schema(connection: "asyncpg.Connection[Any]") -> None:
    for table in Base.metadata.sorted_tables:
        await connection.execute(str(CreateTable(table).compile(dialect=DIALECT)))
    for item in objects_of(Base.metadata):
        for statement in item.statements:
            await connection.execute(statement)


def make_accounts(
    model: type[Any], database: Database, tokens: Tokens, events: Events, limiter: AttemptLimiter | None = None
) -> UserAccounts:
    """Accounts on a database; without `limiter` attempts are not counted."""
    devices = Devices(b"secret")
    return UserAccounts(model, database, tokens, events, limiter=limiter or Uncounted(), devices=devices)


class Uncounted:
    """No limit."""

    async def admit_attempt(self, call: Call) -> None:
        pass

    async def admit_account(self, call: Call, account: str, *, is_own_device: bool) -> None:
        pass

    def succeed(self, call: Call) -> None:
        pass


@asynccontextmanager
async def running_accounts(
    url: str, model: type[Any] = User, *, tokens: Tokens | None = None, events: Events | None = None
) -> AsyncIterator[UserAccounts]:
    """Accounts whose listener is trusted, as a process that serves has them."""
    events = events or Events()
    database = Database(url, DatabaseSettings(), events)
    accounts = make_accounts(model, database, tokens or make_tokens(), events)
    await accounts.start()
    try:
        await until(lambda: accounts.identities.listener.is_trusted)
        yield accounts
    finally:
        await accounts.stop()
        await database.close()


async def until(holds: Callable[[], bool], seconds: float = 60.0) -> None:
    async with asyncio.timeout(seconds):
        while not holds():  # noqa: ASYNC110 - what is waited for happens in another process
            await asyncio.sleep(0.001)


async def listening_backends(connection: "asyncpg.Connection[Any]", count: int) -> list[int]:
    """The process ids of the listeners' backends in this database, as soon as there are so many."""
    async with asyncio.timeout(60):
        while True:
            rows = await connection.fetch(_LISTENING, BEAT)
            if len(rows) == count:
                return [row["pid"] for row in rows]


def call_of(body: object = None, token: str | None = None, headers: tuple[tuple[bytes, bytes], ...] = ()) -> Call:
    sent = json.dumps(body).encode()
    given = [*headers, *([(b"authorization", f"Bearer {token}".encode())] if token else [])]

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": sent, "more_body": False}

    return Call({"scheme": "http"}, receive, "request-1", "192.0.2.1", dict(given), b"")


def carrying(authorization: bytes) -> Call:
    """A request with this `Authorization` header."""
    return call_of(headers=((b"authorization", authorization),))


async def sign_in(accounts: UserAccounts, email: str, password: str = PASSWORD) -> str:
    """The token of somebody who signs in, as an endpoint does it."""
    registry = ServiceRegistry({}, {}, {}, accounts)
    asked = call_of()

    async def work(unit: UnitOfWork) -> str:
        return await unit.accounts.issue(await unit.accounts.sign_in(email, password))

    return await CallTransactions(accounts._database, registry).run(asked, work)


async def identified(accounts: UserAccounts, asked: Call) -> Actor:
    """The actor of a request, as every request finds it."""
    access = AccessControl(accounts.authenticators, lambda call: None, lambda call: None, refuses_unclaimed=True)
    if (pending := access.admit(asked)) is not None:
        await pending
    return asked.actor


def cached(accounts: UserAccounts, authorization: bytes) -> Actor | None:
    """The actor that the identity cache has for this header."""
    return accounts.authenticators[0].find(carrying(authorization))


class Watch:
    """Another process that asks, without a pause, who a token's user is, and reports each change of the response."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    async def next(self, **wanted: object) -> dict[str, Any]:
        """The next report that has these values."""
        assert self._process.stdout is not None
        async with asyncio.timeout(60):
            while True:
                line = await self._process.stdout.readline()
                assert line, "the watching process has died"
                report: dict[str, Any] = json.loads(line)
                if all(report[name] == value for name, value in wanted.items()):
                    return report


@asynccontextmanager
async def watching(url: str, pem: str, token: str) -> AsyncIterator[Watch]:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        str(WORKER),
        env={**os.environ, "URL": url, "KEY": pem, "TOKEN": token},
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        yield Watch(process)
    finally:
        assert process.stdin is not None
        process.stdin.close()
        async with asyncio.timeout(60):
            await process.wait()
