"""Return annotations of endpoints: what could not be rendered is refused when the app is built."""

from collections.abc import AsyncIterator, Awaitable, Callable, Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from enum import Enum
from typing import Annotated, Any, Literal, NamedTuple, Never, NewType, TypedDict
from uuid import UUID

import pytest
from msgspec import Struct
from pydantic import BaseModel
from sqlalchemy import Select
from sqlalchemy.orm import DeclarativeBase, Mapped, MappedAsDataclass, mapped_column

from gatepost import (
    DTO,
    Actor,
    App,
    Call,
    Changes,
    ConfigurationError,
    Controller,
    Created,
    Model,
    Partial,
    Resource,
    Response,
    Service,
    anyone,
    get,
)


class Ream(Model):
    __tablename__ = "returned_mistake_reams"

    title: Mapped[str]


class Stack(Model):
    __tablename__ = "returned_mistake_stacks"

    title: Mapped[str]


class DataBase(MappedAsDataclass, DeclarativeBase):
    pass


class Unserved(DataBase):
    __tablename__ = "returned_mistake_unserved"

    id: Mapped[int] = mapped_column(primary_key=True)


class ReamCard(DTO[Ream]):
    title: str


class HoldsRow(Struct):
    inner: list[Ream]


@dataclass
class HoldsHolder:
    holder: HoldsRow | None = None


class HoldsTyped(TypedDict):
    card: ReamCard


class HoldsPlaces(NamedTuple):
    row: Ream


class Node(Struct):
    children: "list[Node]" = []


class Unreadable(Struct):
    value: "Missing"  # type: ignore[name-defined]  # noqa: F821


class Colour(Enum):
    RED = "red"


class Sized(BaseModel):
    size: int


class Plain:
    pass


Title = NewType("Title", str)


def app_of(annotation: Any, **options: Any) -> App:
    """An app with an endpoint that returns this."""

    async def method(self: Any) -> Any: ...

    method.__annotations__["return"] = annotation
    decorate: Any = get
    endpoint = decorate("/a", allow=anyone, **options)(method)
    controller = type("Wrong", (Controller,), {"path": "things", "__module__": __name__, "method": endpoint})
    return App(Resource(Ream, read=anyone), Resource(Stack, read=anyone), controllers=[controller])


@pytest.mark.parametrize(
    ("annotation", "words"),
    [
        (dict[str, Ream], "method: returns rows of Ream inside of other data"),
        (set[Ream], "returns rows of Ream inside of other data"),
        (tuple[Ream, Ream], "returns rows of Ream inside of other data"),
        (list[list[Ream]], "returns rows of Ream inside of other data"),
        (dict[str, Unserved], "returns rows of Unserved inside of other data"),
        (HoldsRow, "HoldsRow.inner: returns rows of Ream inside of other data"),
        (HoldsHolder, "HoldsRow.inner: returns rows of Ream inside of other data"),
        (HoldsTyped, "HoldsTyped.card: returns ReamCard"),
        (HoldsPlaces, "HoldsPlaces.row: returns rows of Ream"),
        (Ream | Stack, "returns rows of several models: Ream, Stack"),
        (list[Ream] | list[Stack], "returns rows of several models: Ream, Stack"),
        (Ream | int, "returns rows of Ream or other data"),
        (Ream | dict[str, Any] | None, "returns rows of Ream or other data"),
        (ReamCard, "returns ReamCard, and what makes it is a row"),
        (list[ReamCard], "returns ReamCard, and what makes it is a row"),
        (Partial[ReamCard], "returns Partial, which has no form in JSON"),
        (Created[int], "returns Created of what is not a row"),
        (Created[ReamCard], "returns Created of what is not a row"),
        (Created, "returns Created of what is not a row"),
        (list[Created[Ream]], "returns Created of what is not a row"),
        (list[Response], "returns Response inside of other data"),
        (list[Select[Any]], "returns Select inside of other data"),
        (AsyncIterator[int], "returns AsyncIterator, which is the source of a stream"),
        (Generator[int], "returns Generator, which has no form in JSON"),
        (Iterable[int], "returns Iterable, which has no form in JSON"),
        (Awaitable[int], "returns Awaitable, which has no form in JSON"),
        (Callable[[], int], "returns Callable, which has no form in JSON"),
        (Service[Ream], "returns Service, which has no form in JSON"),
        (Changes[Ream], "returns Changes, which has no form in JSON"),
        (Actor, "returns Actor, which has no form in JSON"),
        (Call, "returns Call, which is the request"),
        (Plain, "returns Plain, which has no form in JSON"),
        (complex, "returns complex, which has no form in JSON"),
        (list[range], "returns range, which has no form in JSON"),
        (type, "returns type, which has no form in JSON"),
        (dict[tuple[int, int], str], "whose keys are of type tuple"),
        (dict[bool, str], "whose keys are of type bool"),
        (Unreadable, "returns Unreadable, whose annotations cannot be read"),
    ],
)
def test_what_cannot_be_rendered(annotation: Any, words: str) -> None:
    with pytest.raises(ConfigurationError, match=r"test_returned_mistakes\.py:\d+: Wrong\.method") as error:
        app_of(annotation)

    assert words in str(error.value)


@pytest.mark.parametrize(
    "annotation",
    [
        Ream | None,
        Annotated[Ream, "one"],
        list[Ream] | None,
        tuple[Ream, ...],
        Sequence[Annotated[Ream, "each"]],
        Created[Ream] | Ream,
        Ream | Response,
    ],
)
def test_rows(annotation: Any) -> None:
    (bound,) = app_of(annotation).declaration.own.endpoints

    assert bound.returned.served is not None
    assert bound.returned.served.entity.model is Ream


@pytest.mark.parametrize(
    "annotation",
    [
        None,
        Never,
        Any,
        object,
        Response,
        Response | int | None,
        bytes,
        Decimal,
        Title,
        Colour,
        Literal["a", 1],
        list,
        dict,
        list[Any],
        set[UUID],
        frozenset[int],
        Mapping[date, list[Colour | None]],
        dict[int | str, tuple[int, str]],
        Node,
        Sized,
        list[Sized] | dict[str, Node],
    ],
)
def test_what_is_no_row(annotation: Any) -> None:
    (bound,) = app_of(annotation).declaration.own.endpoints

    assert bound.returned.served is None


class Selects(Controller):
    path = "selects"

    @get("/row-and-column", allow=anyone)
    async def row_and_column(self) -> Select[Ream, str]: ...  # type: ignore[type-arg, empty-body]

    @get("/rows", allow=anyone)
    async def rows(self) -> Select[tuple[Ream, Stack]]: ...  # type: ignore[empty-body]

    @get("/missing", allow=anyone)
    async def missing(self) -> "Select[Ream.Missing]": ...  # type: ignore[name-defined, empty-body]


def test_what_a_select_cannot_give() -> None:
    with pytest.raises(ConfigurationError) as error:
        App(Resource(Ream, read=anyone), controllers=[Selects])

    words = str(error.value)
    assert "Selects.row_and_column: returns rows of Ream inside of other data" in words
    assert "Selects.rows: returns rows of Ream inside of other data" in words
    assert "Selects.missing: has annotations that cannot be read" in words


@pytest.mark.parametrize("option", [{"filters": True}, {"paging": False}])
@pytest.mark.parametrize("annotation", [int, Ream, list[Ream], None])
def test_what_is_about_the_rows_of_a_select(option: Any, annotation: Any) -> None:
    with pytest.raises(ConfigurationError, match="which is about the rows of a Select"):
        app_of(annotation, **option)
