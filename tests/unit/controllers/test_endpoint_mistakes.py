"""Mistakes in the classes and methods of controllers: refused when the app is built, with the line that they are on."""

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy.orm import Mapped, mapped_column

from gatepost import (
    App,
    ConfigurationError,
    Controller,
    Field,
    Model,
    Resource,
    anyone,
    get,
    hidden,
    owner,
    policy,
    role,
)
from gatepost.declaring.controller import RouteDecorator

EDITORS = Field(read=role("editor"), write=role("editor"))


class Parcel(Model):
    __tablename__ = "endpoint_mistake_parcels"

    slug: Mapped[str] = mapped_column(unique=True)
    title: Mapped[str]
    secret: Mapped[str | None] = mapped_column(unique=True)
    price: Mapped[int | None] = mapped_column(unique=True)


def build(controller: type[Controller[Any]]) -> App:
    """An app with this controller."""
    return App(Resource(Parcel, read=anyone, fields={"secret": hidden, "price": EDITORS}), controllers=[controller])


def refusal_of(make: Callable[[], type[Controller[Any]]]) -> str:
    """What is said of a controller."""
    with pytest.raises(ConfigurationError) as error:
        build(make())
    assert f"{__file__.rpartition('/')[2]}:" in str(error.value)
    return str(error.value)


def controller_of(method: Any, *, path: Any = "things", decorate: Any = None) -> type[Controller[Any]]:
    """A controller with this method as its endpoint."""
    decorator = decorate or get("/a", allow=anyone)
    return type("Wrong", (Controller,), {"path": path, "__module__": __name__, "method": decorator(method)})


def plain() -> Any:
    """A method that is right: a new one, because decorators note routes on it."""

    async def method(self: Any) -> int:
        return 1

    return method


async def without_self() -> int:
    return 1


async def of_many(*values: int) -> int:
    return len(values)


async def by_position(self: Any, value: int, /) -> int:
    return value


@pytest.mark.parametrize(
    ("method", "words"),
    [
        (staticmethod(plain()), "stands above staticmethod"),
        (classmethod(plain()), "stands above classmethod"),
        (property(plain()), "stands above property"),
        (None, "stands above NoneType"),
        (without_self, "does not take self"),
        (of_many, "does not take self"),
        (by_position, "takes 'value' by its position alone"),
    ],
)
def test_what_is_no_method(method: Any, words: str) -> None:
    assert words in refusal_of(lambda: controller_of(method))


@pytest.mark.parametrize("wrap", [staticmethod, classmethod, property])
def test_an_endpoint_inside_of_another_decorator(wrap: Any) -> None:
    words = refusal_of(lambda: controller_of(plain(), decorate=lambda found: wrap(get("/a", allow=anyone)(found))))

    assert f"is a {wrap.__name__}, and an endpoint is a method" in words


@pytest.mark.parametrize("path", ["x//y", "x y", "{a}", "x/{a}", "../x", "é", 5, None])
def test_a_path_of_a_controller_that_no_request_has(path: Any) -> None:
    assert "path is " in refusal_of(lambda: controller_of(plain(), path=path))


def test_a_path_with_an_empty_segment() -> None:
    assert "is not a path" in refusal_of(lambda: controller_of(plain(), decorate=get("/a//b", allow=anyone)))


def test_a_controller_that_needs_arguments() -> None:
    class Needy(Controller[Any]):
        def __init__(self, mailer: object) -> None:
            self.mailer = mailer

        @get("/a", allow=anyone)
        async def endpoint(self) -> int:
            return 1

    assert "cannot be made without mailer" in refusal_of(lambda: Needy)


@pytest.mark.parametrize("allow", [owner("id"), policy(Parcel.title == "x"), role("editor") | owner("id")])
def test_a_rule_of_rows_where_no_row_is_read(allow: Any) -> None:
    assert "depends on a row" in refusal_of(lambda: controller_of(plain(), decorate=get("/a", allow=allow)))


@pytest.mark.parametrize("declared", [{"answers": 5}, {"raises": 5}, {"raises": None}])
def test_arguments_of_another_kind(declared: Any) -> None:
    decorate: Any = RouteDecorator("GET")("/a", allow=anyone, **declared)

    assert next(iter(declared)) in refusal_of(lambda: controller_of(plain(), decorate=decorate))


def of_parcel() -> Any:
    """A method that takes the row of its path."""

    async def method(self: Any, parcel: Parcel) -> Parcel:
        return parcel

    return method


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("title", "Parcel.title, which is not unique"),
        ("secret", "Parcel.secret, which is hidden from"),
        ("price", "Parcel.price, which is hidden from"),
        ("slag", "Parcel.slag, which does not exist"),
    ],
)
def test_an_attribute_in_a_path_that_names_no_row_to_all(name: str, words: str) -> None:
    decorate = get(f"/{{parcel:{name}}}", allow=anyone)

    assert words in refusal_of(lambda: controller_of(of_parcel(), decorate=decorate))


def test_a_unique_attribute_that_everybody_sees_names_a_row() -> None:
    build(controller_of(of_parcel(), decorate=get("/{parcel:slug}", allow=anyone)))
