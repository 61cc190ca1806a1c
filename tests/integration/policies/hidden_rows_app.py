"""An app whose policy is exchanged while it runs, and the requests of actors who must not learn of hidden rows.

Two databases that differ only in what an actor may not see lead to the same response to each of these requests:
`ask` is what `test_hidden_rows.py` compares.
"""

import json
import uuid
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from typing import Annotated, Any
from urllib.parse import urlsplit

from annotated_types import Len
from sqlalchemy import ForeignKey, MetaData, delete
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import Mapped, mapped_column, relationship
from sqlalchemy.types import Text

from gatepost import Actor, App, Field, Model, Resource, Service, anyone, nobody, policy, role
from gatepost.models.base import NAMING
from gatepost.testing import Client, ClientResponse

Condition = Callable[[Any], Any]


class Base(Model):
    """Tables of this app alone: a database for it has no others."""

    __abstract__ = True
    metadata = MetaData(naming_convention=NAMING)


class Columns:
    """What a policy may look at."""

    title: Mapped[Annotated[str, Len(1, 100)]] = mapped_column(index=True)
    rank: Mapped[int] = mapped_column(index=True)
    code: Mapped[str] = mapped_column(Text)
    size: Mapped[float] = mapped_column(default=0.0)
    meta: Mapped[Any] = mapped_column(JSONB)
    tags: Mapped[list[str]] = mapped_column(ARRAY(Text), default=list)


class Paper(Columns, Base):
    __tablename__ = "papers"


class Opposite(Columns, Base):
    __tablename__ = "opposites"


class Either(Columns, Base):
    __tablename__ = "eithers"


class Excerpt(Columns, Base):
    __tablename__ = "excerpts"


class Note(Base):
    __tablename__ = "remarks"

    text: Mapped[str]
    paper_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("papers.id"), index=True)
    opposite_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("opposites.id"), index=True)
    either_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("eithers.id"), index=True)
    paper: Mapped[Paper | None] = relationship()
    opposite: Mapped[Opposite | None] = relationship()
    either: Mapped[Either | None] = relationship()


MODELS: tuple[type[Any], ...] = (Paper, Opposite, Either)

current: list[Condition] = [lambda row: row.rank < 5]
"""The condition in force."""


@policy
def chosen(row: Any, actor: Actor) -> Any:
    """The condition in force, whichever it is."""
    return current[0](row)


@policy
def marked(row: Any, actor: Actor) -> Any:
    """A condition that never fails."""
    return row.title == "marked"


class Eithers(Service[Either]):
    """Reads and writes through the ORM, and leaves what may be seen to `super()`."""

    async def get(self, id: Any, actor: Actor, *, lock: bool = False) -> Either:
        return await super().get(id, actor, lock=lock)

    async def list(self, query: Any, actor: Actor) -> Any:
        return await super().list(query, actor)

    async def update(self, row: Either, changes: Any, actor: Actor) -> Either:
        return await super().update(row, changes, actor)


OPTIONS: dict[str, Any] = {"search": ["title"], "sort": ["rank"], "page_size": 3}

app = App(
    Resource(Paper, read=chosen, write=chosen, **OPTIONS),
    Resource(Opposite, read=~chosen, write=~chosen, **OPTIONS),
    Resource(Either, read=chosen | marked, write=chosen | marked, service=Eithers, **OPTIONS),
    Resource(
        Excerpt,
        read=anyone,
        fields={
            "code": Field(read=chosen, write=nobody),
            "size": Field(read=~chosen, write=nobody),
            "meta": Field(read=chosen & marked, write=nobody),
            "tags": Field(read=role("admin"), write=nobody),
        },
    ),
    Resource(Note, read=anyone, write=anyone, page_size=3),
)

MOMENT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def key(number: int) -> uuid.UUID:
    """A key that is the same at every filling."""
    return uuid.UUID(int=number)


def row(model: type[Any], number: int, **values: Any) -> Any:
    """A row with nothing that the database makes."""
    usual = {"title": "usual", "rank": number, "code": "3", "size": 1.5, "meta": {"level": 3, "open": True}}
    return model(**{**usual, **values, "id": key(number), "created_at": MOMENT, "updated_at": MOMENT, "version": 1})


SHOWN: tuple[dict[str, Any], ...] = (
    {},
    {"code": "8", "meta": {"level": 8, "open": False, "day": "2030-01-01"}, "tags": ["8"]},
    {"title": "marked", "code": "-1", "meta": {"level": -1, "open": False, "day": "2020-01-01"}, "tags": ["-1", "2"]},
    {"code": "5", "size": -2.5, "meta": {"level": 5, "open": True}},
    {"title": "marked", "code": "4", "meta": {"level": 4, "day": "2024-02-29"}, "tags": ["4"]},
)

