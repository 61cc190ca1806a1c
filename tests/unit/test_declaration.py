"""Mistakes in a declaration are refused when the app is built, each with the place and the cure."""

from typing import Any

import pytest
from sqlalchemy import MetaData
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from gatepost import App, Resource, Service, anyone
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
