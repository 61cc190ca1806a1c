"""Columns of existing tables: timestamps without a time zone that are in UTC, and domains."""

import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any

import asyncpg
import pytest
from annotated_types import Ge
from sqlalchemy import ARRAY, BigInteger, DateTime, Integer, MetaData, Numeric, String, func, select, text
from sqlalchemy.dialects.postgresql import DOMAIN, JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from tests.databases import Databases

from gatepost import Actor, App, NaiveUTC, Resource, Service, anyone, policy
from gatepost.errors import ConfigurationError
from gatepost.migrations.apply import find_plan
from gatepost.migrations.file_commands import check, down, make, up
from gatepost.testing import Client, TestApp

FIRST = datetime(2020, 1, 1, tzinfo=UTC)


class Base(DeclarativeBase):
    pass


class Visit(Base):
    __tablename__ = "visits"
    id: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[Annotated[datetime, Ge(FIRST)]] = mapped_column(NaiveUTC, server_default=text("timezone('utc', now())"))
    ended: Mapped[datetime | None] = mapped_column(NaiveUTC(3))
    pauses: Mapped[list[datetime] | None] = mapped_column(ARRAY(NaiveUTC))


class Meeting(Base):
    """The same through a service and the ORM."""

    __tablename__ = "meetings"
    id: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[datetime] = mapped_column(NaiveUTC, default=lambda: datetime.now(UTC))


class Meetings(Service[Meeting]):
    async def create(self, draft: Meeting, actor: Actor) -> Meeting:
        made = await super().create(draft, actor)
        await self.session.refresh(made)
        assert made.at.tzinfo is UTC
        later = Meeting.at > made.at - timedelta(seconds=1)
        same = (await self.session.scalars(select(Meeting).where(Meeting.at == made.at, later))).all()
        assert same == [made]
        return made


POSITIVE = DOMAIN("positive", Integer, check="VALUE > 0", constraint_name="is_positive")


class Item(Base):
    __tablename__ = "items"
    id: Mapped[int] = mapped_column(DOMAIN("item_key", BigInteger, check="VALUE > 0"), primary_key=True)
    amount: Mapped[int | None] = mapped_column(POSITIVE)
    code: Mapped[str | None] = mapped_column(DOMAIN("code", String(4), check="VALUE = upper(VALUE)"))
    price: Mapped[Decimal | None] = mapped_column(DOMAIN("money_amount", Numeric(8, 2)))
    data: Mapped[dict[str, Any] | None] = mapped_column(DOMAIN("small_json", JSONB))
    at: Mapped[datetime | None] = mapped_column(DOMAIN("moment", DateTime(timezone=True)))
    amounts: Mapped[list[int] | None] = mapped_column(ARRAY(POSITIVE))


class Bought(Base):
    __tablename__ = "bought"
    id: Mapped[int] = mapped_column(primary_key=True)
    amount: Mapped[int | None] = mapped_column(POSITIVE)
    price: Mapped[Decimal | None] = mapped_column(DOMAIN("money_amount", Numeric(8, 2)))
    data: Mapped[dict[str, Any] | None] = mapped_column(DOMAIN("small_json", JSONB))


class Buying(Service[Bought]):
    async def create(self, draft: Bought, actor: Actor) -> Bought:
        return await super().create(draft, actor)

    async def update(self, row: Bought, changes: Any, actor: Actor) -> Bought:
        return await super().update(row, changes, actor)


def recent(row: Any, actor: Actor) -> Any:
    return row.at > func.now() - timedelta(days=40000)


app = App(
    Resource(Visit, read=policy(recent), write=anyone, sort=["at"], filter=["at", "ended", "pauses"]),
    Resource(Meeting, read=anyone, write=anyone, service=Meetings),
    Resource(Item, read=anyone, write=anyone, sort=["amount", "at"], filter=["amount", "code", "price", "at"]),
    Resource(Bought, read=anyone, write=anyone, service=Buying),
)


@pytest.fixture(scope="module")
def database_metadata() -> MetaData:
    return app.metadata


@pytest.fixture
async def client(database_url: str) -> AsyncIterator[Client]:
    async with TestApp(app, database_url) as running:
        yield running.anonymous


@pytest.fixture
async def other(database_url: str) -> AsyncIterator["asyncpg.Connection[Any]"]:
    made = await asyncpg.connect(database_url, server_settings={"timezone": "Asia/Tokyo"})
    yield made
    await made.close()


