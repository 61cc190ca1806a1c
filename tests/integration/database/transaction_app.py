"""An app whose services do what a test wants, to see what becomes of the transaction."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from sqlalchemy import Enum, MetaData
from sqlalchemy.orm import Mapped, mapped_column

from gatepost import Actor, App, Model, Resource, Service, anyone
from gatepost.events import AfterCommitFailed, RequestFailed, TransactionRetried
from gatepost.models.base import NAMING
from gatepost.testing import ClientResponse, TestApp

ServiceStep = Callable[[Service[Any]], Awaitable[None]]

SETTINGS = {
    "GATEPOST_DATABASE_POOL_SIZE": "3",
    "GATEPOST_DATABASE_POOL_WAIT_SECONDS": "30",
    "GATEPOST_DATABASE_STATEMENT_SECONDS": "30",
    "GATEPOST_DATABASE_LOCK_SECONDS": "30",
    "GATEPOST_REQUEST_SECONDS": "60",
}
"""Times that are too long to matter, on a busy machine too."""


class Base(Model):
    """Tables of this app alone: a database for it has no others."""

    __abstract__ = True
    metadata = MetaData(naming_convention=NAMING)


class Note(Base):
    __tablename__ = "notes"

    text: Mapped[str] = mapped_column(default="")
    number: Mapped[int] = mapped_column(default=0)


class Plain(Base):
    """Written by derived verbs alone."""

    __tablename__ = "plain"

    text: Mapped[str] = mapped_column(default="", unique=True)
    number: Mapped[int] = mapped_column(default=0, index=True)
    kind: Mapped[str] = mapped_column(Enum("a", "b", name="kind"), default="a", index=True)


class Stubborn(Base):
    """Written by a service that asks for other isolation, and tries again."""

    __tablename__ = "stubborn"

    number: Mapped[int] = mapped_column(default=0)


class Notes(Service[Note]):
    """Does the test's step, then creates."""

    step: ServiceStep

    async def create(self, draft: Note, actor: Actor) -> Note:
        await type(self).step(self)
        return await super().create(draft, actor)


class Retried(Service[Stubborn]):
    """The same, three times where PostgreSQL says that it collided."""

    isolation = "serializable"
    attempts = 3
    step: ServiceStep

    async def create(self, draft: Stubborn, actor: Actor) -> Stubborn:
        await type(self).step(self)
        return await super().create(draft, actor)


class Leaf(Base):
    """Read through a service."""

    __tablename__ = "leaves"

    text: Mapped[str] = mapped_column(default="")


class Leaves(Service[Leaf]):
    """Does the test's step, then reads."""

    step: ServiceStep

    async def get(self, id: Any, actor: Actor, *, lock: bool = False) -> Leaf:
        await type(self).step(self)
        return await super().get(id, actor, lock=lock)

    async def list(self, query: Any, actor: Actor) -> Sequence[Leaf]:
        await type(self).step(self)
        return await super().list(query, actor)


app = App(
    Resource(Leaf, read=anyone, write=anyone, service=Leaves),
    Resource(Note, read=anyone, write=anyone, service=Notes),
    Resource(Plain, read=anyone, write=anyone),
    Resource(Stubborn, read=anyone, write=anyone, service=Retried),
)

failures: list[BaseException] = []
callbacks_failed: list[str] = []
retries: list[str] = []
app.events.subscribe(RequestFailed, lambda event: failures.append(event.error))
app.events.subscribe(AfterCommitFailed, lambda event: callbacks_failed.append(event.callback))
app.events.subscribe(TransactionRetried, lambda event: retries.append(event.reason))


class TransactionApp:
    """The running app, and short ways to ask it."""

    def __init__(self, running: TestApp) -> None:
        self.running = running
        self.client = running.anonymous
        self.database = app.running.database

    async def create_after(self, step: ServiceStep, service: type[Any] = Notes) -> ClientResponse:
        """POST a note through a service that does the step first."""
        self._begin_anew(step, service)
        path = "/api/notes" if service is Notes else "/api/stubborn"
        return await self.client.post(path, json={"number": 1})

    async def read_after(self, step: ServiceStep, key: object = None) -> ClientResponse:
        """GET the leaf with this key, or a page of them, through a service that does the step first."""
        self._begin_anew(step, Leaves)
        return await self.client.get("/api/leaves" if key is None else f"/api/leaves/{key}")

    def _begin_anew(self, step: ServiceStep, service: type[Any]) -> None:
        failures.clear()
        callbacks_failed.clear()
        retries.clear()
        service.step = staticmethod(step)

    async def count(self, table: str = "notes") -> int:
        """How many rows are committed."""
        records = await self.database.fetch(f"SELECT count(*) FROM {table}")
        count: int = records[0][0]
        return count


async def nothing(service: Service[Any]) -> None:
    """The step of a test that needs none."""


async def by_flush(service: Service[Any]) -> None:
    """Write a row that there can be once only."""
    service.session.add(Plain(text="twice"))
    await service.session.flush()


async def until(condition: Callable[[], Awaitable[bool]]) -> None:
    """Wait until it comes true."""
    async with asyncio.timeout(30):
        while not await condition():  # noqa: ASYNC110 - PostgreSQL sets no event
            await asyncio.sleep(0.01)
