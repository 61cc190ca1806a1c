"""The example for overrides: services with hooks, with whole verbs, without `super()`, and with mistakes."""

from collections.abc import Sequence
from typing import Any, cast
from uuid import UUID

from sqlalchemy import ForeignKey, select, update
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Mount, Route

from gatepost import Actor, App, Changes, Conflict, Field, Resource, Service, anyone, authenticated, owner, role
from gatepost.asgi import Receive, Scope, Send
from gatepost.models.list_query import ListQuery

events: list[str] = []
"""What the hooks of `Pots` did, in order."""


class Base(DeclarativeBase):
    """Somebody's own base."""


class Kiln(Base):
    __tablename__ = "kilns"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]


class Piece:
    """Columns that all pieces have."""

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)
    recipe: Mapped[str | None]
    owner_id: Mapped[UUID] = mapped_column(ForeignKey("users.id"), index=True)


class Pot(Piece, Base):
    __tablename__ = "pots"

    kiln_id: Mapped[int | None] = mapped_column(ForeignKey("kilns.id"), index=True)
    kiln: Mapped[Kiln | None] = relationship()


class Cup(Piece, Base):
    __tablename__ = "cups"

    kiln_id: Mapped[int | None] = mapped_column(ForeignKey("kilns.id"), index=True)
    is_broken: Mapped[bool] = mapped_column(default=False)
    kiln: Mapped[Kiln | None] = relationship()


class Bowl(Piece, Base):
    __tablename__ = "bowls"


class Shard(Piece, Base):
    __tablename__ = "shards"


class Pots(Service[Pot]):
    """Hooks only."""

    async def before_create(self, draft: Pot, actor: Actor) -> None:
        events.append(f"before {draft.name}")
        if draft.name == "refused":
            raise Conflict("kiln_full", "The kiln is full.")
        draft.name = draft.name.upper()

    async def after_create(self, row: Pot, actor: Actor) -> None:
        events.append(f"after {row.name} {row.id > 0}")
        self.after_commit(lambda: events.append(f"committed {row.name}"))
        if row.name == "CRACKED":
            raise Conflict("cracked", "It cracked.")

    async def before_update(self, row: Pot, changes: Changes[Pot], actor: Actor) -> None:
        events.append(f"from {row.name} to {changes.get('name', row.name)}")

    async def after_update(self, row: Pot, changes: Changes[Pot], actor: Actor) -> None:
        events.append(f"now {row.name}")

    async def before_delete(self, row: Pot, actor: Actor) -> None:
        if row.name == "KEPT":
            raise Conflict("kept", "It stays.")

    async def after_delete(self, row: Pot, actor: Actor) -> None:
        events.append(f"deleted {row.name}")


class Cups(Service[Cup]):
    """Whole verbs, which return more than the actor may see."""

    async def get(self, id: Any, actor: Actor, *, lock: bool = False) -> Cup:
        return await self.session.get_one(Cup, id)

    async def list(self, query: ListQuery, actor: Actor) -> Sequence[Cup]:
        return (await self.session.scalars(select(Cup).order_by(Cup.id.desc()))).all()

    async def create(self, draft: Cup, actor: Actor) -> Cup:
        draft.recipe = "secret"
        return await super().create(draft, actor)

    async def update(self, row: Cup, changes: Changes[Cup], actor: Actor) -> Cup:
        row = await super().update(row, changes, actor)
        row.name = f"{row.name}!"
        return row

    async def delete(self, row: Cup, actor: Actor) -> None:
        row.is_broken = True


class Bowls(Service[Bowl]):
    """Verbs that write without `super()`. `to <id>` as a name gives the row to somebody else."""

    async def create(self, draft: Bowl, actor: Actor) -> Bowl:
        if draft.name.startswith("to "):
            draft.owner_id = UUID(draft.name[3:])
        self.session.add(draft)
        await self.session.flush()
        return draft

    async def update(self, row: Bowl, changes: Changes[Bowl], actor: Actor) -> Bowl:
        values: dict[str, Any] = dict(changes)
        if row.name.startswith("give ") or str(values.get("name")).startswith("to "):
            values["owner_id"] = UUID(str(values["name"])[3:])
        await self.session.execute(update(Bowl).where(Bowl.id == row.id).values(**values))
        return row

    async def delete(self, row: Bowl, actor: Actor) -> None:
        await self.session.delete(row)


class Shards(Service[Shard]):
    """Mistakes, by name."""

    async def get(self, id: Any, actor: Actor, *, lock: bool = False) -> Shard:
        return cast("Shard", None)

    async def list(self, query: ListQuery, actor: Actor) -> Sequence[Shard]:
        return cast("Sequence[Shard]", [{"id": 1}])

    async def create(self, draft: Shard, actor: Actor) -> Shard:
        if draft.name == "nothing":
            return cast("Shard", None)
        if draft.name == "another":
            return cast("Shard", Bowl(name="x", owner_id=draft.owner_id))
        if draft.name == "commit":
            await self.session.commit()
        if draft.name == "error":
            raise ValueError("a mistake")
        return draft


async def echo(request: Request) -> JSONResponse:
    """What a mounted application sees."""
    body = (await request.body()).decode()
    scope = request.scope
    return JSONResponse({"path": scope["path"], "root": scope["root_path"], "url": str(request.url_for("echo")),
                         "body": body, "query": scope["query_string"].decode()})  # fmt: skip


async def broken(scope: Scope, receive: Receive, send: Send) -> None:
    """A mounted application may have mistakes too."""
    raise ValueError("a mistake in a mounted application")


inner = Starlette(routes=[Route("/echo", echo, methods=["GET", "POST"], name="echo"),
                          Mount("/deep", routes=[Route("/echo", echo, name="deep")])])  # fmt: skip

MINE: dict[str, Any] = {
    "read": owner("owner_id"),
    "create": owner("owner_id") | role("staff"),
    "update": owner("owner_id"),
    "delete": owner("owner_id"),
    "fields": {"recipe": Field(read=role("staff"), write=role("staff"))},
}

app = App(
    Resource(Kiln, read=role("staff")),
    Resource(Pot, service=Pots, read=anyone, write=authenticated, fields=MINE["fields"]),
    Resource(Cup, service=Cups, **MINE),
    Resource(Bowl, service=Bowls, **MINE),
    Resource(Shard, service=Shards, **MINE),
    mount={"/legacy": inner, "/broken": broken, "/api/pots/made": inner},
)
