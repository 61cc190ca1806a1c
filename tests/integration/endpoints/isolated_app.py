"""Counters whose service says how its transactions are isolated, and endpoints that take it."""

import asyncio

from sqlalchemy.orm import Mapped, mapped_column

from gatepost import Actor, App, Call, Changes, Controller, Locked, Model, Resource, Service, anyone, get, post
from gatepost.asgi import ASGIApp, Receive, Scope, Send

notes: asyncio.Queue[str] = asyncio.Queue()
"""What ran after responses."""


def worded(app: ASGIApp) -> ASGIApp:
    """A middleware that keeps a word for the length of the call."""

    async def wrapped(scope: Scope, receive: Receive, send: Send) -> None:
        scope["state"]["word"] = "kept"
        await app(scope, receive, send)

    return wrapped


class Meter(Model):
    __tablename__ = "isolated_meters"

    name: Mapped[str] = mapped_column(unique=True)
    count: Mapped[int] = mapped_column(default=0)


class Meters(Service[Meter]):
    isolation = "serializable"
    attempts = 50


class MeterRoutes(Controller[Meter]):
    @post("/{meter:name}/by-parameter", allow=anyone)
    async def by_parameter(self, meter: Meter, meters: Meters, actor: Actor) -> Meter:
        return await meters.update(meter, Changes[Meter]({Meter.count: meter.count + 1}), actor)

    @post("/{meter:name}/noted", allow=anyone)
    async def noted(self, meter: Meter, meters: Meters, call: Call, note: str) -> Meter:
        call.after_response(lambda: notes.put_nowait(note))
        call.set_header(f"x-{meter.count}", "seen")
        call.state["seen"] = [*call.state.get("seen", []), meter.count]
        call.set_header("x-state", f"{call.state['seen']} {call.state['word']}")
        meter.count += 1
        return meter

    @get("/level", allow=anyone)
    async def level(self, meters: Service[Meter]) -> str:
        connection = await meters.session.connection()
        return str((await connection.exec_driver_sql("SHOW transaction_isolation")).scalar())

    @post("/{meter:name}/plain", allow=anyone)
    async def plain(self, meter: Locked[Meter]) -> Meter:
        meter.count += 1
        return meter


class Readings(Controller):
    path = "readings"
    meters: Meters

    @post("/{meter:name}", allow=anyone)
    async def by_attribute(self, meter: Meter) -> Meter:
        meter.count += 1
        return meter


app = App(
    Resource(Meter, path="meters", read=anyone, write=anyone, service=Meters, controller=MeterRoutes),
    controllers=[Readings],
    middleware=[worded],
)