VALUES = [
    ("2021-06-01T12:00:00Z", "2021-06-01T12:00:00Z", "2021-06-01 12:00:00"),
    ("2021-06-01T12:00:00.123456+02:00", "2021-06-01T10:00:00.123456Z", "2021-06-01 10:00:00.123456"),
    ("9999-12-31T23:59:59Z", "9999-12-31T23:59:59Z", "9999-12-31 23:59:59"),
]


@pytest.mark.parametrize(("sent", "shown", "stored"), VALUES)
async def test_a_naive_timestamp_is_utc_on_the_wire_and_in_the_column(
    client: Client, other: "asyncpg.Connection[Any]", sent: str, shown: str, stored: str
) -> None:
    made = await client.post("/api/visits", json={"at": sent, "pauses": [sent]})
    assert made.status == 201, made.body
    assert (made.data["at"], made.data["pauses"]) == (shown, [shown])
    await other.execute("set datestyle to 'ISO'")
    row = await other.fetchrow("select at::text, pauses[1]::text as pause from visits")
    assert (row["at"], row["pause"]) == (stored, stored)


async def test_naive_timestamps_are_filtered_sorted_paged_and_sent_back_as_shown(
    client: Client, other: "asyncpg.Connection[Any]"
) -> None:
    await other.execute(
        "insert into visits (at, ended, pauses) select timestamp '2021-01-01' + n * interval '1 hour',"
        " timestamp '2021-01-01', array[timestamp '2021-01-02', null] from generate_series(0, 6) as n;"
        "insert into visits (at, ended, pauses)"
        " values ('2020-01-01', '-infinity', array['infinity', '0044-03-15 BC']::timestamp[])"
    )
    listed = (await client.get("/api/visits?sort=at")).data
    assert [row["at"] for row in listed][:3] == [
        "2020-01-01T00:00:00Z",
        "2021-01-01T00:00:00Z",
        "2021-01-01T01:00:00Z",
    ]
    assert (listed[0]["ended"], listed[0]["pauses"]) == ("-infinity", ["infinity", "0044-03-15 00:00:00+00 BC"])
    assert listed[1]["pauses"] == ["2021-01-02T00:00:00Z", None]
    for row in listed:
        equal = (await client.get("/api/visits", params={"at": row["at"]})).data
        assert [each["id"] for each in equal] == [row["id"]]
        unchanged = await client.patch(f"/api/visits/{row['id']}", json={"at": row["at"]})
        assert (unchanged.status, unchanged.data) == (200, row)
    later = await client.get("/api/visits?at[gt]=2021-01-01T05:00:00%2B02:00&at[lte]=2021-01-01T04:00:00Z")
    assert [row["at"] for row in later.data] == ["2021-01-01T04:00:00Z"]
    assert len((await client.get("/api/visits?ended=-infinity")).data) == 1
    for sort in ("at", "-at"):
        seen: list[int] = []
        page = await client.get(f"/api/visits?sort={sort}&limit=3")
        while True:
            seen += [row["id"] for row in page.data]
            following = re.search('<([^>]+)>; rel="next"', page.headers.get("link", ""))
            if following is None:
                break
            page = await client.get(following[1])
        assert sorted(seen) == sorted(row["id"] for row in listed)
        assert len(seen) == len(listed)


async def test_bodies_of_naive_timestamps_are_checked_as_others_are(
    client: Client, other: "asyncpg.Connection[Any]"
) -> None:
    for value, code in (("2021-06-01T12:00:00", "invalid_format"), ("2019-12-31T23:59:59Z", "too_small")):
        response = await client.post("/api/visits", json={"at": value})
        assert [error["code"] for error in response.json()["errors"]] == [code]
    assert (await client.post("/api/visits", json={"at": "2020-01-01T02:00:00+02:00"})).status == 201
    with pytest.raises(asyncpg.CheckViolationError):
        await other.execute("insert into visits (at) values ('2019-12-31 23:59:59')")
    await other.execute("insert into visits (at) values ('2020-01-01 00:00:00')")
    made = await client.post("/api/visits", json={})
    age = datetime.now(UTC) - datetime.fromisoformat(made.data["at"])
    assert timedelta(0) <= age < timedelta(minutes=10)


