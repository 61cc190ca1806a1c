"""Arguments of a resource that can have no effect are refused when the app is built."""

from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import ForeignKey, MetaData
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

from gatepost import (
    CORS,
    App,
    Conflict,
    Field,
    RateLimit,
    Resource,
    anyone,
    authenticated,
    hidden,
    minutes,
    nobody,
    owner,
    policy,
    role,
)
from gatepost.errors import ConfigurationError


class Base(DeclarativeBase):
    metadata = MetaData()


class Shelf(Base):
    __tablename__ = "shelves"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(default="")


class Jar(Base):
    __tablename__ = "jars"

    id: Mapped[int] = mapped_column(primary_key=True)
    label: Mapped[str] = mapped_column(default="")
    keeper_id: Mapped[UUID | None]
    shelf_id: Mapped[int] = mapped_column(ForeignKey("shelves.id"))
    shelf: Mapped[Shelf] = relationship()


by_label = policy(lambda jar, actor: jar.label == "open")
LIMIT = RateLimit(1, per=minutes(1))
FULL = Conflict("full", "The jar is full.")


def problems_of(*resources: Resource[Any]) -> list[str]:
    """The places and the sentences of what an app is refused for."""
    with pytest.raises(ConfigurationError) as refusal:
        App(*resources)
    mistakes = refusal.value.mistakes or (refusal.value,)
    assert all(mistake.source is not None and "test_effects.py:" in mistake.source for mistake in mistakes)
    return [f"{mistake.location}: {mistake.message}" for mistake in mistakes]


@pytest.mark.parametrize("argument", ["sort", "filter", "search"])
@pytest.mark.parametrize(
    ("field", "words"),
    [
        (hidden, "the field is hidden"),
        (Field(read=nobody, write=anyone), "the field is hidden"),
        (
            Field(read=owner("keeper_id"), write=nobody),
            "the field is shown to owner('keeper_id') alone, which depends on",
        ),
        (Field(read=by_label, write=nobody), "alone, which depends on the row"),
        (Field(read=by_label & role("clerk"), write=nobody), "alone, which depends on the row"),
    ],
)
def test_a_field_that_nobody_sees_on_every_row_is_not_searched_by(argument: str, field: Field, words: str) -> None:
    options: dict[str, Any] = {argument: ["label"], "fields": {"label": field}}
    [problem] = problems_of(Resource(Jar, read=anyone, **options))
    assert problem.startswith(f"Resource(Jar, {argument}=...): names 'label' without an effect: ")
    assert words in problem


@pytest.mark.parametrize(
    "read", [anyone, authenticated, role("clerk"), role("clerk") | by_label, role("clerk") & ~role("guest"), ~role("a")]
)
def test_a_field_that_somebody_sees_on_every_row_is(read: Any) -> None:
    App(Resource(Jar, read=anyone, sort=["label"], fields={"label": Field(read=read, write=nobody)}))


@pytest.mark.parametrize(
    ("options", "argument", "words"),
    [
        ({"get": anyone, "sort": ["label"]}, "sort", "nobody may list the rows"),
        ({"get": anyone, "filter": ["label"]}, "filter", "nobody may list the rows"),
        ({"write": anyone, "search": ["label"]}, "search", "nobody may list the rows"),
        ({"read": anyone, "body_bytes_max": 5}, "body_bytes_max", "nobody may send a body"),
        ({"read": anyone, "delete": anyone, "json_depth_max": 5}, "json_depth_max", "nobody may send a body"),
        ({"read": anyone, "json_items_max": 5}, "json_items_max", "nobody may send a body"),
        ({"read": anyone, "create": anyone, "require_if_match": True}, "require_if_match", "nobody may change a row"),
        ({"read": anyone, "rate_limit": {"create": LIMIT}}, "rate_limit", "on create: nobody may do it"),
        ({"rate_limit": LIMIT}, "rate_limit", "opens nothing"),
        ({"read": anyone, "raises": {"create": [FULL]}}, "raises", "on create: nobody may do it"),
        ({"headers": {"x-shop": "1"}}, "headers", "opens nothing"),
        ({"cors": CORS("https://shop.example")}, "cors", "opens nothing"),
        ({"path": "pots"}, "path", "opens nothing"),
    ],
)
def test_an_argument_without_an_effect_is_refused(options: dict[str, Any], argument: str, words: str) -> None:
    [problem] = problems_of(Resource(Jar, **options))
    assert problem.startswith(f"Resource(Jar, {argument}=...): has no effect")
    assert words in problem


def test_what_other_resources_filter_over_has_an_effect() -> None:
    shelves = Resource(Shelf, get=anyone, filter=["name"])
    App(shelves, Resource(Jar, read=anyone))
    assert problems_of(Resource(Shelf, get=anyone, filter=["name"])) == [
        "Resource(Shelf, filter=...): has no effect: nobody may list the rows."
    ]


def test_a_resource_that_opens_nothing_is_for_services() -> None:
    App(Resource(Jar, fields={"label": hidden}), Resource(Shelf, read=anyone))


def test_what_a_broken_policy_would_have_opened_is_not_refused_as_well() -> None:
    anybody: Any = "anyone"
    assert problems_of(Resource(Jar, read=anybody, sort=["label"], rate_limit={"list": LIMIT})) == [
        "Resource(Jar, read=...): 'anyone' is not a policy."
    ]