HIDDEN: tuple[dict[str, Any], ...] = tuple(
    {
        "title": "hidden",
        "code": code,
        "size": 1e300,
        "tags": [code],
        "meta": {"level": level, "open": level, "day": day},
    }
    for code, level, day in (
        ("classified-42", "classified-42", "2024-02-30"),
        ("", "", ""),
        ("9" * 400, "9" * 400, "0000-01-01"),
        ("NaN", "NaN", "NaN"),
        ("Infinity", [1], ["2024-01-01"]),
        ("0x1F", {"level": 3}, {"day": "2024-01-01"}),
        ("1e400", "1e400", "infinity and beyond"),
        ("\u0663", "\u0663", "\u0662\u0660\u0662\u0664-01-01"),
        ("3\n", "3\n", "2024-01-01\n"),
        ("3; DROP TABLE papers", "'", "tomorrow at noon"),
    )
)


async def empty() -> None:
    """Remove all rows."""
    async with app.transaction() as tx:
        for model in (Note, Excerpt, *MODELS):
            await tx.session.execute(delete(model))


async def fill(*, with_hidden: bool) -> None:
    """Insert what everybody may see, and what nobody may."""
    async with app.transaction() as tx:
        for model in MODELS:
            tx.session.add_all([row(model, 10 + number, **values) for number, values in enumerate(SHOWN)])
            if with_hidden:
                # Before, between and behind the others in every order.
                tx.session.add_all([row(model, 20 + number, **values) for number, values in enumerate(HIDDEN)])
                tx.session.add_all(
                    [row(model, 40 + number, **{**values, "rank": 12}) for number, values in enumerate(HIDDEN)]
                )
        await tx.session.flush()
        tx.session.add_all([row(Excerpt, 10 + number, **values) for number, values in enumerate(SHOWN)])
        other = {**HIDDEN[4], "code": "something else"}
        tx.session.add_all(
            row(Excerpt, 20 + number, **{**(values if with_hidden else other)}) for number, values in enumerate(HIDDEN)
        )
        for number in range(10, 15):
            references = {"paper_id": key(number), "opposite_id": key(number), "either_id": key(number)}
            tx.session.add(
                Note(id=key(number), text="note", created_at=MOMENT, updated_at=MOMENT, version=1, **references)
            )


HIDDEN_KEY = key(20)

LISTS: tuple[str, ...] = (
    "/api/{name}",
    "/api/{name}?limit=1",
    "/api/{name}?sort=-rank&limit=2",
    "/api/{name}?sort=rank,-id",
    "/api/{name}?rank[gte]=12",
    "/api/{name}?rank[in]=10,12,21,22",
    "/api/{name}?title[contains]=hidd",
    "/api/{name}?title=marked&fields=id,title",
    "/api/{name}/" + str(HIDDEN_KEY),
    "/api/{name}/" + str(key(11)),
    "/api/remarks?expand={one}&limit=2",
    "/api/remarks/" + str(key(12)) + "?expand={one}",
    "/api/remarks?{one}.rank[lte]=22",
    "/api/remarks?{one}.title=hidden",
    "/api/remarks?{one}.id[gte]=" + str(HIDDEN_KEY),
)

FEW = (LISTS[0], LISTS[8], LISTS[10], LISTS[13])
"""Where a condition that is like another one would show."""

NAMES = (("papers", "paper"), ("opposites", "opposite"), ("eithers", "either"))


OF_THE_MOMENT = ("date", "x-request-id", "ratelimit")


def seen(response: ClientResponse) -> tuple[int, dict[str, str], bytes]:
    """What a client sees of a response, but for what changes with every request."""
    headers = {name: text for name, text in response.headers.items() if name not in OF_THE_MOMENT}
    body = response.body
    if b"request_id" in body:
        body = json.dumps({**response.json(), "request_id": None}).encode()
    return response.status, headers, body


async def ask(client: Client, templates: Sequence[str]) -> dict[str, Any]:
    """Every response by its request. Pages are followed to the end, and back."""
    responses: dict[str, Any] = {}
    for name, one in NAMES:
        for template in templates:
            await _follow(client, template.format(name=name, one=one), responses)
    await _follow(client, "/api/excerpts", responses)
    if templates is LISTS:
        for path, write in _writes(client).items():
            responses[path] = seen(await write())
    return responses


async def _follow(client: Client, path: str, responses: dict[str, Any]) -> None:
    pages = [path]
    while pages:
        path = pages.pop()
        if path in responses:
            continue
        response = await client.get(path)
        responses[path] = seen(response)
        for part in response.headers.get("link", "").split(", "):
            if part:
                target = urlsplit(part[1 : part.index(">")])
                pages.append(f"{target.path}?{target.query}")


def _writes(client: Client) -> dict[str, Callable[[], Awaitable[ClientResponse]]]:
    """Attempts at what is hidden: they change nothing, whether it is there or not."""
    asked: dict[str, Callable[[], Awaitable[ClientResponse]]] = {}
    for name, one in NAMES:
        path = f"/api/{name}/{HIDDEN_KEY}"
        asked[f"PATCH {path}"] = lambda path=path: client.patch(path, json={"rank": 3})  # type: ignore[misc]
        asked[f"DELETE {path}"] = lambda path=path: client.delete(path)  # type: ignore[misc]
        body = {"text": "spy", f"{one}_id": str(HIDDEN_KEY)}
        asked[f"POST /api/remarks {one}"] = lambda body=body: client.post("/api/remarks", json=body)  # type: ignore[misc]
    return asked
