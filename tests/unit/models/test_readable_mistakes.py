"""`readable()` that makes no sense: refused when the app is built, with the line and what to write."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import ForeignKey, MetaData, exists, select
from sqlalchemy.orm import DeclarativeBase, Mapped, aliased, mapped_column, relationship

from gatepost import (
    DTO,
    Actor,
    App,
    ConfigurationError,
    Field,
    Group,
    Resource,
    actor_id,
    anyone,
    computed,
    nobody,
    policy,
    readable,
    role,
)
from gatepost.database.statements import Statement
from gatepost.models.conditions import bind_policy
from gatepost.models.table_refs import TableRef

HERE = Path(__file__).relative_to(Path.cwd())


class Base(DeclarativeBase):
    metadata = MetaData()


class Club(Base):
    __tablename__ = "asked_clubs"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    members: Mapped[list["Member"]] = relationship(back_populates="club")


class Member(Base):
    __tablename__ = "asked_members"

    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(default="any")
    club_id: Mapped[int] = mapped_column(ForeignKey("asked_clubs.id"))
    club: Mapped[Club] = relationship(back_populates="members")

    __mapper_args__ = {"polymorphic_on": "kind", "polymorphic_identity": "any"}  # noqa: RUF012 - as SQLAlchemy declares it


class Guest(Member):
    __mapper_args__ = {"polymorphic_identity": "guest"}  # noqa: RUF012


class Tag(Base):
    __tablename__ = "asked_tags"

    id: Mapped[int] = mapped_column(primary_key=True)


def of_club(member: Any, actor: Actor) -> Any:
    return member.club.has(readable(Club))


def of_itself(club: Any, actor: Actor) -> Any:
    return readable(club)


HAS_MEMBER = policy(Club.members.any(readable(Member)))
HAS_GUEST = policy(Club.members.of_type(Guest).any(readable(Guest)))


def refusal_of(*resources: Callable[[], Resource[Any]]) -> str:
    with pytest.raises(ConfigurationError) as refusal:
        App(*(resource() for resource in resources))
    return str(refusal.value)


class TaggedClub(DTO[Club]):
    is_tagged: bool = computed(exists().where(Tag.id == Club.id, readable(Tag)))


class OddClub(DTO[Club]):
    is_odd: bool = computed(readable(Member))


MISTAKES: list[tuple[list[Callable[[], Resource[Any]]], str]] = [
    (
        [lambda: Resource(Club, read=policy(of_itself))],
        "the policy of_itself asks for itself: whether Club is readable depends on it (Club -> Club). Write the "
        "condition in place of readable(Club).",
    ),
    (
        [lambda: Resource(Club, read=policy(readable(Club)))],
        "the policy readable(Club) asks for itself: whether Club is readable depends on it (Club -> Club).",
    ),
    (
        [lambda: Resource(Club, read=HAS_MEMBER), lambda: Resource(Member, read=policy(of_club))],
        "the policy of_club asks for itself: whether Club is readable depends on it (Club -> Member -> Club).",
    ),
    (
        # No actor that is tried holds both roles.
        [
            lambda: Resource(Club, read=role("one") & HAS_MEMBER),
            lambda: Resource(Member, read=role("two") & policy(of_club)),
        ],
        "(Club -> Member -> Club)",
    ),
    (
        [lambda: Resource(Club, list=anyone, get=HAS_GUEST), lambda: Resource(Member, read=policy(of_club))],
        "(Club -> Member -> Club)",
    ),
    (
        [lambda: Resource(Club, read=policy(Club.members.any(readable(Member))))],
        "asks whether Member is readable, which has no resource. Declare Resource(Member, read=...); with routes=False",
    ),
    (
        [lambda: Resource(Club, read=anyone, fields={"name": Field(read=HAS_MEMBER, write=nobody)})],
        "asks whether Member is readable, which has no resource.",
    ),
    ([lambda: Resource(Club, read=anyone, answers=TaggedClub)], "TaggedClub.is_tagged: asks whether Tag is readable"),
    (
        [lambda: Resource(Club, read=anyone, answers=OddClub), lambda: Resource(Member, read=anyone)],
        "OddClub.is_odd: is about rows of asked_members.",
    ),
    (
        [lambda: Resource(Club, read=policy(readable(Member))), lambda: Resource(Member, read=anyone)],
        "the policy readable(Member) is about rows of asked_members. Compare columns of Club, or write a subquery",
    ),
    (
        [lambda: Resource(Club, read=policy(lambda club, actor: readable(Club)))],
        "uses Club itself in a condition on one row. Use the argument for the row",
    ),
    (
        [lambda: Resource(Club, read=anyone, where=readable(Club))],
        "Resource(Club, where=...): depends on the actor. where= holds for every actor. Write what depends on the "
        "actor as a policy: read=policy(...).",
    ),
    (
        [lambda: Resource(Club, read=anyone, where=Club.id == actor_id)],
        "Resource(Club, where=...): depends on the actor.",
    ),
]


@pytest.mark.parametrize(("resources", "words"), MISTAKES)
def test_what_makes_no_sense_is_refused_with_its_line(resources: list[Callable[[], Resource[Any]]], words: str) -> None:
    refusal = refusal_of(*resources)
    assert words in refusal
    assert refusal.startswith(f"{HERE}:")


def test_an_expression_is_refused_with_the_line_that_declares_it() -> None:
    declared = next(
        number
        for number, text in enumerate(Path(__file__).read_text().splitlines(), 1)
        if text.startswith("HAS_MEMBER = ")
    )
    assert refusal_of(lambda: Resource(Club, read=HAS_MEMBER)).startswith(f"{HERE}:{declared}: ")


@pytest.mark.parametrize("given", [Club.members, "Club", 3, None, Club.__table__, Actor])
def test_what_is_no_model_is_refused_where_it_is_written(given: Any) -> None:
    with pytest.raises(ConfigurationError, match=r"names no model\. Write readable\(Favorite\), or readable\(other\)"):
        readable(given)


def test_every_other_policy_may_ask_for_the_row_itself() -> None:
    App(
        Resource(
            Club,
            read=anyone,
            update=policy(of_itself),
            create=policy(readable(Club)),
            fields={"name": Field(read=policy(of_itself), write=policy(of_itself))},
        ),
        Resource(Member, read=policy(of_club)),
    )


def test_what_only_a_real_actor_asks_ends_in_an_error_as_well() -> None:
    @policy
    def secretly(club: Any, actor: Actor) -> Any:
        return readable(club) if actor.id == 7 else club.id == 1

    club = App(Resource(Club, read=secretly)).declaration.catalog.by_model[Club]
    assert bind_policy(secretly, Actor(1), club.entity)
    with pytest.raises(ConfigurationError, match=r"the policy secretly asks for itself.*\(Club -> Club\)"):
        bind_policy(secretly, Actor(7), club.entity)


def test_rows_of_a_class_without_a_resource_are_read_as_those_of_its_base() -> None:
    chosen = policy(select(Guest.id).where(Guest.club_id == Club.id, readable(Guest)).exists())
    catalog = App(Resource(Club, read=chosen), Resource(Member, read=policy(Member.id > 3))).declaration.catalog
    club = catalog.by_model[Club]
    [condition] = bind_policy(chosen, Actor(1), club.entity).conditions(TableRef.of(club.entity))
    sql = Statement(select(condition)).sql
    assert "asked_members.kind IN ('guest') AND (asked_members.id > " in " ".join(sql.split())


def test_an_alias_of_a_model_is_asked_about_by_its_rows() -> None:
    other = aliased(Member)
    chosen = policy(exists().where(other.club_id == Club.id, readable(other)))
    catalog = App(Resource(Club, read=chosen), Resource(Member, read=policy(Member.id > 3))).declaration.catalog
    club = catalog.by_model[Club]
    [condition] = bind_policy(chosen, Actor(1), club.entity).conditions(TableRef.of(club.entity))
    assert "(asked_members_1.id > " in Statement(select(condition)).sql


def test_in_a_group_its_own_resource_of_the_model_counts() -> None:
    members, asking = policy(Member.id > 3), policy(Club.members.any(readable(Member)))
    app = App(
        Resource(Member, read=members),
        Resource(Club, read=asking),
        Group("/v2", Resource(Member, read=policy(Member.kind == "any"))),
        Group("/v3", Resource(Club, read=asking)),
    )
    shown = []
    for declared in (app.declaration.own, *app.declaration.groups):
        club = declared.catalog.by_model[Club]
        [condition] = bind_policy(asking, Actor(1), club.entity).conditions(TableRef.of(club.entity))
        shown.append(re.findall(r"\(asked_members\.(\w+)", Statement(select(condition)).sql))
    assert shown == [["id"], ["kind"], ["id"]]


def test_a_circle_that_only_a_group_closes_is_refused() -> None:
    with pytest.raises(ConfigurationError, match=r"\(Club -> Member -> Club\)"):
        App(
            Resource(Member, read=policy(of_club)),
            Resource(Club, read=anyone),
            Group("/v2", Resource(Club, read=HAS_MEMBER)),
        )
