"""403 before 409: a row that the policy refuses tells nothing of the rows that are there, however it is written."""

import enum
import secrets
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import pytest
import pytest_asyncio
from sqlalchemy import (
    Computed,
    FetchedValue,
    ForeignKey,
    Integer,
    MetaData,
    Numeric,
    String,
    TypeDecorator,
    event,
    exists,
    select,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column, relationship

from gatepost import (
    Actor,
    App,
    Changes,
    Field,
    Forbidden,
    Model,
    Resource,
    Service,
    anyone,
    authenticated,
    owner,
    policy,
    role,
)
from gatepost.database.connection import Record
from gatepost.models.base import NAMING
from gatepost.models.recipes import Options
from gatepost.models.writes import InsertRow, WritePlan
from gatepost.testing import Client, TestApp

pytestmark = pytest.mark.asyncio(loop_scope="module")


class Base(Model):
    """Tables of this app alone: a database for it has no others."""

    __abstract__ = True
    metadata = MetaData(naming_convention=NAMING)


class Colour(enum.Enum):
    RED = "red"
    BLUE = "blue"


class Shout(TypeDecorator[str]):
    """Stored in capitals."""

    impl = String(40)
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Any) -> Any:
        return None if value is None else value.upper()

    def process_result_value(self, value: Any, dialect: Any) -> Any:
        return None if value is None else value.lower()


class Team(Base):
    __tablename__ = "teams"

    name: Mapped[str]


class Notice(Base):
    __tablename__ = "notices"

    text: Mapped[str]
    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id"))


class Member(Base):
    """Not served: policies look at it."""

    __tablename__ = "team_members"

    team_id: Mapped[UUID] = mapped_column(ForeignKey("teams.id"))
    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id"))


class Columns:
    code: Mapped[str] = mapped_column(unique=True)
    colour: Mapped[Colour] = mapped_column(default=Colour.RED)
    word: Mapped[str] = mapped_column(Shout, default="red")
    price: Mapped[Any] = mapped_column(Numeric(6, 2), default=1)
    meta: Mapped[Any] = mapped_column(JSONB, default=dict)
    remark: Mapped[str | None]
    team_id: Mapped[UUID | None] = mapped_column(ForeignKey("teams.id"))


class Ticket(Columns, Base):
    __tablename__ = "tickets"


class Served(Columns, Base):
    __tablename__ = "served_tickets"


class Ruled(Columns, Base):
    __tablename__ = "ruled_tickets"


class Teamed(Columns, Base):
    __tablename__ = "teamed_tickets"

    team: Mapped[Team | None] = relationship()


class Related(Columns, Base):
    __tablename__ = "related_tickets"

    team: Mapped[Team | None] = relationship()


class Filled(Columns, Base):
    __tablename__ = "filled_tickets"

    state: Mapped[str] = mapped_column(server_default="blue")
    stamp: Mapped[str | None] = mapped_column(server_default=FetchedValue(), server_onupdate=FetchedValue())
    double: Mapped[int | None] = mapped_column(Integer, Computed("length(code) * 2", persisted=True))


class Listened(Columns, Base):
    __tablename__ = "listened_tickets"


@event.listens_for(Listened, "before_insert")
def _paint(mapper: Any, connection: Any, row: Any) -> None:
    row.colour = Colour.RED


class Tickets(Service[Served]):
    async def create(self, draft: Served, actor: Actor) -> Served:
        if draft.remark == "paint":
            draft.colour = Colour.RED
        return await super().create(draft, actor)

    async def update(self, row: Served, changes: Changes[Served], actor: Actor) -> Served:
        return await super().update(row, changes, actor)


class Painters(Service[Listened]):
    async def create(self, draft: Listened, actor: Actor) -> Listened:
        return await super().create(draft, actor)


@policy
def is_red(row: Any, actor: Actor) -> Any:
    return row.colour == Colour.RED


@policy
def is_whispered(row: Any, actor: Actor) -> Any:
    return (row.word == "red") & (row.price < 100) & row.remark.is_distinct_from("no")


@policy
def is_low(row: Any, actor: Actor) -> Any:
    return row.meta["level"].as_integer() < 5


