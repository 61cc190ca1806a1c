"""An app whose endpoints stream: plain data, events and rows, sources that end, fail, wait and go on for ever."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Annotated, Any

from msgspec import Raw, Struct
from sqlalchemy import select
from sqlalchemy.orm import Mapped, mapped_column

from gatepost import (
    DTO,
    App,
    Call,
    CamelCase,
    Conflict,
    Controller,
    Header,
    Model,
    Resource,
    Response,
    ServerSentEvent,
    Service,
    Stream,
    anyone,
    get,
    per_call,
    policy,
    post,
    role,
)


class Reading(Model):
    __tablename__ = "stream_readings"

    sensor: Mapped[str]
    is_secret: Mapped[bool] = mapped_column(default=False)


class ReadingCard(DTO[Reading]):
    sensor: str


class Tick(Struct):
    tick_number: int
    text: str = ""


@dataclass
class Log:
    """What the sources have done."""

    lines: list[str] = field(default_factory=list)
    asked: int = 0
    closed: asyncio.Event = field(default_factory=asyncio.Event)


log = Log()


class Session:
    """Made for each call."""

    is_open = True


async def session() -> AsyncIterator[Session]:
    """Open until the call is over."""
    made = Session()
    try:
        yield made
    finally:
        made.is_open = False
        log.lines.append("session closed")


async def ticks(count: int | None = None, *, seconds: float = 0.0) -> AsyncIterator[Tick]:
    """So many ticks, or ticks for ever."""
    number = 0
    try:
        while count is None or number < count:
            log.asked += 1
            yield Tick(number, "a\nb\rc")
            number += 1
            await asyncio.sleep(seconds)
        log.lines.append("finished")
    finally:
        await asyncio.sleep(0)
        log.lines.append("closed")
        log.closed.set()


async def waiting() -> AsyncIterator[Tick]:
    """A tick, and then nothing."""
    try:
        yield Tick(0)
        await asyncio.Event().wait()
    finally:
        log.lines.append("closed")


class Readings(Controller[Reading]):
    @post("/record", allow=anyone)
    async def record(self, readings: Service[Reading], sensor: str, count: int) -> Stream[Reading]:
        """What is written before the stream is committed when the source runs."""
        made = [Reading(sensor=f"{sensor}{number}", is_secret=number % 2 == 1) for number in range(count)]
        readings.session.add_all(made)
        await readings.session.flush()

        async def source() -> AsyncIterator[Reading]:
            async with app.transaction() as tx:
                found = await tx.session.scalars(select(Reading).where(Reading.sensor.startswith(sensor)))
                log.lines.append(f"committed {len(found.all())}")
            for row in made:
                yield row

        return Stream(source())

    @get("/cards", allow=anyone, answers=ReadingCard)
    async def cards(self, readings: Service[Reading]) -> Stream[ServerSentEvent[Reading]]:
        rows = (await readings.session.scalars(select(Reading).order_by(Reading.sensor))).all()

        async def source() -> AsyncIterator[ServerSentEvent[Reading]]:
            for row in rows:
                yield ServerSentEvent(row, id=row.sensor, name="reading", retry_seconds=1.5)

        return Stream(source())

    @get("/wrong-row", allow=anyone)
    async def wrong_row(self) -> Stream[Reading]:
        async def source() -> AsyncIterator[Any]:
            yield Tick(1)

        return Stream(source())


class Ticks(Controller):
    path = "ticks"

    @get("", allow=anyone)
    async def few(self, count: int = 3) -> Stream[Tick]:
        return Stream(ticks(count))

    @get("/events", allow=anyone)
    async def events(self, last_event_id: Annotated[int | None, Header] = None) -> Stream[ServerSentEvent[Tick]]:
        first = 0 if last_event_id is None else last_event_id + 1

        async def source() -> AsyncIterator[ServerSentEvent[Tick]]:
            for number in range(first, first + 2):
                yield ServerSentEvent(Tick(number), id=str(number))

        return Stream(source())

    @get("/waiting", allow=anyone)
    async def waits(self) -> Stream[Tick]:
        return Stream(waiting())

    @get("/editors", allow=role("editor"))
    async def for_editors(self, seconds: float = 0.02) -> Stream[Tick]:
        return Stream(ticks(seconds=seconds))

    @get("/members", allow=role("editor") | role("writer"))
    async def for_members(self) -> Stream[Tick]:
        return Stream(ticks(seconds=0.02))

    @get("/endless", allow=anyone)
    async def endless(self) -> Stream[Tick]:
        return Stream(ticks())

    @get("/failing/{way}", allow=anyone)
    async def failing(self, way: str) -> Stream[Any]:
        async def source() -> AsyncIterator[Any]:
            yield Tick(0)
            if way == "error":
                raise KeyError("a secret")
            if way == "problem":
                raise Conflict("sold_out", "There are no more.")
            if way == "json":
                yield object()
            if way == "cancelled":
                raise asyncio.CancelledError
            if way == "database":
                async with app.transaction() as tx:
                    await tx.session.execute(select(1 / (Reading.version - Reading.version)))

        return Stream(source())

    @get("/stubborn", allow=anyone)
    async def stubborn(self) -> Stream[Tick]:
        """A source that catches its cancellation, and fails when it is closed."""

        async def source() -> AsyncIterator[Tick]:
            number = 0
            try:
                while True:
                    yield Tick(number)
                    number += 1
                    try:
                        await asyncio.sleep(60)
                    except asyncio.CancelledError:
                        log.lines.append("caught")
            finally:
                log.lines.append("closed")
                raise RuntimeError("while it is closed")

        return Stream(source())

    @get("/session", allow=anyone)
    async def in_session(self, made: Session) -> Stream[bool]:
        async def source() -> AsyncIterator[bool]:
            yield made.is_open
            log.lines.append("closed")

        return Stream(source())

    @get("/maybe", allow=anyone)
    async def maybe(self, what: str, call: Call) -> Stream[Tick] | Response | None:
        call.set_header("x-note", what)
        call.set_cookie("seen", "yes")
        call.after_response(lambda: log.lines.append(f"after {what}"))
        if what == "stream":
            return Stream(ticks(1))
        return Response.text("no") if what == "response" else None

    @get("/raw", allow=anyone)
    async def raw(self) -> Stream[Any]:
        async def source() -> AsyncIterator[Any]:
            yield Raw(b'{\r\n "a": "b\\n"\n}')

        return Stream(source())


app = App(
    Resource(Reading, read=policy(lambda model, actor: model.is_secret.is_(False)), controller=Readings),
    controllers=[Ticks],
    provide={Session: per_call(session)},
)


class Renamed(Controller):
    path = "renamed"

    @get("", allow=anyone)
    async def few(self) -> Stream[Tick]:
        return Stream(ticks(1))


renaming = App(Resource(Reading, read=anyone), controllers=[Renamed], dialect=CamelCase())
