"""The reasons why a verb goes through the ORM: which listeners count, and what a deletion does besides."""

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import ForeignKey, event
from sqlalchemy.orm import DeclarativeBase, Mapped, Mapper, Session, mapped_column, relationship, sessionmaker

from gatepost.database.session_listeners import session_class, session_listeners
from gatepost.models.entity import entity_of
from gatepost.models.orm_reasons import orm_reasons


class Mixin:
    """Columns of several models."""

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]


def plain_model() -> type[Any]:
    class Base(DeclarativeBase):
        pass

    class Plain(Mixin, Base):
        __tablename__ = "plain"

    return Plain


def listener(*_: object, **__: object) -> None:
    """Hears of an event, and does nothing."""


def reasons(model: type[Any]) -> dict[str, tuple[str, ...]]:
    return dict(orm_reasons(entity_of(model), []))


def test_a_plain_model_has_no_reason() -> None:
    assert reasons(plain_model()) == {}


@pytest.mark.parametrize("options", [{}, {"propagate": True}, {"raw": True}, {"once": True}, {"named": True}])
@pytest.mark.parametrize("name", ["before_insert", "after_insert"])
def test_a_listener_is_named_behind_the_wrappers_of_sqlalchemy(name: str, options: dict[str, bool]) -> None:
    model = plain_model()
    event.listen(model, name, listener, **options)
    [(action, [reason])] = reasons(model).items()
    assert action == "create"
    assert reason.startswith(f"{name} listener listener (tests/unit/models/test_orm_reasons.py:")


def test_a_listener_on_a_base_counts_where_it_is_propagated() -> None:
    class Base(DeclarativeBase):
        pass

    class Archived:
        """What its classes have in common."""

    event.listen(Archived, "before_delete", listener, propagate=True)

    class Later(Archived, Mixin, Base):
        __tablename__ = "later"

    assert reasons(Later).keys() == {"delete"}


def test_a_listener_on_all_mappers_counts() -> None:
    model = plain_model()
    event.listen(Mapper, "before_update", listener)
    try:
        assert reasons(model).keys() == {"update"}
    finally:
        event.remove(Mapper, "before_update", listener)
    assert reasons(model) == {}


@pytest.mark.parametrize("make", [lambda: Session, lambda: type("Own", (Session,), {}), sessionmaker])
def test_listeners_are_found_on_every_kind_of_session(make: Callable[[], Any]) -> None:
    assert session_listeners() == []
    target = make()
    event.listen(target, "before_flush", listener)
    event.listen(target, "after_transaction_end", listener)
    try:
        assert [found.event for found in session_listeners()] == ["before_flush"]
        assert listener in list(session_class()().dispatch.before_flush)
    finally:
        event.remove(target, "before_flush", listener)
        event.remove(target, "after_transaction_end", listener)


@pytest.mark.parametrize(
    ("relation", "key", "nullable", "has_reason"),
    [
        ({}, {}, True, True),
        ({}, {"ondelete": "SET NULL"}, True, False),
        ({}, {"ondelete": "CASCADE"}, True, True),
        ({}, {}, False, False),
        ({"passive_deletes": True}, {}, True, False),
        ({"viewonly": True}, {}, True, False),
        ({"cascade": "all, delete-orphan"}, {}, False, True),
        ({"cascade": "all, delete-orphan"}, {"ondelete": "cascade"}, False, False),
        ({"cascade": "all"}, {"ondelete": "SET NULL"}, True, True),
    ],
)
def test_a_deletion_has_a_reason_where_a_relationship_does_more_than_the_foreign_key(
    relation: dict[str, Any], key: dict[str, Any], nullable: bool, has_reason: bool
) -> None:
    class Base(DeclarativeBase):
        pass

    class Parent(Mixin, Base):
        __tablename__ = "parents"

        children: Mapped[list["Child"]] = relationship(**relation)

    class Child(Mixin, Base):
        __tablename__ = "children"

        parent_id: Mapped[int | None] = mapped_column(ForeignKey("parents.id", **key), nullable=nullable)

    assert bool(reasons(Parent)) == has_reason
    event.listen(Child, "before_delete", listener)
    event.listen(Child, "before_update", listener)
    is_left = relation.get("passive_deletes") or relation.get("viewonly") or (not relation and not nullable)
    assert bool(reasons(Parent)) == (not is_left), "what PostgreSQL does, nobody hears"
