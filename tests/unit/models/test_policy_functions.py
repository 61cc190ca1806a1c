"""Policies of the user's own: what would not mean the same on the table and on an alias of it is refused."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import ForeignKey, MetaData, String, and_, exists, func, not_, or_, select, text, tuple_, union
from sqlalchemy.orm import DeclarativeBase, Mapped, aliased, mapped_column, relationship

from gatepost import Actor, App, Resource, authenticated, policy
from gatepost.database.statements import Statement
from gatepost.errors import ConfigurationError
from gatepost.models.conditions import bind_policy
from gatepost.models.entity import entity_of
from gatepost.models.table_refs import TableRef
from gatepost.models.truth_values import NoTruthValueError, without_truth_values


class Base(DeclarativeBase):
    metadata = MetaData()


class Team(Base):
    __tablename__ = "teams"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    boss_id: Mapped[int]


class Member(Base):
    __tablename__ = "members"

    id: Mapped[int] = mapped_column(primary_key=True)
    is_open: Mapped[bool]
    team_id: Mapped[int] = mapped_column(ForeignKey("teams.id"))
    chief_id: Mapped[int | None] = mapped_column(ForeignKey("members.id"))
    team: Mapped[Team] = relationship()
    chief: Mapped["Member | None"] = relationship(remote_side="Member.id")


class Document(Base):
    __tablename__ = "documents"

    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str]
    member_id: Mapped[int]

    __mapper_args__ = {"polymorphic_on": "kind", "polymorphic_identity": "any"}  # noqa: RUF012 - as SQLAlchemy declares it


class Letter(Document):
    __mapper_args__ = {"polymorphic_identity": "letter"}  # noqa: RUF012


class Badge(Base):
    __tablename__ = "badges"

    code: Mapped[str] = mapped_column(String(3), primary_key=True)


class Entry(Base):
    """A joined-table hierarchy."""

    __tablename__ = "entries"

    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str]
    member_id: Mapped[int]

    __mapper_args__ = {"polymorphic_on": "kind", "polymorphic_identity": "any"}  # noqa: RUF012


class Invoice(Entry):
    __tablename__ = "invoices"

    id: Mapped[int] = mapped_column(ForeignKey("entries.id"), primary_key=True)

    __mapper_args__ = {"polymorphic_identity": "invoice"}  # noqa: RUF012


Other = aliased(Member)
Function = Callable[[Any, Actor], Any]

RIGHT: list[Function] = [
    lambda member, actor: member.is_open,
    lambda member, actor: actor.id is not None,
    lambda member, actor: select(Team.id).where(Team.id == member.team_id, Team.boss_id == actor.id).exists(),
    lambda member, actor: select(Other.id).where(Other.team_id == member.team_id, Other.id == actor.id).exists(),
    lambda member, actor: member.team_id.in_(select(Other.team_id).where(Other.id == actor.id)),
    lambda member, actor: member.team.has(Team.boss_id == actor.id),
    lambda member, actor: member.chief.has(Member.id == actor.id),
    lambda member, actor: member.chief.has(Member.chief.has(Member.id == actor.id)),
    lambda member, actor: tuple_(member.team_id, member.id).in_(select(Team.id, Team.boss_id)),
    lambda member, actor: or_(*(and_(member.team_id == team, member.id == actor.id) for team in (1, 2))),
    lambda member, actor: select(Team.id).where(Team.id == member.team_id).correlate(member).exists(),
    lambda member, actor: member.team_id.in_(union(select(Team.id), select(Team.id).where(Team.id == member.id))),
    lambda member, actor: member.id.in_(select(Document.member_id).where(Document.kind.in_(["letter"]))),
    lambda member, actor: member.id.in_(select(Invoice.member_id).where(Invoice.id == actor.id)),
    lambda member, actor: member.id.in_(select(Letter.member_id)),
    lambda member, actor: member.team_id.op(">")(1),
    lambda member, actor: ~func.coalesce(member.is_open, False) & func.other(member.id),
    lambda member, actor: exists().where(Letter.member_id == member.id),
    lambda member, actor: member.id.in_(select(aliased(Letter).member_id)),
    lambda member, actor: not_(member.id == select(Letter.member_id).limit(1).scalar_subquery()),
    lambda member, actor: member.team.has(exists().where(Other.team_id == Team.id, Other.id == actor.id)),
    lambda member, actor: member.team.has(Team.id.in_(select(Team.id).where(Team.boss_id == actor.id))),
    lambda member, actor: exists().where(
        Team.id == member.team_id, exists().where(Document.member_id == member.id, Document.id == Team.boss_id)
    ),
]

ITSELF = "uses Member itself in a condition on one row"
ALL_ROWS = "reads all rows of the table"
WRONG: list[tuple[Function, str]] = [
    (lambda member, actor: Member.is_open.is_(True), ITSELF),
    (lambda member, actor: Member.__table__.c.is_open.is_(True), ITSELF),
    (lambda member, actor: select(Member.id).where(Member.team_id == member.team_id).exists(), ITSELF),
    (lambda member, actor: select(Member.id).join(Team).where(Team.boss_id == member.id).exists(), ITSELF),
    (lambda member, actor: member.id.in_(select(Member.chief_id).where(Member.id == Team.boss_id)), ITSELF),
    (lambda member, actor: select(Team.id).where(Team.id == Member.team_id).exists(), ITSELF),
    (lambda member, actor: select(Member.id).where(Member.id == member.id).correlate_except(Member).exists(), ITSELF),
    (lambda member, actor: member.id.in_(select(select(Member.id).subquery().c.id)), ITSELF),
    (lambda member, actor: select(Team.id).where(Team.id == member.team_id).correlate(Member).exists(), ALL_ROWS),
    (
        lambda member, actor: member.id.in_(select(select(Team.id).where(Team.id == member.id).subquery().c.id)),
        ALL_ROWS,
    ),
    (lambda member, actor: tuple_(member.team_id, member.id).in_([(1, 2)]), "whether a tuple is in a list"),
    (lambda member, actor: tuple_(member.team_id, member.id).not_in([]), "whether a tuple is in a list"),
    (lambda member, actor: text("is_open"), "returned TextClause, not a SQL condition or a bool"),
    (lambda member, actor: None, "returned NoneType, not a SQL condition or a bool"),
    (lambda member, actor: member.team_id, "has members.team_id as a condition, which is of type INTEGER"),
    (lambda member, actor: ~member.team_id, "as a condition, which is of type INTEGER"),
    (lambda member, actor: member.is_open & (member.is_open | member.team_id), "which is of type INTEGER"),
    (lambda member, actor: exists().where(member.id > 0), "has a subquery that reads no table"),
    (lambda member, actor: member.__table__.c.is_open, ITSELF),
    (lambda member, actor: member().id is None and member.is_open, "cannot take an alias of Member"),
]


@pytest.mark.parametrize("function", RIGHT)
def test_what_means_the_same_on_every_alias_is_taken(function: Function) -> None:
    App(Resource(Member, read=policy(function)))


@pytest.mark.parametrize(("function", "words"), WRONG)
def test_what_would_not_is_refused_when_the_app_is_built(function: Function, words: str) -> None:
    with pytest.raises(ConfigurationError) as refusal:
        App(Resource(Member, read=policy(function)))
    assert words in str(refusal.value)
    assert str(refusal.value).startswith(f"{Path(__file__).relative_to(Path.cwd())}:")


@pytest.mark.parametrize(
    "function",
    [
        lambda member, actor: member.id == 1 and member.is_open,
        lambda member, actor: member.id != 1 or member.is_open,
        lambda member, actor: not member.id == 1,  # noqa: SIM201 - what is refused
        lambda member, actor: member.id > 1 and member.is_open,
        lambda member, actor: member.is_open and member.id == 1,
        lambda member, actor: member.is_open if member.team_id == 1 else False,
        lambda member, actor: 0 < member.id < 5,
    ],
)
def test_a_condition_that_python_would_decide_is_refused(function: Function) -> None:
    with pytest.raises(ConfigurationError, match=r"`and`, `or`, `not` and `if` cannot be applied .*Write &, \| and ~"):
        App(Resource(Member, read=policy(function)))


def test_so_is_one_that_only_a_real_actor_shows() -> None:
    @policy
    def mine(member: Any, actor: Actor) -> Any:
        return member.id == 1 and member.is_open if actor.id == 7 else False

    App(Resource(Member, read=mine))
    with pytest.raises(ConfigurationError, match="the policy mine cannot be evaluated"):
        bind_policy(mine, Actor(7), entity_of(Member))


def test_elsewhere_sqlalchemys_truth_values_stay() -> None:
    assert Member.id in {Member.id, Member.is_open}
    assert bool(Member.id == Member.id)


def test_after_a_call_inside_it_a_function_still_has_no_truth_values() -> None:
    def asks() -> bool:
        assert without_truth_values(lambda: 1) == 1
        return bool(Member.id == 1)

    with pytest.raises(NoTruthValueError):
        without_truth_values(asks)
    assert not bool(Member.id == 1)


def test_a_function_is_tried_on_a_signed_in_user_too() -> None:
    @policy
    def mine(member: Any, actor: Actor) -> Any:
        return not actor.is_anonymous and actor.user.email != "x" and Member.is_open.is_(True)

    with pytest.raises(ConfigurationError, match="the policy mine uses Member itself"):
        App(Resource(Member, read=mine))


def test_what_one_actor_has_shown_does_not_vouch_for_another() -> None:
    @policy
    def mine(member: Any, actor: Actor) -> Any:
        return member.id == 1 if actor.is_anonymous else Member.id == 1

    with pytest.raises(ConfigurationError, match="the policy mine uses Member itself"):
        App(Resource(Member, read=mine))


def test_what_only_a_real_actor_shows_is_refused_before_a_statement_is_made() -> None:
    @policy
    def mine(member: Any, actor: Actor) -> Any:
        return Member.id == {"real": 1}[str(actor.id)]

    App(Resource(Member, read=authenticated & mine))
    entity = entity_of(Member)
    for table in (entity.table, entity.table.alias()):
        with pytest.raises(ConfigurationError, match="the policy mine uses Member itself"):
            bind_policy(mine, Actor("real"), entity).conditions(TableRef(entity, table))


def test_a_subquery_over_an_alias_looks_at_the_row_wherever_it_stands() -> None:
    @policy
    def same_team(member: Any, actor: Actor) -> Any:
        return select(Other.id).where(Other.team_id == member.team_id, Other.id == actor.id).exists()

    entity = entity_of(Member)
    for table, name in ((entity.table, "members"), (entity.table.alias("others"), "others")):
        (condition,) = bind_policy(same_team, Actor(5), entity).conditions(TableRef(entity, table))
        sql = Statement(select(table.c.id).where(condition)).sql
        assert f"WHERE members_1.team_id = {name}.team_id AND members_1.id =" in sql


@pytest.mark.parametrize(
    ("inner", "tables"),
    [
        (exists().where(Document.member_id == Team.boss_id), "documents"),
        (exists().where(exists().where(Badge.code == Document.kind), Document.member_id == Team.boss_id), "documents"),
        (Team.boss_id.in_(select(Document.member_id).where(Document.id == Team.id)), "documents"),
        (Team.id.in_(select(Team.id).where(Team.boss_id == 1)), "teams"),
    ],
)
@pytest.mark.parametrize("is_relation", [False, True])
def test_a_subquery_inside_another_is_about_the_rows_of_that(inner: Any, tables: str, is_relation: bool) -> None:
    """Read from a FROM of its own, any row of the table would do."""
    outer = policy(
        lambda member, actor: (
            member.team.has(inner) if is_relation else exists().where(Team.id == member.team_id, inner)
        )
    )
    entity = entity_of(Member)
    for table in (entity.table, entity.table.alias()):
        (condition,) = bind_policy(outer, Actor(5), entity).conditions(TableRef(entity, table))
        sql = " ".join(Statement(select(table.c.id).where(condition)).sql.split())
        assert re.findall(r"FROM (.*?) WHERE", sql)[2] == tables
        assert re.findall(r"FROM (.*?) WHERE", sql)[1] == "teams"


@pytest.mark.parametrize("inverted", [False, True])
def test_an_unknown_negation_is_not_taken_for_true(inverted: bool) -> None:
    mine = policy(lambda member, actor: not_(and_(member.chief_id == 1, member.team_id == 1)))
    entity = entity_of(Member)
    (condition,) = bind_policy(~mine if inverted else mine, Actor(5), entity).conditions(TableRef.of(entity))
    sql = Statement(select(condition.is_(True))).sql
    # Without the parentheses NOT would be of the whole: `NOT (NULL IS true)` is true.
    assert "(NOT (members" in sql
    assert ("= $2::BIGINT)) IS NOT true" if inverted else "= $2::BIGINT)) IS true") in sql


def test_a_list_of_texts_is_compared_as_it_is() -> None:
    """A cast to VARCHAR(3) would cut "abcd", and the row with "abc" would be in the list."""
    entity = entity_of(Badge)
    rule = bind_policy(policy(lambda badge, actor: badge.code.in_(["abcd", actor.id])), Actor("x"), entity)
    (condition,) = rule.conditions(TableRef.of(entity))

    assert "= ANY ($1::VARCHAR[])" in Statement(select(condition)).sql
