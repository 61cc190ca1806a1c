"""Documents of pydantic models in a dialect that renames: which names are read, and which are written."""

from dataclasses import dataclass
from typing import Any

import msgspec
import pytest
from pydantic import AliasChoices, BaseModel, ConfigDict, Field, RootModel
from typing_extensions import TypedDict

from gatepost import CamelCase
from gatepost.controllers.plain_values import value_encoder
from gatepost.dtos.json_values import BOUNDS
from gatepost.dtos.structured_body import compile_structured_body
from gatepost.errors import Unprocessable

NAMES = CamelCase().names


class Inner(BaseModel):
    some_name: int = 1


class Open(BaseModel):
    model_config = ConfigDict(extra="allow")
    some_name: int
    inner_part: Inner = Inner()


class Loose(BaseModel):
    model_config = ConfigDict(extra="ignore")
    some_name: int


class Aliased(BaseModel):
    some_name: int = Field(alias="n-a-m-e")
    inner_part: Inner = Inner()


class Choosing(BaseModel):
    some_name: int = Field(validation_alias=AliasChoices("first_name", "second"))


class Rooted(RootModel[list[Inner]]):
    pass


class Tree(BaseModel):
    some_name: int = 0
    sub_trees: "list[Tree]" = []


@dataclass
class Pair:
    left_side: Inner


class Data(TypedDict):
    some_key: Inner


class Mixed(BaseModel):
    either_one: Inner | list[Inner] | None = None
    two_places: tuple[int, Inner] = (1, Inner())
    the_pair: Pair = Field(default_factory=lambda: Pair(Inner()))
    the_data: Data = Field(default_factory=lambda: Data(some_key=Inner()))


def read(kind: Any, document: Any) -> Any:
    """The instance of a body."""
    return compile_structured_body(kind, "Body", BOUNDS, NAMES)(msgspec.json.encode(document))


def written(value: Any) -> Any:
    """What a client sees of a value."""
    return msgspec.json.decode(value_encoder(NAMES)(value))


BOTH_WAYS: list[tuple[Any, Any, Any]] = [
    (Open, {"someName": 1, "innerPart": {"someName": 2}, "other_key": {"deep_key": 1}}, None),
    (Aliased, {"n-a-m-e": 1, "inner_part": {"someName": 2}}, None),
    (Tree, {"someName": 1, "subTrees": [{"someName": 2, "subTrees": []}]}, None),
    (Rooted, [{"someName": 3}], None),
    (Loose, {"someName": 1, "other": 2}, {"someName": 1}),
    (
        Mixed,
        {
            "eitherOne": [{"someName": 2}],
            "twoPlaces": [1, {"someName": 2}],
            "thePair": {"leftSide": {"someName": 2}},
            "theData": {"some_key": {"someName": 2}},
        },
        None,
    ),
]


@pytest.mark.parametrize(("kind", "document", "shown"), BOTH_WAYS)
def test_names_both_ways(kind: Any, document: Any, shown: Any) -> None:
    assert written(read(kind, document)) == (document if shown is None else shown)


REFUSED: list[tuple[Any, Any, list[str]]] = [
    (Inner, {"some_name": 1}, ["/some_name"]),
    (Open, {"some_name": 1}, ["/someName", "/some_name"]),
    (Loose, {"some_name": 1}, ["/someName", "/some_name"]),
    (Tree, {"subTrees": [{"sub_trees": []}, {"someName": "x"}]}, ["/subTrees/0/sub_trees", "/subTrees/1/someName"]),
    (Rooted, [{"someName": "x"}, {"x": 1}], ["/0/someName", "/1/x"]),
    (Aliased, {"some_name": 1}, ["/n-a-m-e", "/some_name"]),
]


@pytest.mark.parametrize(("kind", "document", "pointers"), REFUSED)
def test_pointers_have_the_names_that_were_sent(kind: Any, document: Any, pointers: list[str]) -> None:
    with pytest.raises(Unprocessable) as error:
        read(kind, document)

    assert [each.pointer for each in error.value.errors] == pointers


def test_a_class_that_is_read_from_several_places_says_all_of_its_names() -> None:
    assert written(Choosing(first_name=2)) == {"some_name": 2}  # type: ignore[call-arg]