@policy
def is_in_team(row: Any, actor: Actor) -> Any:
    return exists(select(Member.id).where(Member.team_id == row.team_id, Member.user_id == actor.id))


@policy
def is_of_open_team(row: Any, actor: Actor) -> Any:
    return row.team.has(Team.name == "open")


@policy
def is_blue_state(row: Any, actor: Actor) -> Any:
    return (row.state == "blue") & (row.double > 0) & row.stamp.is_(None)


app = App(
    Resource(Team, read=anyone, create=authenticated),
    Resource(Notice, read=anyone, create=owner("user_id") | role("admin")),
    Resource(Ticket, get=is_red, update=is_red & (is_whispered | role("admin")), create=is_red & is_whispered),
    Resource(Served, get=is_red, update=is_red, create=is_red, service=Tickets),
    Resource(
        Ruled,
        get=authenticated,
        create=authenticated,
        update=authenticated,
        fields={"code": Field(write=is_red), "meta": Field(write=is_low)},
    ),
    Resource(Teamed, get=authenticated, create=is_in_team, update=is_in_team),
    Resource(Related, get=authenticated, create=~is_of_open_team, update=~is_of_open_team),
    Resource(Filled, get=authenticated, create=is_blue_state & is_red, update=is_blue_state & is_red),
    Resource(Listened, get=authenticated, create=is_red, service=Painters),
)


@dataclass
class Office:
    """The app, a user, and the teams."""

    running: TestApp
    user: Client
    id: UUID
    own: UUID
    other: UUID
    open: UUID


@pytest.fixture(scope="module")
def database_metadata() -> MetaData:
    """Databases here have the tables of the office."""
    return app.metadata


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def office(module_database_url: str) -> AsyncIterator[Office]:
    async with TestApp(app, module_database_url) as running:
        user, id = await running.user_and_id()
        own, other, open = Team(name="own"), Team(name="other"), Team(name="open")
        async with app.transaction() as tx:
            tx.session.add_all([own, other, open])
            await tx.session.flush()
            tx.session.add(Member(team_id=own.id, user_id=id))
            ids = own.id, other.id, open.id
        yield Office(running, user, id, *ids)


async def taken(model: Any) -> str:
    """The code of a row that nobody of the test may see."""
    code = secrets.token_hex(6)
    async with app.transaction() as tx:
        tx.session.add(model(code=code, colour=Colour.BLUE, word="blue"))
    return code


def teams(office: Office, values: dict[str, Any]) -> dict[str, Any]:
    """The body with the key of the team that it names."""
    return {name: str(getattr(office, value)) if name == "team_id" else value for name, value in values.items()}


REFUSED: list[tuple[str, Any, dict[str, Any], dict[str, Any]]] = [
    ("tickets", Ticket, {}, {"colour": "blue"}),
    ("tickets", Ticket, {}, {"word": "blue"}),
    ("tickets", Ticket, {}, {"word": "BLUE", "colour": "blue"}),
    ("tickets", Ticket, {}, {"price": "100.00"}),
    ("tickets", Ticket, {}, {"remark": "no"}),
    ("served_tickets", Served, {}, {"colour": "blue"}),
    ("ruled_tickets", Ruled, {"meta": {"level": 4}}, {"meta": {"level": 9}}),
    ("ruled_tickets", Ruled, {"meta": {"level": 4}}, {"meta": {"level": "classified"}}),
    ("ruled_tickets", Ruled, {"meta": {"level": 4}}, {"meta": {"level": 4}, "colour": "blue"}),
    ("teamed_tickets", Teamed, {"team_id": "own"}, {"team_id": "other"}),
    ("related_tickets", Related, {"team_id": "other"}, {"team_id": "open"}),
    ("filled_tickets", Filled, {}, {"colour": "blue"}),
]


