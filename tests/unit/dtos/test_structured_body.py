"""Bodies that are instances of classes: what is taken, exactly, and what only the strict reader can tell."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated, Any, Generic, NamedTuple, NewType, TypeVar

import msgspec
import pytest
from annotated_types import Ge, Len
from pydantic import model_validator
from pydantic.dataclasses import dataclass as pydantic_dataclass

from gatepost.dtos.json_values import Bounds
from gatepost.dtos.structured_body import compile_structured_body, is_structure
from gatepost.errors import BadRequest, Unprocessable

T = TypeVar("T")
Code = NewType("Code", Annotated[str, Len(2, 2)])  # type: ignore[valid-newtype]  # pyright: ignore


class Point(NamedTuple):
    x: Annotated[int, Ge(0)]
    y: int = 7


class Box(msgspec.Struct, Generic[T]):
    item: T


@dataclass
class Pair(Generic[T]):
    left: T
    right: list[T]


@pydantic_dataclass
class Range:
    first: Annotated[int, Ge(1)]
    last: int

    @model_validator(mode="after")
    def is_ordered(self) -> "Range":
        if self.last < self.first:
            raise ValueError("The last comes before the first.")
        return self


class Note(msgspec.Struct, rename="camel"):
    text: str = ""
    free_form: Any = None
    amount: Decimal = Decimal(0)
    code: Code | None = None
    point: Point | None = None
    box: Box[Annotated[int, Ge(1)]] | None = None
    pair: Pair[Annotated[str, Len(1, 2)]] | None = None
    tags: frozenset[str] = frozenset()
    range: Range | None = None


read = compile_structured_body(Note, "test(body)", Bounds(depth=4, items=3, number_characters=2_000))


def refusal(body: bytes) -> list[tuple[str, str]]:
    with pytest.raises(Unprocessable) as caught:
        read(body)
    return [(error.pointer, error.code) for error in caught.value.errors]


@pytest.mark.parametrize(
    ("body", "note"),
    [
        (b"{}", Note()),
        (b'{"text": "a:b\\":\\u003a", "freeForm": {"a:": ":"}}', Note('a:b"::', {"a:": ":"})),
        (b'{"amount": 0.1000000000000000000000001}', Note(amount=Decimal("0.1000000000000000000000001"))),
        (
            b'{"amount": "1e2", "freeForm": 12345678901234567890123}',
            Note(free_form=12345678901234567890123, amount=Decimal(100)),
        ),
        (b'{"code": "ab", "point": [1]}', Note(code=Code("ab"), point=Point(1))),
        (b'{"box": {"item": 1}, "tags": ["a", "a"]}', Note(box=Box(1), tags=frozenset("a"))),
        (b'{"pair": {"left": "a", "right": ["bc"]}}', Note(pair=Pair("a", ["bc"]))),
    ],
)
def test_a_good_body_is_an_instance(body: bytes, note: Note) -> None:
    assert read(body) == note


@pytest.mark.parametrize(
    ("body", "errors"),
    [
        (b'{"free_form": 1}', [("/free_form", "unknown_field")]),
        (b'{"code": "abc", "point": [-1, "y", 3]}', [("/code", "too_long"), ("/point", "too_long")]),
        (
            b'{"box": {"item": 0}, "pair": {"left": "", "right": ["abc"]}}',
            [("/box/item", "too_small"), ("/pair/left", "too_short"), ("/pair/right/0", "too_long")],
        ),
        (b'{"freeForm": [1, 2, 3, 4], "text": 1}', [("/freeForm", "too_long"), ("/text", "wrong_type")]),
        (b'{"freeForm": [[[[1]]]], "text": "\\u0000"}', [("/freeForm/0/0/0", "too_deep"), ("/text", "invalid_text")]),
        (b'{"freeForm": {"\\u0000": "\\u0000"}}', [("/freeForm", "invalid_text")]),
        (b'{"tags": ["a", "\\u0000", 1]}', [("/tags/1", "invalid_text"), ("/tags/2", "wrong_type")]),
        (b'{"range": {"first": 0, "last": 1}}', [("/range/first", "too_small")]),
        (b'{"range": {"first": 2, "last": 1, "lst": 1}}', [("/range/lst", "unknown_field")]),
        (b'{"range": {"first": 2, "last": 1}}', [("/range", "invalid_value")]),
        (b"[]", [("", "wrong_type")]),
        (b"null", [("", "wrong_type")]),
    ],
)
def test_every_violation_is_named(body: bytes, errors: list[tuple[str, str]]) -> None:
    assert refusal(body) == errors


@pytest.mark.parametrize(
    "body",
    [
        b'{"text": "a", "text": "b"}',
        b'{"freeForm": {"a": 1, "a": 2}}',
        b'{"text": "a"',
        b'{"amount": NaN}',
        b'{"text": "\\ud800"}',
        b"",
        b"[" * 100_000,
    ],
)
def test_what_is_not_strict_json_is_malformed(body: bytes) -> None:
    with pytest.raises((BadRequest, Unprocessable)) as caught:
        read(body)

    assert not isinstance(caught.value, Unprocessable) or caught.value.errors


def test_the_violations_of_a_hostile_body_are_bounded() -> None:
    body = msgspec.json.encode({f"x{index}": None for index in range(5_000)})

    assert len(refusal(body)) == 100


def test_classes_and_their_unions_are_bodies() -> None:
    assert is_structure(Note)
    assert is_structure(Box[int])
    assert is_structure(Note | None)
    assert not is_structure(int)
    assert not is_structure(Note | int)
    assert not is_structure(None | int)
