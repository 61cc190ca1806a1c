"""Pydantic models that are read by other names than they are written by: what is known, and what would be dropped."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

import msgspec
import pytest
from pydantic import AliasChoices, AliasPath, BaseModel, ConfigDict, Field, RootModel, model_validator
from typing_extensions import TypedDict

from gatepost import CamelCase
from gatepost.declaring.wire_names import WireName
from gatepost.dtos.json_values import BOUNDS
from gatepost.dtos.parameter_values import parameters_of_class
from gatepost.dtos.structured_body import compile_structured_body
from gatepost.errors import Unprocessable

KEY = "0198D9A0-5C5E-7000-8000-00000000000A"


class Part(BaseModel):
    number: int = Field(0, alias="No")


class ByName(BaseModel):
    model_config = ConfigDict(populate_by_name=True)

    first_name: str = Field(alias="firstName")
    part: Part | None = None


class Chosen(BaseModel):
    size: int = Field(0, validation_alias=AliasChoices("size", "Size", AliasPath("box", "size")))
    parts: list[Part] = []


class Written(BaseModel):
    name: str = Field("", serialization_alias="NAME")
    password: str = Field("", exclude=True)


@dataclass
class Place:
    row: int = 0


class Keyed(TypedDict):
    row: int


class Holder(BaseModel):
    parts: dict[UUID, Part] = {}
    place: Place | None = None
    keyed: Keyed | None = None
    both: tuple[int, Part] | None = None


class Loose(BaseModel):
    model_config = ConfigDict(extra="ignore")

    part: Part | None = None


class Outer(BaseModel):
    loose: Loose


class Parts(RootModel[list[Part]]):
    pass


class Former(BaseModel):
    name: str

    @model_validator(mode="before")
    @classmethod
    def had_another_name(cls, document: Any) -> Any:
        return {"name": document.pop("title"), **document} if "title" in document else document


class Search(BaseModel):
    start: int = Field(0, validation_alias=AliasChoices("from", "start"))
    page: int = 0
    order: str = Field("", alias="sort")


def read(kind: Any, document: Any, wire_name: WireName = str) -> Any:
    """The instance of a body."""
    return compile_structured_body(kind, "Body", BOUNDS, wire_name)(msgspec.json.encode(document))


KNOWN: list[tuple[Any, Any]] = [
    (ByName, {"firstName": "x"}),
    (ByName, {"first_name": "x", "part": {"No": 1}}),
    (Chosen, {"Size": 1, "parts": [{"No": 1}]}),
    (Chosen, {"box": {"size": 1}}),
    (Written, {"name": "x", "password": "y"}),
    (Holder, {"parts": {KEY: {"No": 1}}, "place": {"row": 1}, "keyed": {"row": 1}, "both": [1, {"No": 1}]}),
    (Loose, {"part": {"No": 1}, "other": 1}),
    (Outer, {"loose": {"other": 1}}),
    (Parts, [{"No": 1}]),
]


@pytest.mark.parametrize(("kind", "document"), KNOWN)
@pytest.mark.parametrize("wire_name", [str, CamelCase().names])
def test_a_member_is_known_by_every_name_that_pydantic_reads(kind: Any, document: Any, wire_name: WireName) -> None:
    # As texts: pydantic compares which members were set as well.
    assert str(read(kind, document, wire_name)) == str(kind.model_validate_json(msgspec.json.encode(document)))


def test_a_validator_may_read_other_names() -> None:
    assert read(Former, {"title": "x"}) == Former(name="x")


def test_a_query_parameter_is_called_by_the_first_alias() -> None:
    assert [member.key for member in parameters_of_class(Search, "Search")] == ["from", "page", "sort"]


DROPPED: list[tuple[Any, Any, list[str]]] = [
    (ByName, {"firstName": "x", "FirstName": "x"}, ["/FirstName"]),
    (Chosen, {"SIZE": 1}, ["/SIZE"]),
    (Chosen, {"parts": [{"No": 1}, {"number": 1}]}, ["/parts/1/number"]),
    (Written, {"NAME": "x"}, ["/NAME"]),
    (Holder, {"parts": {KEY: {"x": 1}}, "both": [1, {"x": 1}]}, ["/both/1/x", f"/parts/{KEY}/x"]),
    (Holder, {"place": {"row": 1, "x": 1}, "keyed": {"row": 1, "x": 1}}, ["/keyed/x", "/place/x"]),
    (Loose, {"part": {"x": 1}, "other": 1}, ["/part/x"]),
    (Parts, [{"No": 1}, {"x": 1}], ["/1/x"]),
    (Former, {"title": "x", "other": 1}, ["/other"]),
]


@pytest.mark.parametrize(("kind", "document", "pointers"), DROPPED)
def test_what_pydantic_would_drop_is_refused_at_every_depth(kind: Any, document: Any, pointers: list[str]) -> None:
    with pytest.raises(Unprocessable) as error:
        read(kind, document)

    assert [(item.pointer, item.code) for item in error.value.errors] == [(item, "unknown_field") for item in pointers]
