"""Mistakes in what an endpoint declares beside its signature: refused when the app is built, all in one run."""

from typing import Any

import pytest
from sqlalchemy.orm import Mapped

from gatepost import (
    DTO,
    App,
    ConfigurationError,
    Conflict,
    Controller,
    Forbidden,
    Locked,
    Model,
    NotFound,
    Resource,
    anyone,
    get,
    post,
)


class Crate(Model):
    __tablename__ = "route_mistake_crates"

    text: Mapped[str]


def refusal_of(*decorators: Any) -> str:
    """What is said of endpoints with these decorators."""
    methods: dict[str, Any] = {}
    for number, decorate in enumerate(decorators):

        async def method(self: Any) -> int:
            return 1

        methods[f"method{number}"] = decorate(method)
    controller = type("Wrong", (Controller,), methods)
    with pytest.raises(ConfigurationError) as error:
        App(Resource(Crate, read=anyone), controllers=[controller])
    assert f"{__file__.rpartition('/')[2]}:" in str(error.value)
    return str(error.value)


@pytest.mark.parametrize("status", [99, 0, 199, 300, 404, 500, "202"])
def test_a_status_that_is_no_success(status: Any) -> None:
    assert "status=...): is " in refusal_of(post("/a", allow=anyone, status=status))


def test_a_status_without_a_body() -> None:
    assert "returns something, and status=204 has no body" in refusal_of(post("/a", allow=anyone, status=204))


@pytest.mark.parametrize("name", ["a/b", "", "a b", "1", 7])
def test_a_name_that_is_none(name: Any) -> None:
    assert "name=...): is " in refusal_of(get("/a", allow=anyone, name=name))


@pytest.mark.parametrize("cache_control", ["", "a\nb", "ä", 60])
def test_a_cache_control_that_cannot_be_sent(cache_control: Any) -> None:
    assert "cache_control=...): is " in refusal_of(get("/a", allow=anyone, cache_control=cache_control))


def test_a_cache_control_of_a_write() -> None:
    assert "is that of a read" in refusal_of(post("/a", allow=anyone, cache_control="no-store"))


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"rate_limit": 5}, "rate_limit"),
        ({"body_bytes_max": 0}, "body_bytes_max=...): is 0"),
        ({"json_depth_max": -1}, "json_depth_max=...): is -1"),
        ({"headers": {"X": "a\nb"}}, "headers= sets x to"),
        ({"headers": {"Content-Length": "1"}}, "headers= cannot set content-length"),
        ({"cors": "https://shop.example"}, "cors=...): is 'https://shop.example'"),
        ({"raises": [Conflict]}, "raises=...): has Conflict, which is not a problem"),
        ({"raises": [Conflict("a/b", "x")]}, "has the code 'a/b', which cannot stand in the path"),
        ({"raises": [Conflict("not_found", "x")]}, "'not_found' with the status 404 and with 409"),
    ],
)
def test_other_arguments(options: Any, problem: str) -> None:
    assert problem in refusal_of(post("/a", allow=anyone, **options))


def test_a_code_with_two_statuses() -> None:
    text = refusal_of(
        post("/a", allow=anyone, raises=[Conflict("stuck", "One."), NotFound("not_found", "Fine.")]),
        post("/b", allow=anyone, raises=[Forbidden("stuck", "Two.")]),
        get("/c", allow=anyone, status=99),
    )

    assert "Wrong.method1: raises= has the code 'stuck' with the status 409 and with 403" in text
    assert "status=...): is 99" in text


def test_endpoints_that_match_alike_are_named_with_their_lines() -> None:
    said = refusal_of(get("/a/b", allow=anyone), get("/a/b", allow=anyone), post("/c", allow=anyone))

    assert "GET /api/a/b is the path of Wrong.method0 (" in said
    assert said.count(f"{__file__.rpartition('/')[2]}:") >= 2
    assert "method2" not in said


def test_an_endpoint_that_does_not_say_who_may_call() -> None:
    with pytest.raises(ConfigurationError, match=r'@get: does not say who may call\. Write @get\("/a", allow='):
        get("/a")  # type: ignore[call-overload]
    with pytest.raises(ConfigurationError, match=r"@post: does not say who may call"):
        post(refusal_of)  # type: ignore[call-overload]


def test_a_row_that_a_read_locks() -> None:
    class Locking(Controller[Crate]):
        @get("/{crate}/seen", allow=anyone)
        async def seen(self, crate: Locked[Crate]) -> Crate:
            return crate

    with pytest.raises(ConfigurationError) as error:
        App(Resource(Crate, read=anyone, controller=Locking))
    assert "Locking.seen: locks 'crate', and GET requests are READ ONLY. Write @post, or `crate: Crate`." in str(
        error.value
    )


def test_an_object_in_place_of_a_controller() -> None:
    class Reports(Controller):
        pass

    with pytest.raises(ConfigurationError, match=r"an object of Reports is not a controller\. Give it the class"):
        App(Resource(Crate, read=anyone), controllers=[Reports()])  # type: ignore[list-item]


def test_a_controller_of_a_model_that_no_resource_names() -> None:
    class Crates(Controller[Crate]):
        @post("/{crate}/open", allow=anyone)
        async def open(self, crate: Crate) -> None: ...

    class Elsewhere(Crates):
        path = "elsewhere"

    with pytest.raises(ConfigurationError, match=r"Crates: is a controller of Crate, and no resource names it\."):
        App(Resource(Crate, read=anyone), controllers=[Crates])
    App(Resource(Crate, read=anyone), controllers=[Elsewhere])


def test_what_is_wrong_with_answers_is_said_once() -> None:
    class Card(DTO):  # type: ignore[type-arg]
        text: str

    with pytest.raises(ConfigurationError, match="Card is a DTO of no model") as error:
        App(Resource(Crate, read=anyone, answers=Card))
    assert "lists=" not in str(error.value)
