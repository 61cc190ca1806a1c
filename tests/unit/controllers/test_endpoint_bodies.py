"""Bodies that no request can have are mistakes, all of which one run reports with their lines."""

from collections import deque
from dataclasses import dataclass
from typing import Annotated, Any

import msgspec
import pytest
from annotated_types import Ge
from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column, relationship

from gatepost import (
    DTO,
    App,
    ConfigurationError,
    Controller,
    Model,
    Partial,
    Query,
    RawBody,
    Resource,
    anyone,
    computed,
    count,
    get,
    post,
)


class Wall(Model):
    __tablename__ = "unit_body_walls"

    name: Mapped[str]
    bricks: Mapped[list["Brick"]] = relationship(back_populates="wall")


class Brick(Model):
    __tablename__ = "unit_body_bricks"

    color: Mapped[str]
    size: Mapped[int]
    wall_id: Mapped[Any] = mapped_column(ForeignKey("unit_body_walls.id"), index=True)
    wall: Mapped[Wall] = relationship(back_populates="bricks")


class WallBody(DTO[Wall]):
    name: str
    bricks_count: int = computed(count(Wall.bricks))


class WallCard(DTO[Wall]):
    name: str


class BrickBody(DTO[Brick]):
    color: Annotated[str, Ge(1)]
    wall: WallCard
    version: int
    colour: str


class BrickNames(DTO[Brick]):
    color: str


class Line(msgspec.Struct):
    text: str


@dataclass
class First:
    x: int


@dataclass
class Second:
    y: int


class Nested(msgspec.Struct):
    lines: list[Line]


class Hidden(msgspec.Struct):
    marks: deque[Annotated[int, Ge(1)]]


class Desk(Controller):
    path = "desk"

    @post("/two", allow=anyone)
    async def two(self, first: First, second: Second, third: Annotated[str, RawBody(1)]) -> None: ...

    @get("/read", allow=anyone)
    async def read(self, body: Line) -> None: ...

    @post("/untagged", allow=anyone)
    async def untagged(self, body: First | Second) -> None: ...

    @post("/hidden", allow=anyone)
    async def hidden(self, body: Hidden) -> None: ...

    @post("/part", allow=anyone)
    async def part(self, body: Partial[Line]) -> None: ...  # type: ignore[type-var]

    @post("/raw", allow=anyone)
    async def raw(self, body: Annotated[str, RawBody(10)]) -> None: ...

    @post("/unbounded", allow=anyone)
    async def unbounded(self, body: Annotated[bytes, RawBody]) -> None: ...

    @get("/search", allow=anyone)
    async def search(self, search: Annotated[Nested, Query]) -> None: ...

    @get("/twice", allow=anyone)
    async def twice(self, search: Annotated[Line, Query], text: str) -> None: ...

    @get("/scalar", allow=anyone)
    async def scalar(self, search: Annotated[int, Query]) -> None: ...

    @post("/body", allow=anyone)
    async def body(self, body: BrickBody) -> None: ...


EXPECTED = [
    "Desk.two: takes two bodies, 'first' and 'second'.",
    "Desk.two: takes 'third', which is not the bytes of a body with a bound.",
    "Desk.read: takes a body ('body'), and GET requests have none.",
    "Desk.untagged(body): has First | Second, whose documents nothing tells apart.",
    "Desk.hidden(body): has a member of type collections.deque",
    "Desk.part: takes 'body', which is not a Partial of a DTO.",
    "Desk.raw: takes 'body', which is not the bytes of a body with a bound.",
    "Desk.unbounded: takes 'body', which is not the bytes of a body with a bound.",
    "Desk.search(search).lines: is of type",
    "Desk.twice: takes the query parameter 'text' twice.",
    "Desk.scalar(search): int has no members that could be query parameters.",
    "BrickBody.color: Ge(ge=1) does not fit",
    "BrickBody.wall: is a relation, and a body holds columns.",
    "BrickBody.version: Brick.version is kept by the server, and no body can set it.",
    "BrickBody.colour: Brick has no attribute 'colour'. Did you mean 'color'?",
    "WallBody.bricks_count: is not a column, and a body holds columns.",
    "Resource(Brick, updates=...): WallBody is a DTO of Wall.",
    "is required, and the DTO of creates= has no member 'size'.",
]


@pytest.fixture(scope="module")
def mistakes() -> list[str]:
    """What a declaration full of mistakes is refused with."""
    with pytest.raises(ConfigurationError) as caught:
        App(
            Resource(Wall, read=anyone, write=anyone, creates=WallBody),
            Resource(Brick, read=anyone, write=anyone, creates=BrickNames, updates=WallBody),  # type: ignore[arg-type]
            controllers=[Desk],
        )
    return [str(mistake) for mistake in caught.value.mistakes]


@pytest.mark.parametrize("words", EXPECTED)
def test_a_mistake_is_found_with_its_line(mistakes: list[str], words: str) -> None:
    found = [mistake for mistake in mistakes if words in mistake]

    assert found, "\n".join(mistakes)
    assert all("test_endpoint_bodies.py:" in mistake for mistake in found)


def test_an_argument_that_is_no_dto_is_a_mistake() -> None:
    with pytest.raises(ConfigurationError, match=r"creates=.*Line"):
        App(Resource(Wall, read=anyone, write=anyone, creates=Line))  # type: ignore[type-var]


def test_a_dto_makes_a_row_without_an_app() -> None:
    body = BrickNames(color="red")

    assert body.row(size=3).size == 3
    assert body.color == "red"
    with pytest.raises(AttributeError, match=r"BrickNames\.color was not sent"):
        BrickNames().color  # noqa: B018 - the access is what is tested
