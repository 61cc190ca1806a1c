"""Routes that a class declares and does not have, and routes that take the place of derived ones."""

from collections.abc import Callable
from functools import wraps
from typing import Any

import pytest
from sqlalchemy.orm import Mapped

from gatepost import App, ConfigurationError, Controller, Model, Resource, anyone, delete, get, post
from gatepost.server.operation_rows import operation_rows
from gatepost.settings import Settings


class Reel(Model):
    __tablename__ = "lost_route_reels"

    title: Mapped[str]


def app_of(*controllers: type[Controller[Any]], own: type[Controller[Any]] | None = None) -> App:
    """An app with these controllers."""
    return App(Resource(Reel, read=anyone, controller=own), controllers=controllers)


def without_wraps(function: Callable[..., Any]) -> Callable[..., Any]:
    """A decorator that forgets what it decorates."""

    async def around(self: Any) -> int:
        found: int = await function(self)
        return found

    return around


def with_wraps(function: Callable[..., Any]) -> Callable[..., Any]:
    """A decorator as it should be."""
    return wraps(function)(without_wraps(function))


class Logged(Controller):
    path = "logged"

    @without_wraps
    @get("/lost", allow=anyone)
    async def lost(self) -> int:
        return 1

    @with_wraps
    @get("/kept", allow=anyone)
    async def kept(self) -> int:
        return 1


class Twice(Controller):
    path = "twice"

    @get("/first", allow=anyone)
    async def same(self) -> int:  # pyright: ignore[reportRedeclaration]
        return 1

    @get("/second", allow=anyone)
    async def same(self) -> int:  # type: ignore[no-redef]  # noqa: F811
        return 1


class Deleted(Controller):
    path = "deleted"

    @get("/gone", allow=anyone)
    async def gone(self) -> int:
        return 1

    del gone


@pytest.mark.parametrize(
    ("controller", "words"),
    [
        (Logged, "Logged, @get('/lost'): is lost"),
        (Twice, "Twice, @get('/first'): is lost"),
        (Deleted, "Deleted, @get('/gone'): is lost"),
    ],
)
def test_a_function_that_did_not_end_in_the_class(controller: type[Controller[Any]], words: str) -> None:
    with pytest.raises(ConfigurationError, match=r"test_lost_routes\.py:\d+: ") as error:
        app_of(controller)

    assert words in str(error.value)
    assert str(error.value).count("is lost") == 1


class Base(Controller):
    path = "base"

    @get("/one", allow=anyone)
    async def one(self) -> int:
        return 1

    @get("/two", allow=anyone)
    async def two(self) -> int:
        return 1


class Overriding(Base):
    path = "overriding"

    async def one(self) -> int:
        return 2


class Without(Base):
    path = "without"
    one = None  # type: ignore[assignment]


class Declaring(Base):
    path = "declaring"

    @get("/another", allow=anyone)
    async def one(self) -> int:
        return 2


def test_a_method_without_a_route_does_not_replace_an_endpoint() -> None:
    with pytest.raises(ConfigurationError, match=r"test_lost_routes\.py:\d+: Overriding\.one: replaces .*Base\.one"):
        app_of(Overriding)


def test_what_a_subclass_leaves_out_or_declares_anew() -> None:
    endpoints = app_of(Without, Declaring).declaration.own.endpoints

    patterns = [bound.pattern for bound in endpoints]
    assert patterns == ["/api/without/two", "/api/declaring/another", "/api/declaring/two"]


class Replacing(Controller[Reel]):
    path = "lost_route_reels"

    @get("/{id}", allow=anyone)
    async def one(self, id: str) -> int:
        return 1

    @post("", allow=anyone)
    async def make(self) -> int:
        return 1


class Beside(Controller):
    path = "lost_route_reels"

    @delete("/{id}", allow=anyone)
    async def remove(self, id: str) -> int:
        return 1


@pytest.mark.parametrize("app", [app_of(Replacing, Beside), app_of(Beside, own=Replacing)])
def test_the_routes_say_what_takes_the_place_of_a_derived_endpoint(app: App) -> None:
    settings = Settings()

    handlers = [row["handler"] for row in operation_rows(app.composed(settings), settings)]

    said = ", in place of what is derived from Reel"
    assert [handler.split()[0] for handler in handlers if handler.endswith(said)] == ["Replacing.one"]
    own = {handler.split()[0] for handler in handlers if handler.startswith(("Replacing", "Beside"))}
    assert own == {"Replacing.one", "Replacing.make", "Beside.remove"}