@pytest.mark.parametrize(("path", "model", "allowed", "refused"), REFUSED, ids=str)
async def test_who_may_not_create_the_row_learns_of_no_other(
    office: Office, path: str, model: Any, allowed: dict[str, Any], refused: dict[str, Any]
) -> None:
    code = await taken(model)
    allowed, refused = teams(office, allowed), teams(office, {**allowed, **refused})
    for wanted, free in ((code, False), (secrets.token_hex(6), True)):
        response = await office.user.post(f"/api/{path}", json={"code": wanted, **refused})
        assert (response.status, response.json()["code"]) == (403, "forbidden")
        response = await office.user.post(f"/api/{path}", json={"code": wanted, **allowed})
        assert response.status == (201 if free else 409), response.body


@pytest.mark.parametrize(("path", "model", "allowed", "refused"), REFUSED, ids=str)
async def test_who_may_not_change_a_row_into_it_learns_of_no_other(
    office: Office, path: str, model: Any, allowed: dict[str, Any], refused: dict[str, Any]
) -> None:
    code = await taken(model)
    allowed, refused = teams(office, allowed), teams(office, {**allowed, **refused})
    body = {"code": secrets.token_hex(6), **allowed}
    made = (await office.user.post(f"/api/{path}", json=body)).data
    for wanted, free in ((code, False), (secrets.token_hex(6), True)):
        response = await office.user.patch(f"/api/{path}/{made['id']}", json={"code": wanted, **refused})
        assert (response.status, response.json()["code"]) == (403, "forbidden"), response.body
        response = await office.user.patch(f"/api/{path}/{made['id']}", json={"code": wanted, **allowed})
        assert response.status == (200 if free else 409), response.body


async def test_a_service_is_weighed_as_it_leaves_the_draft(office: Office) -> None:
    code = await taken(Served)
    body = {"code": code, "colour": "blue", "remark": "paint"}
    assert (await office.user.post("/api/served_tickets", json=body)).status == 409
    body["code"] = secrets.token_hex(6)
    assert (await office.user.post("/api/served_tickets", json=body)).data["colour"] == "red"


async def test_work_outside_a_request_is_weighed_before_it_is_written(office: Office) -> None:
    code = await taken(Served)
    async with app.transaction(Actor(office.id)) as tx:
        with pytest.raises(Forbidden):
            await tx.service(Tickets).create(Served(code=code, colour=Colour.BLUE), tx.actor)
        row = await tx.service(Tickets).create(Served(code=secrets.token_hex(6)), tx.actor)
        with pytest.raises(Forbidden):
            await tx.service(Tickets).update(row, Changes({"code": code, "colour": Colour.BLUE}), tx.actor)
        assert row.colour is Colour.RED


async def test_what_the_database_fills_is_known_of_the_written_row_only(office: Office) -> None:
    code = await taken(Filled)
    for wanted, status in ((code, 409), (secrets.token_hex(6), 403)):
        assert (await office.user.post("/api/filled_tickets", json={"code": wanted, "stamp": "x"})).status == status
    # What is sent in place of the default is known.
    assert (await office.user.post("/api/filled_tickets", json={"code": code, "colour": "blue"})).status == 403


async def test_what_a_listener_of_the_users_own_may_change_is_known_of_the_written_row_only(office: Office) -> None:
    body = {"code": secrets.token_hex(6), "colour": "blue"}
    assert (await office.user.post("/api/listened_tickets", json=body)).data["colour"] == "red"


async def test_a_candidate_costs_no_statement_of_its_own(
    office: Office, fetched: list[tuple[str, list[Record]]]
) -> None:
    assert (await office.user.post("/api/tickets", json={"code": secrets.token_hex(6)})).status == 201
    assert (await office.user.post("/api/ruled_tickets", json={"remark": "x", "code": "y"})).status == 201
    written = [sql for sql, _ in fetched if sql.startswith("INSERT")]
    assert len(written) == 2
    assert all("AS candidate (" in sql for sql in written)


async def test_a_policy_that_does_not_look_at_the_row_weighs_no_candidate(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    compile_insert = InsertRow.compile

    def compile_without_candidate(recipe: InsertRow, options: Options) -> WritePlan:
        assert not recipe.checks_candidate
        return compile_insert(recipe, options)

    monkeypatch.setattr(InsertRow, "compile", compile_without_candidate)
    for path, body in (("teams", {"name": "new"}), ("notices", {"text": "mine"})):
        assert (await office.user.post(f"/api/{path}", json=body)).status == 201
