"""Hints speak of the application's own classes, and each mistake is told once."""

from enum import Enum
from typing import Annotated, Any

import pytest
from annotated_types import Len
from sqlalchemy.orm import Mapped, relationship

from gatepost import DTO, App, ConfigurationError, Controller, Model, Resource, Service, anyone, computed, count, get


class Mood(Enum):
    CALM = "calm"


class Heron(Model):
    __tablename__ = "own_name_herons"

    title: Mapped[str]


class Pond(Model):
    __tablename__ = "own_name_ponds"

    title: Mapped[str]


def refusal_of(*resources: Any, **given: Any) -> str:
    with pytest.raises(ConfigurationError) as refusal:
        App(*(resources or (Resource(Heron, read=anyone),)), **given)
    return str(refusal.value)


def test_a_member_that_is_inherited_is_told_once() -> None:
    class Card(DTO[Heron]):
        title: int

    class Page(Card):
        id: Any

    said = refusal_of(Resource(Heron, read=anyone, lists=Card, answers=Page))

    assert said.count("Card.title: is declared as int") == 1
    assert "Page.title" not in said


def test_a_place_without_a_parameter_is_of_the_nearest_model() -> None:
    class Wrong(Controller):
        path = "wrong"

        @get("/{pnd}", allow=anyone)
        async def show(self) -> int:
            return 1

    said = refusal_of(Resource(Heron, read=anyone), Resource(Pond, read=anyone), controllers=[Wrong])

    assert "Add `pnd: UUID` (a value), or `pnd: Pond` (a row)" in said


def test_a_service_without_a_class_is_shown_as_it_is_given() -> None:
    said = refusal_of(Resource(Heron, read=anyone, service=Service[Pond]))  # type: ignore[arg-type]

    assert "service=Service[Pond] is not a subclass of Service. Write class Herons(Service[Heron])" in said


def test_a_constraint_that_does_not_fit_an_enum_says_nothing_of_time_zones() -> None:
    class Frog(Model):
        __tablename__ = "own_name_frogs"

        mood: Mapped[Annotated[Mood, Len(1, 3)]]

    said = refusal_of(Resource(Frog, read=anyone, write=anyone))

    assert (
        "does not fit a column whose values are of type Mood. Take it out of Annotated[...], or correct its bound."
        in said
    )


def test_what_is_no_relationship_is_answered_with_one_of_the_model() -> None:
    class Lake(Model):
        __tablename__ = "own_name_lakes"

        title: Mapped[str]
        _ponds: Mapped[list[Pond]] = relationship(primaryjoin="foreign(Pond.title) == Lake.title", viewonly=True)

    with pytest.raises(ConfigurationError, match=r"Write count\(Lake\._ponds\)\."):
        computed(count(Lake.title))


def test_a_condition_and_a_dto_are_hinted_at_by_the_model() -> None:
    assert "where=Heron.column.is_(None)" in refusal_of(Resource(Heron, read=anyone, where=False))  # type: ignore[arg-type]
    assert "`class Card(DTO[Heron])`, and lists=Card." in refusal_of(Resource(Heron, read=anyone, lists=Heron))  # type: ignore[arg-type]
