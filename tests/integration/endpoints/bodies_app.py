"""A journal whose endpoints take bodies of every kind: what `test_bodies.py` serves."""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from enum import Enum
from typing import Annotated, Any, Literal, TypedDict
from uuid import UUID

import msgspec
import pydantic
from annotated_types import Ge, Gt, Le, Len
from msgspec import UNSET, UnsetType
from sqlalchemy import ARRAY, ForeignKey, Text
from sqlalchemy.orm import DeclarativeBase, Mapped, MappedAsDataclass, mapped_column

from gatepost import (
    DTO,
    Actor,
    App,
    Controller,
    Created,
    Field,
    Model,
    Partial,
    Query,
    RawBody,
    Resource,
    Service,
    anyone,
    authenticated,
    get,
    owner,
    parse_json,
    patch,
    policy,
    post,
    put,
    read_only,
    role,
)


class Essay(Model):
    __tablename__ = "body_essays"

    slug: Mapped[Annotated[str, Len(1, 50)]]
    title: Mapped[Annotated[str, Len(1, 200)]]
    text: Mapped[str]
    tags: Mapped[list[Annotated[str, Len(1, 20)]]] = mapped_column(ARRAY(Text()), default=list)
    price: Mapped[Annotated[Decimal, Ge(0)]] = mapped_column(default=Decimal("1.50"))
    note: Mapped[str | None]
    mood: Mapped[str | None] = mapped_column(default="calm")
    rank: Mapped[int] = mapped_column(default=0)
    is_draft: Mapped[bool] = mapped_column(default=True)
    author_id: Mapped[UUID] = mapped_column(ForeignKey("users.id"), index=True)


class Base(MappedAsDataclass, DeclarativeBase):
    metadata = Model.metadata


class Stamp(Base):
    __tablename__ = "body_stamps"

    id: Mapped[int] = mapped_column(primary_key=True, init=False)
    name: Mapped[Annotated[str, Len(1, 10)]]
    printed: Mapped[str]
    count: Mapped[int] = mapped_column(default=7)


class EssayBody(DTO[Essay]):
    title: Annotated[str, Len(3, 20)]
    text: str
    tags: list[str]
    price: Decimal
    note: str | None
    mood: str | None
    rank: int


class EssayChange(DTO[Essay]):
    title: str
    tags: list[str]
    note: str | None
    rank: int
    text: str


class StampBody(DTO[Stamp]):
    name: str


class Essays(Service[Essay]):
    async def before_create(self, draft: Essay, actor: Actor) -> None:
        draft.slug = draft.slug or draft.title.lower()


class Role(Enum):
    AUTHOR = "author"
    EDITOR = "editor"


class Circle(msgspec.Struct, tag="circle"):
    radius: Annotated[int, Gt(0)]


class Square(msgspec.Struct, tag="square"):
    side: Annotated[Decimal, Le(10)]


class Named(TypedDict):
    name: Annotated[str, Len(1, 5)]


class InboundLine(msgspec.Struct):
    copies: Annotated[int, Ge(1)]


class Inbound(msgspec.Struct):
    """What another program sends."""

    external_ref: Annotated[str, Len(1, 5)]
    lines: list[InboundLine]


class Parts(msgspec.Struct):
    """Constraints at every depth, in every kind of class."""

    shape: Circle | Square
    named: Named
    pair: tuple[Annotated[int, Ge(1)], str]
    counts: dict[Annotated[str, Len(1, 3)], Annotated[int, Le(9)]]
    either: int | Annotated[str, Len(2, 4)] = 0
    role: Role = Role.AUTHOR
    nick: Annotated[str, Len(1, 3)] | UnsetType | None = UNSET
    level: Literal[1, 2] = 1
    share: Annotated[Decimal, msgspec.Meta(gt=0)] = Decimal(1)
    inner: "Parts | None" = None
    free: Any = None


class Span(pydantic.BaseModel):
    first: Annotated[int, Ge(1)]
    last: int

    @pydantic.model_validator(mode="after")
    def is_ordered(self) -> "Span":
        if self.last < self.first:
            raise ValueError("The last comes before the first.")
        return self


