"""What `Mapped[...]` declares is found wherever it stands, or refused."""

from collections.abc import Sequence
from typing import Annotated, Any, Literal

import pytest
from annotated_types import Ge, Len, MaxLen, MinLen, Predicate, doc
from model_things import model
from sqlalchemy import ARRAY, Integer, Text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column
from sqlalchemy.types import TypeDecorator
from typing_extensions import TypeAliasType

from gatepost.errors import ConfigurationError
from gatepost.models.annotations import Annotations
from gatepost.models.entity import entity_of

Tag = Annotated[str, Len(1, 50)]
NamedTag = TypeAliasType("NamedTag", Tag)


class Tags(TypeDecorator[list[str]]):
    impl = ARRAY(Text)
    cache_ok = True


def declared(annotation: Any, kind: Any) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
    """The constraints of the value and of its elements."""
    thing = model(x=(Mapped[annotation], mapped_column(kind)))
    entity_of(thing)
    return Annotations(thing).of("x")


@pytest.mark.parametrize(
    "annotation",
    [
        list[Tag],
        list[Tag] | None,
        Sequence[Tag],
        list[NamedTag],
        list[Tag | None],
        set[Annotated[str, Len(1, 50)]],
    ],
)
def test_constraints_of_elements_are_found(annotation: Any) -> None:
    assert declared(annotation, ARRAY(Text)) == ((), (Len(1, 50),))
    assert declared(annotation, Tags) == ((), (Len(1, 50),))


def test_both_sides_of_a_list_keep_their_own() -> None:
    assert declared(Annotated[list[Tag], MaxLen(3)] | None, ARRAY(Text)) == ((MaxLen(3),), (Len(1, 50),))


def test_a_named_alias_is_looked_into() -> None:
    assert declared(NamedTag, Text) == ((Len(1, 50),), ())
    assert declared(NamedTag | None, Text) == ((Len(1, 50),), ())
    assert declared(Annotated[NamedTag, MinLen(2)], Text) == ((Len(1, 50), MinLen(2)), ())


def test_metadata_of_others_binds_nothing_and_is_refused_nowhere() -> None:
    assert declared(list[Annotated[str, "mine"]], JSONB) == ((), ("mine",))
    assert declared(dict[str, Annotated[int, doc("a number")]], JSONB) == ((), ())
    assert declared(Literal["Tag"], Text) == ((), ())


@pytest.mark.parametrize(
    ("annotation", "kind"),
    [
        (list[Tag], JSONB),
        (Annotated[list[Annotated[int, Ge(0)]], Len(1, 3)], JSONB),
        (dict[str, Annotated[int, Ge(0)]], JSONB),
        (list[list[Tag]], ARRAY(Text)),
        (list[dict[str, Annotated[int, Predicate(bool)]]], ARRAY(JSONB)),
        (tuple[Annotated[int, Ge(0)], str], JSONB),
    ],
)
def test_constraints_that_nobody_could_hold_are_refused(annotation: Any, kind: Any) -> None:
    with pytest.raises(ConfigurationError) as refusal:
        declared(annotation, kind)
    assert refusal.value.location == "Thing.x"
    assert "elements of a list" in str(refusal.value)
    assert "Predicate(function)" in str(refusal.value)


def test_an_annotation_that_only_a_type_checker_can_read_is_refused() -> None:
    thing = model(x=(Mapped[int], mapped_column(Integer)))
    thing.__annotations__["x"] = "Mapped[Annotated[int, Ge(Unheard)]]"
    with pytest.raises(ConfigurationError, match=r"Thing\.x: the annotation cannot be read: name '\w+' is not defined"):
        entity_of(thing)
