"""Mistakes in what is provided, and in what takes it: refused when the app is built, at the line they are on."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, Protocol

import pytest
from sqlalchemy.orm import Mapped

from gatepost import (
    Accounts,
    Actor,
    App,
    Call,
    ConfigurationError,
    Controller,
    Model,
    Resource,
    Service,
    anyone,
    get,
    per_call,
)


class Parcel(Model):
    __tablename__ = "provided_parcels"

    text: Mapped[str]


class Mailer:
    pass


class Clock(Protocol):
    def now(self) -> str: ...


class Watch:
    def now(self) -> str:
        return "noon"


def make_mailer() -> Mailer:
    return Mailer()


def make_watch(mailer: Mailer) -> Watch:
    return Watch()


def make_watch_of_call(call: Call) -> Watch:
    return Watch()


def make_mailer_of_watch(watch: Watch) -> Mailer:
    return Mailer()


def make_maybe() -> Mailer | None:
    return None


async def make_of_call(call: Call, actor: Actor) -> AsyncIterator[Mailer]:
    yield Mailer()


def make_in_parts() -> Iterator[Mailer]:
    yield Mailer()


@asynccontextmanager
async def make_managed() -> AsyncIterator[Mailer]:
    yield Mailer()


async def make_watches() -> AsyncIterator[Watch]:
    yield Watch()


def make_later() -> Awaitable[Watch]:
    raise NotImplementedError


def make_untyped(clock) -> Mailer:  # type: ignore[no-untyped-def]
    return Mailer()


def make_by_position(watch: Watch, /) -> Mailer:
    return Mailer()


def make_with_more(*rest: Any, size: int = 3, **more: Any) -> Mailer:
    return Mailer()


def app_of(provide: Any, *controllers: type[Controller[Any]], service: type[Service[Parcel]] | None = None) -> App:
    parcels = Resource(Parcel, path="parcels", read=anyone, write=anyone, service=service)
    return App(parcels, controllers=controllers, provide=provide)


@pytest.mark.parametrize(
    "provide",
    [
        {},
        {Mailer: make_mailer},
        {Mailer: Mailer},
        {Mailer: Mailer()},
        {Mailer: lambda kind=Mailer: kind()},
        {Mailer: partial(make_mailer)},
        {Mailer: make_with_more},
        {Mailer: per_call(make_of_call)},
        {Clock: Watch, Mailer: make_mailer},
        {Clock: Watch()},
        {Watch: make_watch, Mailer: make_mailer},
        {Watch: per_call(make_watch_of_call), Mailer: per_call(make_mailer_of_watch)},
    ],
)
def test_what_can_be_provided(provide: Any) -> None:
    app_of(provide)


@pytest.mark.parametrize(
    ("provide", "problem", "at"),
    [
        ({"Mailer": make_mailer}, "'Mailer', which is not a class", make_mailer),
        ({Call: make_mailer}, "Call, which endpoints get already", make_mailer),
        ({Accounts: make_mailer}, "Accounts, which endpoints get already", make_mailer),
        ({Parcel: make_mailer}, "Parcel, which endpoints get already", make_mailer),
        ({Service: make_mailer}, "Service, which endpoints get already", make_mailer),
        ({str: make_mailer}, "str, which parameters of the request have as well", make_mailer),
        ({Mailer: 7}, "{Mailer: 7} is neither a Mailer nor makes one", None),
        ({Mailer: per_call(Mailer())}, "has nothing to call", None),  # type: ignore[arg-type]
        ({Mailer: make_watch}, "returns Watch, which is not a Mailer", make_watch),
        ({Mailer: Watch}, "returns Watch, which is not a Mailer", None),
        ({Clock: make_mailer}, "returns Mailer, which lacks now of Clock", make_mailer),
        ({Mailer: make_watches}, "returns Watch, which is not a Mailer", make_watches),
        ({Mailer: make_later}, "returns Watch, which is not a Mailer", make_later),
        ({Mailer: make_maybe}, "may return None", make_maybe),
        ({Mailer: make_in_parts}, "is a generator", make_in_parts),
        ({Mailer: make_managed}, "makes a context manager", make_managed.__wrapped__),  # type: ignore[attr-defined]
        ({Mailer: make_untyped}, "takes 'clock', and does not say which class it is", make_untyped),
        ({Mailer: make_by_position}, "takes 'watch' by position", make_by_position),
        ({Watch: make_watch}, "takes 'mailer', a Mailer, which nothing provides", make_watch),
        ({Watch: make_watch_of_call}, "is made once and takes 'call', a Call", make_watch_of_call),
        (
            {Watch: make_watch, Mailer: per_call(make_of_call)},
            "is made once and takes 'mailer', a Mailer, which each call has another one of",
            make_watch,
        ),
        (
            {Watch: make_watch, Mailer: make_mailer_of_watch},
            "needs itself: Watch needs Mailer needs Watch",
            make_watch,
        ),
    ],
)
def test_what_cannot(provide: Any, problem: str, at: Callable[..., Any] | None) -> None:
    with pytest.raises(ConfigurationError) as error:
        app_of(provide)

    assert problem in str(error.value)
    line = "" if at is None else f":{at.__code__.co_firstlineno}: "
    assert f"{__file__.rpartition('/')[2]}{line}" in str(error.value)


class Wanting(Controller):
    mailer: Mailer

    @get("/one", allow=anyone)
    async def one(self, clock: Clock) -> None: ...

    @get("/two", allow=anyone)
    async def two(self, clock: Clock | None) -> None: ...


class WantingService(Service[Parcel]):
    mailer: Mailer
    _own: str


class ServiceOfAccounts(Service[Parcel]):
    users: Accounts


def test_what_nothing_provides_is_refused_where_it_is_taken() -> None:
    with pytest.raises(ConfigurationError) as error:
        app_of({}, Wanting, service=WantingService)

    text = str(error.value)
    assert "Wanting.mailer: is of type Mailer, which nothing provides. Write App(provide={Mailer: ...})" in text
    assert "WantingService.mailer: is of type Mailer, which nothing provides" in text
    assert (
        "Wanting.one: takes 'clock' of type Clock, which no request can give. Write App(provide={Clock: ...})" in text
    )
    assert "Wanting.two: takes 'clock' of type" in text


def test_a_service_has_nothing_that_is_made_for_each_call() -> None:
    with pytest.raises(ConfigurationError, match=r"WantingService\.mailer: is a Mailer, which is made for each call"):
        app_of({Mailer: per_call(make_of_call)}, service=WantingService)


def test_a_service_has_accounts_by_one_name_alone() -> None:
    with pytest.raises(ConfigurationError, match=r"ServiceOfAccounts\.users: is of type Accounts.*self\.accounts"):
        app_of({}, service=ServiceOfAccounts)
