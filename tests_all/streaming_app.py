"""An app that streams, for browsers and generated clients: ticks as events, which end so that clients come again."""

from collections.abc import AsyncIterator
from typing import Annotated

from annotated_types import Ge, Le
from msgspec import Struct
from sqlalchemy.orm import Mapped

from gatepost import App, Controller, Header, Model, Resource, ServerSentEvent, Stream, anyone, get

AT_ONCE = 3
"""How many ticks a client gets before the stream ends."""


class Clock(Model):
    __tablename__ = "streaming_clocks"

    name: Mapped[str]


class Tick(Struct):
    number: int
    text: str


def tick(number: int) -> Tick:
    return Tick(number, "two\nlines")


async def events_after(seen: int) -> AsyncIterator[ServerSentEvent[Tick]]:
    for number in range(seen + 1, seen + 1 + AT_ONCE):
        yield ServerSentEvent(tick(number), id=str(number), name="tick", retry_seconds=0.05)


async def first(count: int) -> AsyncIterator[Tick]:
    for number in range(count):
        yield tick(number)


class Ticks(Controller):
    path = "ticks"

    @get("/events", allow=anyone)
    async def events(self, last_event_id: Annotated[int | None, Header] = None) -> Stream[ServerSentEvent[Tick]]:
        """Some ticks after the last one that the client has."""
        return Stream(events_after(last_event_id or 0))

    @get("/lines", allow=anyone)
    async def lines(self, count: Annotated[int, Ge(0), Le(100)] = 2) -> Stream[Tick]:
        """Ticks, each a line of JSON."""
        return Stream(first(count))


app = App(Resource(Clock, read=anyone), controllers=[Ticks])
