"""The cabinet of `described_app`, with a column of every type, and endpoints that take and send what that has not."""

import asyncio
import enum
from collections.abc import AsyncIterator
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Annotated, Any, Literal
from uuid import UUID

import msgspec
import sqlalchemy as sa
from annotated_types import Ge, Le, Len
from described_app import RESOURCES, Kinds, Vault, keeper
from sqlalchemy import ForeignKey, Select, select
from sqlalchemy.orm import Mapped, mapped_column, relationship
from value_columns import COLUMNS as ALL_COLUMNS

from gatepost import (
    DTO,
    Actor,
    App,
    CamelCase,
    Controller,
    Cookie,
    Created,
    Field,
    File,
    Group,
    Header,
    Locked,
    Model,
    Partial,
    Query,
    Resource,
    Response,
    Row,
    ServerSentEvent,
    Service,
    Stream,
    anyone,
    authenticated,
    computed,
    delete,
    get,
    owner,
    patch,
    post,
    put,
)

COLUMNS = [column for column in ALL_COLUMNS if column.name != "grade"]
"""The specimens have a type `grade` of their own."""

FILTERED = (
    "small", "large", "flag", "ratio", "single", "amount", "precise", "word", "nick", "token", "moment", "naive", "day",
    "hour", "span", "genre", "texts", "days", "document.color",
)  # fmt: skip
"""Columns of the samples that lists can be filtered by: one of each form."""


class Label(Row):
    """What samples are labelled with."""

    __tablename__ = "conformance_labels"

    id: Mapped[int] = mapped_column(sa.Identity(), primary_key=True)
    text: Mapped[Annotated[str, Len(1, 30)]] = mapped_column(unique=True)


labelling = sa.Table(
    "conformance_labelling",
    Model.metadata,
    sa.Column("sample_id", ForeignKey("conformance_samples.id"), primary_key=True),
    sa.Column("label_id", ForeignKey("conformance_labels.id"), primary_key=True, index=True),
)

Sample: Any = type(
    "Sample",
    (Model,),
    {
        "__doc__": "A row with a column of every type.",
        "__tablename__": "conformance_samples",
        "__annotations__": {column.name: Mapped[Any] for column in COLUMNS}
        | {"labels": Mapped[list[Label]], "parent_id": Mapped[UUID | None], "parent": Mapped[Any]},
        **{column.name: mapped_column(column.kind, nullable=True) for column in COLUMNS},
        "labels": relationship(Label, secondary=labelling),
        "parent_id": mapped_column(ForeignKey("conformance_samples.id"), index=True),
        "parent": relationship("Sample", remote_side="Sample.id"),
    },
)


class Visit(Model):
    """Who came to see a vault."""

    __tablename__ = "conformance_visits"

    vault_id: Mapped[UUID] = mapped_column(ForeignKey("described_vaults.id"), index=True)
    guest_id: Mapped[UUID] = mapped_column(ForeignKey("users.id"), index=True)
    day: Mapped[date]
    vault: Mapped[Vault] = relationship()


class Colour(enum.StrEnum):
    RED = "red"
    BLUE = "blue"


class Window(msgspec.Struct):
    """Several parameters at once."""

    since: date
    until: date | None = None
    sizes: list[Annotated[int, Ge(0)]] = []


class Numbers(msgspec.Struct):
    numbers: Annotated[list[Annotated[int, Ge(0)]], Len(1, 3)]
    by_name: dict[str, Decimal] = {}


class Tick(msgspec.Struct):
    number: int
    text: str = "a\nb"


class VisitCard(DTO[Visit], name="visit"):
    id: UUID
    day: date
    in_future: bool = computed(Visit.day > sa.func.current_date())


class VisitBody(DTO[Visit]):
    day: date
    vault_id: UUID


class Visits(Service[Visit]):
    async def before_create(self, draft: Visit, actor: Actor) -> None:
        draft.guest_id = actor.require_id()


