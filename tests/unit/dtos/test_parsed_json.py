"""JSON that a program reads itself: what it may be read as, and whose names its members have."""

from dataclasses import dataclass
from typing import Annotated

import pytest
from annotated_types import Ge
from msgspec import Struct
from pydantic import BaseModel

from gatepost import (
    App,
    CamelCase,
    ConfigurationError,
    Controller,
    Model,
    Problem,
    RawBody,
    Resource,
    Unprocessable,
    anyone,
    parse_json,
    post,
)
from gatepost.controllers.endpoint_requests import EndpointRequests
from gatepost.dtos.json_values import BOUNDS
from gatepost.epoch import Epoch


class ParsedParcel(Model):
    __tablename__ = "parsed_parcels"


class Line(Struct, rename="camel"):
    item_count: Annotated[int, Ge(1)]


@dataclass
class Point:
    x: int


class Reading(BaseModel):
    at: int


@pytest.mark.parametrize(
    ("content", "kind", "value"),
    [
        (b'{"itemCount": 2}', Line, Line(2)),
        (b'[{"itemCount": 2}]', list[Line], [Line(2)]),
        (b'{"x": 1}', Point, Point(1)),
        (b'{"at": 1}', Reading, Reading(at=1)),
        (b'{"a": 1}', dict[str, int], {"a": 1}),
    ],
)
def test_json_becomes_the_class(content: bytes, kind: type, value: object) -> None:
    assert parse_json(content, kind) == value


def test_pointers_have_the_names_that_the_class_gives() -> None:
    with pytest.raises(Unprocessable) as refusal:
        parse_json(b'{"itemCount": 0}', Line)

    assert [error.pointer for error in refusal.value.errors] == ["/itemCount"]
    assert refusal.value.status == 422


def test_a_dialect_renames_nothing_in_it() -> None:
    class Hooks(Controller):
        path = "hooks"

        @post("/a", allow=anyone)
        async def take(self, body: Annotated[bytes, RawBody(100)]) -> None: ...

    (bound,) = App(
        Resource(ParsedParcel, read=anyone), controllers=[Hooks], dialect=CamelCase()
    ).declaration.own.endpoints
    requests = EndpointRequests(bound, None, BOUNDS, None, str.upper, Epoch())
    with pytest.raises(Unprocessable) as refusal:
        parse_json(b'{"itemCount": 0}', Line)

    assert requests.located(refusal.value) is refusal.value
    assert requests.located(Unprocessable("a", "b", errors=refusal.value.errors)).errors[0].pointer == "/ITEMCOUNT"


def test_what_is_no_text_is_refused() -> None:
    with pytest.raises(Problem, match="malformed_json"):
        parse_json(b"\xff\xfe", Line)


def test_a_class_that_no_json_can_hold_is_a_mistake_of_the_program() -> None:
    class Unreadable(Struct):
        when: type

    with pytest.raises(ConfigurationError, match="parse_json"):
        parse_json(b"{}", Unreadable)
