"""Mistakes in a declaration are refused when the app is built, each with the place and the cure."""

from typing import Annotated, Any

import pytest
from annotated_types import Len
from sqlalchemy import ARRAY, ForeignKey, Integer, MetaData
from sqlalchemy.dialects.postgresql import TSVECTOR
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from gatepost import App, Resource, Service, anyone, hidden, read_only, role
from gatepost.errors import ConfigurationError


class Base(DeclarativeBase):
    metadata = MetaData()


class Thing(Base):
    __tablename__ = "things"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]


class Things(Service[Thing]):
    pass


def refusal_of(*resources: Resource[Any], **options: Any) -> str:
    """The sentence that refuses the app."""
    with pytest.raises(ConfigurationError) as refusal:
        App(*resources, **options)
    return str(refusal.value)


@pytest.mark.parametrize("isolation", ["serialisable", "SERIALIZABLE", "", None, 3])
def test_an_unknown_isolation_level_is_refused(isolation: Any) -> None:
    service = type("Careful", (Things,), {"isolation": isolation})
    sentence = refusal_of(Resource(Thing, read=anyone, service=service))
    assert sentence == (
        f"Careful.isolation: {isolation!r} is no isolation level of PostgreSQL's. "
        "Choose 'read committed', 'repeatable read' or 'serializable'."
    )


@pytest.mark.parametrize("attempts", [0, -1, 1.5, "3", True, None])
def test_attempts_that_are_no_number_of_attempts_are_refused(attempts: Any) -> None:
    service = type("Careful", (Things,), {"attempts": attempts})
    sentence = refusal_of(Resource(Thing, read=anyone, service=service))
    assert sentence == f"Careful.attempts: {attempts!r} is no number of attempts. Write 1 (try once) or more."


@pytest.mark.parametrize("isolation", ["read committed", "repeatable read", "serializable"])
def test_isolation_levels_and_attempts_that_are_right_are_taken(isolation: str) -> None:
    service = type("Careful", (Things,), {"isolation": isolation, "attempts": 3})
    assert App(Resource(Thing, read=anyone, service=service)).declaration.services == {Thing: service}


def test_a_foreign_key_that_leads_nowhere_is_refused() -> None:
    class Other(DeclarativeBase):
        metadata = MetaData()

    class Lost(Other):
        __tablename__ = "lost"
        id: Mapped[int] = mapped_column(primary_key=True)
        gone_id: Mapped[int] = mapped_column(ForeignKey("gone.id"))

    sentence = refusal_of(Resource(Lost, read=anyone))
    assert sentence.startswith("Lost.gone_id: has a foreign key that leads nowhere: ")
    assert "'gone'" in sentence


class Odd(Base):
    """Columns that no body can hold."""

    __tablename__ = "odd"

    id: Mapped[int] = mapped_column(primary_key=True)
    misfit: Mapped[Annotated[int, Len(1, 2)]] = mapped_column(default=1)
    grid: Mapped[list[Any]] = mapped_column(ARRAY(Integer, dimensions=2), default=list)
    search: Mapped[Any] = mapped_column(TSVECTOR, nullable=True)


ODD = {"misfit": "Len", "grid": "an array of 2 dimensions", "search": "TSVECTOR"}


@pytest.mark.parametrize("name", ODD)
@pytest.mark.parametrize("write", [{"write": anyone}, {"create": anyone}, {"update": role("editor")}])
def test_what_no_body_can_hold_is_refused_when_the_app_is_built(name: str, write: dict[str, Any]) -> None:
    others = {other: hidden for other in ODD if other != name}
    sentence = refusal_of(Resource(Odd, read=anyone, **write, fields=others))
    assert sentence.startswith(f"Odd.{name}: ")
    assert ODD[name] in sentence
    App(Resource(Odd, read=anyone, **write, fields={**others, name: read_only}))


def test_what_nobody_writes_needs_no_form_in_a_body() -> None:
    App(Resource(Odd, read=anyone, delete=anyone))
