"""Which columns of owners have no index, and what the start says of them."""

from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

from gatepost import App, Resource, UserColumns, anyone, owner, role
from gatepost.declaring.policies import Policy


class Base(DeclarativeBase):
    """Tables of this test alone."""

    metadata = sa.MetaData()


class Member(Base, UserColumns):
    __tablename__ = "members"

    id: Mapped[UUID] = mapped_column(primary_key=True, server_default=sa.text("uuidv7()"))


class Basket(Base):
    __tablename__ = "baskets"
    __table_args__ = (
        sa.Index("by_both", "other_id", "second_id"),
        sa.Index("some", "partly_id", postgresql_where="true"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    plain_id: Mapped[UUID]
    indexed_id: Mapped[UUID] = mapped_column(index=True)
    unique_id: Mapped[UUID] = mapped_column(unique=True)
    other_id: Mapped[UUID]
    second_id: Mapped[UUID]
    partly_id: Mapped[UUID]


class Line(Base):
    __tablename__ = "lines"

    id: Mapped[int] = mapped_column(primary_key=True)
    basket_id: Mapped[int] = mapped_column(sa.ForeignKey("baskets.id"), index=True)
    basket: Mapped[Basket] = relationship()


def fields(model: type[Base], policy: Policy, **more: Policy) -> list[str]:
    app = App(Resource(model, read=policy, **more), users=Member)
    return [warning.field for warning in app.declaration.owner_warnings()]


def test_a_column_counts_as_indexed_where_an_index_begins_with_it() -> None:
    names = ("plain_id", "indexed_id", "unique_id", "other_id", "second_id", "partly_id")
    found = [name for name in names if fields(Basket, owner(name))]
    assert found == ["plain_id", "second_id", "partly_id"]


def test_the_end_of_a_path_is_looked_at_and_every_part_of_a_policy() -> None:
    assert fields(Line, owner("basket.plain_id") | role("admin")) == ["Basket.plain_id"]
    assert fields(Line, owner("basket.indexed_id")) == []


def test_only_what_a_list_looks_up_needs_an_index() -> None:
    assert fields(Basket, anyone, update=owner("plain_id")) == []
    assert fields(Basket, ~owner("plain_id")) == []


def test_the_warning_names_the_policy_and_what_to_write() -> None:
    app = App(Resource(Basket, read=owner("plain_id")), users=Member)
    [warning] = app.declaration.owner_warnings()
    assert warning.policy == "Basket.list: owner('plain_id')"
    assert warning.hint == "Write plain_id: Mapped[...] = mapped_column(..., index=True)."