class VisitRoutes(Controller[Visit]):
    @post("/now", allow=authenticated, answers=VisitCard)
    async def now(self, body: VisitBody, visits: Visits, actor: Actor) -> Created[Visit]:
        return Created(await visits.create(body.row(), actor))

    @patch("/{visit}/day", allow=authenticated, answers=VisitCard)
    async def move(self, visit: Locked[Visit], body: Partial[VisitBody], visits: Visits, actor: Actor) -> Visit:
        return await visits.update(visit, body.changes, actor)

    @get("/latest", allow=authenticated, answers=VisitCard)
    async def latest(self) -> Select[Visit]:
        return select(Visit).order_by(Visit.day.desc())


class Values(Controller):
    """Values of every kind, in and out."""

    path = "values"

    @get("/scalars", allow=anyone)
    async def scalars(
        self,
        whole: Annotated[int, Ge(-5), Le(5)],
        exact: Decimal = Decimal(0),
        real: float = 0.5,
        flag: bool = False,
        key: UUID | None = None,
        day: date | None = None,
        at: datetime | None = None,
        clock: time | None = None,
        pause: timedelta | None = None,
        colour: Colour = Colour.RED,
        size: Literal["s", "m", 3] = "s",
        text: Annotated[str, Len(0, 10)] = "",
        days: Annotated[list[date], Len(0, 3)] = [],  # noqa: B006 - read, not kept
        colours: tuple[Colour, ...] = (),
    ) -> list[str]:
        return [str(whole), str(exact), str(real), str(flag), str(key), str(day), str(at), str(clock), str(pause)]

    @get("/window", allow=anyone)
    async def window(self, window: Annotated[Window, Query]) -> Window:
        return window

    @get("/heads", allow=anyone)
    async def heads(
        self,
        x_count: Annotated[int, Header()],
        x_colour: Annotated[Colour | None, Header()] = None,
        since: Annotated[date | None, Cookie()] = None,
    ) -> dict[str, int]:
        return {"count": x_count}

    @get("/file", allow=anyone)
    async def file(self) -> File:
        return File(b"0123456789", name="digits.txt")

    @get("/ticks", allow=anyone)
    async def ticks(self, number: Annotated[int, Ge(0), Le(3)] = 2) -> Stream[Tick]:
        async def source() -> AsyncIterator[Tick]:
            for each in range(number):
                yield Tick(each)
                await asyncio.sleep(0)

        return Stream(source())

    @get("/events", allow=anyone)
    async def events(self) -> Stream[ServerSentEvent[Tick]]:
        async def source() -> AsyncIterator[ServerSentEvent[Tick]]:
            yield ServerSentEvent(Tick(1), id="1", name="tick")

        return Stream(source())

    @put("/nothing", allow=authenticated)
    async def nothing(self, body: Numbers) -> None:
        return None

    @post("/page", allow=anyone)
    async def page(self) -> Response:
        return Response.html("<p>")

    @delete("/old", allow=keeper)
    async def old(self, before: date) -> None:
        return None


app = App(
    *RESOURCES,
    Resource(
        Sample,
        path="samples",
        read=anyone,
        write=authenticated,
        filter=[*FILTERED],
        sort=["small", "moment", "word"],
        search=["prose"],
        fields={"code": Field(read=keeper, write=keeper)},
    ),
    Resource(Label, path="labels", read=anyone, write=authenticated, page_size=5),
    Resource(
        Visit,
        path="visits",
        read=owner("guest_id"),
        write=owner("guest_id"),
        service=Visits,
        answers=VisitCard,
        lists=VisitCard,
        creates=VisitBody,
        controller=VisitRoutes,
    ),
    Group(
        "/v2",
        Resource(Label, path="labels", read=anyone, write=authenticated, page_size=5, require_if_match=True),
        Resource(
            Visit,
            path="guest-book",
            read=owner("guest_id"),
            write=owner("guest_id"),
            answers=VisitCard,
            creates=VisitBody,
            controller=VisitRoutes,
        ),
        controllers=[Values],
        dialect=CamelCase(),
    ),
    controllers=[Kinds, Values],
)
