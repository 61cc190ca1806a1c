"""An app that provides things of every kind, and endpoints, controllers and services that take them."""

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Annotated, Any, Protocol

import msgspec
from annotated_types import Len
from sqlalchemy.orm import Mapped

from gatepost import (
    Actor,
    App,
    Call,
    Conflict,
    Controller,
    Model,
    Resource,
    Service,
    Unauthorized,
    anyone,
    get,
    per_call,
    post,
)
from gatepost.asgi import Receive, Scope, Send
from gatepost.events import TaskFailed


class Letter(Model):
    __tablename__ = "provided_letters"

    text: Mapped[Annotated[str, Len(1, 50)]]


class Text(msgspec.Struct):
    text: str


happened: list[str] = []
"""What was made and closed, in order."""

failures: list[TaskFailed] = []


class Clock(Protocol):
    def now(self) -> str: ...


class FixedClock:
    def now(self) -> str:
        return "noon"


class Mailer(ABC):
    @abstractmethod
    def send(self, text: str) -> None: ...


@dataclass
class ListMailer(Mailer):
    clock: Clock
    sent: list[str] = field(default_factory=list[str])

    def send(self, text: str) -> None:
        self.sent.append(f"{self.clock.now()} {text}")


async def make_mailer(clock: Clock) -> AsyncIterator[Mailer]:
    happened.append("mailer opened")
    yield ListMailer(clock)
    happened.append("mailer closed")


def make_clock() -> FixedClock:
    happened.append("clock made")
    return FixedClock()


@dataclass
class Numbers:
    """There already: neither function nor class."""

    first: int


class Basket:
    def __init__(self, owner: str, mailer: Mailer) -> None:
        self.owner = owner
        self.mailer = mailer


async def make_basket(call: Call, actor: Actor, mailer: Mailer) -> AsyncIterator[Basket]:
    if call.header("x-banned") is not None:
        raise Unauthorized("banned", "You have no basket.")
    happened.append("basket opened")
    try:
        yield Basket("nobody" if actor.is_anonymous else "somebody", mailer)
    except Conflict as error:
        happened.append(f"basket sees {error.code}")
        raise
    finally:
        happened.append("basket closed")
    if call.header("x-break") is not None:
        raise RuntimeError("The basket broke.")


class Receipt:
    def __init__(self, basket: Basket) -> None:
        self.text = f"of {basket.owner}"


class Letters(Service[Letter]):
    mailer: Mailer

    async def before_create(self, draft: Letter, actor: Actor) -> None:
        self.mailer.send(f"service {draft.text}")


class Desk(Controller):
    path = "desk"
    mailer: Mailer
    receipt: Receipt
    letters: Service[Letter]

    @post("/letters", allow=anyone)
    async def write(self, body: Text, actor: Actor, numbers: Numbers) -> dict[str, Any]:
        await self.letters.create(Letter(text=body.text), actor)
        self.mailer.send(f"endpoint {body.text}")
        return {"receipt": self.receipt.text, "first": numbers.first}

    @post("/refused", allow=anyone)
    async def refused(self, body: Text) -> None:
        raise Conflict("not_now", body.text)


class Plain(Controller):
    path = "plain"

    @get("/time", allow=anyone)
    async def time(self, clock: Clock, mailer: Mailer) -> str:
        return clock.now()

    @get("/basket", allow=anyone)
    async def basket(self, basket: Basket, call: Call) -> str:
        happened.append("endpoint")
        return basket.owner


async def legacy(scope: Scope, receive: Receive, send: Send) -> None:
    """A mounted application: it asks the app."""
    body = app.provided(FixedClock).now().encode()
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]})
    await send({"type": "http.response.body", "body": body})


app = App(
    Resource(Letter, path="letters", read=anyone, write=anyone, service=Letters),
    controllers=[Desk, Plain],
    provide={
        Mailer: make_mailer,
        Clock: make_clock,
        FixedClock: FixedClock,
        Numbers: Numbers(7),
        Receipt: per_call(Receipt),
        Basket: per_call(make_basket),
    },
    mount={"/legacy": legacy},
)
app.events.subscribe(TaskFailed, failures.append)