@dataclass
class Window:
    opens: date | None = None
    sizes: list[Annotated[int, Ge(1)]] | None = None
    role: Role = Role.AUTHOR
    price: Annotated[Decimal, Ge(0)] | UnsetType = UNSET

    def __post_init__(self) -> None:
        if self.sizes and self.sizes[0] == 13:
            raise ValueError("13 is no size.")


class EssayRoutes(Controller[Essay]):
    @post("/whole", allow=authenticated)
    async def whole(self, body: EssayBody, essays: Essays, actor: Actor) -> Created[Essay]:
        return Created(await essays.create(body.row(slug="own", author_id=actor.require_id()), actor))

    @post("/published", allow=authenticated)
    async def published(self, body: EssayBody, essays: Essays, actor: Actor) -> list[Essay]:
        """Two rows of one body, in one call."""
        drafts = [body.row(slug=slug, author_id=actor.require_id(), is_draft=False) for slug in ("one", "two")]
        return [await essays.create(draft, actor) for draft in drafts]

    @post("/shown", allow=authenticated)
    async def shown(self, body: EssayBody) -> dict[str, Any]:
        return {name: getattr(body, name) for name in ("title", "tags", "price", "note", "mood")}

    @patch("/{essay}/part", allow=authenticated)
    async def part(self, essay: Essay, body: Partial[EssayChange], essays: Essays, actor: Actor) -> Essay:
        return await essays.update(essay, body.changes, actor)


class Desk(Controller):
    path = "body-desk"

    @post("/stamps", allow=anyone)
    async def stamp(self, body: StampBody, stamps: Service[Stamp], actor: Actor) -> Created[Stamp]:
        return Created(await stamps.create(body.row(printed="today"), actor))

    @put("/parts", allow=anyone)
    async def parts(self, body: Parts) -> Parts:
        return body

    @post("/shapes", allow=anyone)
    async def shapes(self, body: Circle | Square) -> str:
        return type(body).__name__

    @post("/spans", allow=anyone)
    async def spans(self, body: Span) -> int:
        return body.last

    @post("/maybe-stamp", allow=anyone)
    async def maybe_stamp(self, body: StampBody | None = None) -> str | None:
        return "nothing" if body is None else body.name

    @post("/maybe-essay", allow=anyone)
    async def maybe_essay(self, body: Partial[EssayChange] | None = None) -> list[str]:
        return ["nothing"] if body is None else sorted(body.changes)

    @post("/optional", allow=anyone, json_depth_max=2, json_items_max=3)
    async def optional(self, body: Named | None = None) -> Named | str | None:
        return "nothing" if body is None else body

    @post("/deep", allow=anyone, json_depth_max=3, json_items_max=3)
    async def deep(self, body: Parts) -> None: ...

    @post("/hook", allow=anyone)
    async def hook(self, body: Annotated[bytes, RawBody(20)]) -> str:
        return body.hex()

    @post("/parsed", allow=anyone)
    async def parsed(self, body: Annotated[bytes, RawBody(1_000)]) -> dict[str, Any]:
        sent = parse_json(body, Inbound)
        return {"ref": sent.external_ref, "lines": [line.copies for line in sent.lines]}

    @post("/bare", allow=anyone)
    async def bare(self) -> str:
        return "done"

    @get("/search", allow=anyone)
    async def search(self, window: Annotated[Window, Query], page: int = 1) -> dict[str, Any]:
        price = None if window.price is UNSET else window.price
        return {"opens": window.opens, "sizes": window.sizes, "role": window.role, "price": price, "page": page}

    @get("/spans", allow=anyone)
    async def find_spans(self, span: Annotated[Span, Query]) -> list[int]:
        return [span.first, span.last]


def is_draft(model: type[Essay], actor: Actor) -> object:
    return model.is_draft.is_(True)


app = App(
    Resource(
        Essay,
        path="essays",
        read=anyone,
        create=owner("author_id"),
        update=authenticated,
        service=Essays,
        controller=EssayRoutes,
        creates=EssayBody,
        updates=EssayChange,
        fields={
            "rank": Field(write=role("editor")),
            "note": Field(update=policy(is_draft)),
            "slug": read_only,
            "mood": Field(create=policy(is_draft)),
        },
    ),
    Resource(Stamp, path="body-stamps", read=anyone, create=anyone),
    controllers=[Desk],
)