async def test_python_sees_moments_with_a_time_zone(client: Client, other: "asyncpg.Connection[Any]") -> None:
    made = await client.post("/api/meetings", json={"at": "2021-06-01T12:00:00+02:00"})
    assert (made.status, made.data["at"]) == (201, "2021-06-01T10:00:00Z")
    assert (await client.post("/api/meetings", json={})).status == 201
    async with app.transaction() as tx:
        session = tx.session
        meeting = await session.get_one(Meeting, made.data["id"])
        assert meeting.at == datetime(2021, 6, 1, 10, tzinfo=UTC)
        meeting.at = datetime(2021, 6, 1, 9, tzinfo=timezone(timedelta(hours=-3)))
    assert await other.fetchval("select at from meetings where id = $1", made.data["id"]) == datetime(2021, 6, 1, 12)
    with pytest.raises(Exception, match="has no time zone: write"):
        async with app.transaction() as tx:
            tx.session.add(Meeting(at=datetime(2021, 6, 1)))


def test_a_plain_naive_timestamp_stays_refused_and_both_ways_are_named() -> None:
    class Naive(DeclarativeBase):
        pass

    class Event(Naive):
        __tablename__ = "events"
        id: Mapped[int] = mapped_column(primary_key=True)
        at: Mapped[datetime]

    with pytest.raises(ConfigurationError, match="is a timestamp without a time zone") as refused:
        App(Resource(Event, read=anyone))
    assert "mapped_column(NaiveUTC)" in str(refused.value)
    assert "DateTime(timezone=True)" in str(refused.value)
    assert "AT TIME ZONE 'UTC'" in str(refused.value)


@pytest.mark.parametrize("path", ["items", "bought"])
async def test_a_domain_has_the_values_of_its_base_type(client: Client, path: str) -> None:
    body: dict[str, Any] = {"amount": 3, "price": "12.50", "data": {"a": [1, {"b": None}]}}
    if path == "items":
        body |= {"id": 5, "code": "AB", "at": "2021-06-01T12:00:00Z", "amounts": [1, 2]}
    made = await client.post(f"/api/{path}", json=body)
    assert made.status == 201, made.body
    assert {name: made.data[name] for name in body} == body
    key = made.data["id"]
    changed = await client.patch(f"/api/{path}/{key}", json={"amount": 4, "data": {"c": True}})
    assert (changed.data["amount"], changed.data["data"]) == (4, {"a": [1, {"b": None}], "c": True})
    assert (await client.get(f"/api/{path}/{key}")).data == changed.data
    if path == "items":
        for query in ("amount=4", "code=AB", "price=12.5", "at=2021-06-01T12:00:00Z", "sort=-amount", "amount[in]=4,5"):
            assert (await client.get(f"/api/items?{query}")).json().get("data", query) == [changed.data], query
    for value, code in (("x", "wrong_type"), (2**31, "too_large")):
        refused = await client.post(f"/api/{path}", json={**body, "id": 6, "amount": value})
        assert {error["code"] for error in refused.json()["errors"]} >= {code}
    assert (await client.delete(f"/api/{path}/{key}")).status == 204


@pytest.mark.parametrize(("path", "body"), [("items", {"id": 7, "amount": -1}), ("bought", {"amount": -1})])
async def test_a_violated_check_of_a_domain_is_a_refusal(client: Client, path: str, body: dict[str, int]) -> None:
    refused = await client.post(f"/api/{path}", json=body)
    assert refused.status == 422, refused.body
    errors = {error["pointer"]: error["code"] for error in refused.json()["errors"]}
    assert errors.keys() <= {"/amount", "/amounts"}, "those of the domain"
    assert errors["/amount"] == "violates_check"


async def test_a_domain_over_the_declared_type_is_no_difference(
    client: Client, database_url: str, other: "asyncpg.Connection[Any]"
) -> None:
    assert (await find_plan(database_url, app.metadata)).differences == []
    await other.execute(
        "create domain natural_number as integer check (value >= 0); create domain whole as natural_number;"
        "alter table visits alter id type whole; create domain instant as timestamp;"
        "alter table visits alter at type instant"
    )
    assert (await find_plan(database_url, app.metadata)).differences == []
    await other.execute("create domain big as bigint; alter table visits alter id type big")
    assert "visits.id" in str((await find_plan(database_url, app.metadata)).differences)


async def test_files_create_domains_and_naive_timestamps_and_undo_them(databases: Databases, tmp_path: Path) -> None:
    folder = tmp_path / "migrations"
    with databases.opened() as url:
        path = await make(url, app.metadata, folder, "first")
        assert path is not None
        assert "NaiveUTC" not in path.read_text()
        assert len(await up(url, folder)) == 1
        assert await check(url, app.metadata, folder) == []
        assert len(await down(url, folder)) == 1
        assert len(await up(url, folder)) == 1
        async with TestApp(app, url) as running:
            made = await running.anonymous.post("/api/items", json={"id": 1, "amount": 2})
            assert made.status == 201, made.body
