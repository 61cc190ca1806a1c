"""An app with the same verbs twice: derived, and through services; and what a request of each leaves in its table."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Integer, MetaData, func, select, text
from sqlalchemy.orm import Mapped, mapped_column

from gatepost import Actor, App, Model, Resource, Service, anyone
from gatepost.events import ConstraintViolated, RequestFailed, ValueRefused, WriteSuppressed
from gatepost.models.base import NAMING


class Base(Model):
    """Tables of this app alone: a database for it has no others."""

    __abstract__ = True
    metadata = MetaData(naming_convention=NAMING)


class Entry(Base):
    """Written by derived verbs."""

    __tablename__ = "bookings"

    text: Mapped[str] = mapped_column(unique=True)
    number: Mapped[int] = mapped_column(default=0)


class Posting(Base):
    """Written and read through a service."""

    __tablename__ = "postings"

    text: Mapped[str] = mapped_column(unique=True)
    number: Mapped[int] = mapped_column(default=0)


class Postings(Service[Posting]):
    """Overrides every verb, and reads with a session of its own."""

    async def get(self, id: Any, actor: Actor, *, lock: bool = False) -> Posting:
        await self.session.execute(select(func.count()).select_from(Posting))
        return await super().get(id, actor, lock=lock)

    async def list(self, query: Any, actor: Actor) -> Sequence[Posting]:
        await self.session.execute(text("SELECT count(*) FROM postings"))
        return await super().list(query, actor)

    async def before_create(self, draft: Posting, actor: Actor) -> None:
        await self.session.scalars(select(Posting).where(Posting.text == draft.text))

    async def before_update(self, row: Posting, changes: Any, actor: Actor) -> None:
        await self.session.scalars(select(Posting.number))

    async def before_delete(self, row: Posting, actor: Actor) -> None:
        await self.session.scalars(select(Posting.number))


class Coin(Base):
    """Numbered by a sequence of its own."""

    __tablename__ = "coins"

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    text: Mapped[str] = mapped_column(unique=True)
    number: Mapped[int] = mapped_column(default=0)


class Token(Base):
    """The same, through a service."""

    __tablename__ = "tokens"

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    text: Mapped[str] = mapped_column(unique=True)


class Tokens(Service[Token]):
    """Overrides create, to set the key where the text says so."""

    async def before_create(self, draft: Token, actor: Actor) -> None:
        if draft.text.startswith("key "):
            draft.id = int(draft.text.removeprefix("key "))


app = App(
    Resource(Coin, read=anyone, write=anyone),
    Resource(Token, read=anyone, write=anyone, service=Tokens),
    Resource(Entry, read=anyone, write=anyone),
    Resource(Posting, read=anyone, write=anyone, service=Postings),
)

failures: list[BaseException] = []
refused: list[str] = []
violated: list[tuple[str | None, str | None]] = []
suppressed: list[str] = []
app.events.subscribe(RequestFailed, lambda event: failures.append(event.error))
app.events.subscribe(ValueRefused, lambda event: refused.append(event.reason))

SETTINGS = {"GATEPOST_DATABASE_POOL_SIZE": "1", "GATEPOST_DATABASE_POOL_WAIT_SECONDS": "30"}
app.events.subscribe(WriteSuppressed, lambda event: suppressed.append(event.table))
app.events.subscribe(ConstraintViolated, lambda event: violated.append((event.constraint, event.table)))
