"""What a table may differ in from its model: a table of declared column, real column, and verdict."""

import enum
from collections.abc import AsyncIterator
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import asyncpg
import pytest
import sqlalchemy as sa
from sqlalchemy import FetchedValue, Identity, MetaData, Table, text
from sqlalchemy.dialects import postgresql
from sqlalchemy.orm import registry

from gatepost.database.reflection import reflect
from gatepost.embedded.postgresql import EmbeddedPostgreSQL
from gatepost.models.column_mismatches import ExpectedTable, ExpectedTables, Mismatch
from gatepost.models.entity import Entity, entity_of

FITS = ""


class Mood(enum.Enum):
    SAD = "sad"
    GLAD = "glad"


class Upper(sa.types.TypeDecorator[str]):
    impl = sa.String
    cache_ok = True


def column(kind: Any, **options: Any) -> sa.Column[Any]:
    return sa.Column("x", kind, **{"nullable": True, **options})


class Case(NamedTuple):
    declared: Any
    real: str
    words: str
    """What the mismatch says, or `FITS`."""


UTC = sa.DateTime(timezone=True)
ENUM = sa.Enum(Mood, name="mood")
CASES = [
    Case(column(UTC), "x timestamptz", FITS),
    Case(column(UTC), "x timestamp", "timestamp without time zone"),
    Case(column(UTC), "x timestamptz(0)", "timestamp(0) with time zone"),
    Case(column(postgresql.TIMESTAMP(timezone=True, precision=0)), "x timestamptz(3)", FITS),
    Case(column(UTC), "x date", "date"),
    Case(column(sa.Date), "x timestamptz", "timestamp with time zone"),
    Case(column(sa.Time), "x timetz", "time with time zone"),
    Case(column(sa.Interval), "x interval", FITS),
    Case(column(sa.Interval), "x interval day", "interval day"),
    Case(column(sa.String), "x text", FITS),
    Case(column(sa.Text), "x varchar", FITS),
    Case(column(sa.String(5)), "x varchar(9)", FITS),
    Case(column(sa.String(5)), "x varchar(3)", "character varying(3)"),
    Case(column(sa.Text), "x varchar(3)", "character varying(3)"),
    Case(column(sa.String(3)), "x char(3)", "character(3)"),
    Case(column(sa.CHAR(3)), "x char(3)", FITS),
    Case(column(sa.CHAR(3)), "x char(2)", "character(2)"),
    Case(column(sa.Text), "x citext", "citext"),
    Case(column(postgresql.CITEXT), "x citext", FITS),
    Case(column(postgresql.CITEXT), "x text", "text"),
    Case(column(Upper(5)), "x text", FITS),
    Case(column(Upper(5)), "x integer", "integer"),
    Case(column(sa.Text), "x uuid", "uuid"),
    Case(column(sa.String(5, collation="C")), "x varchar(5)", FITS),
    Case(column(sa.Uuid), "x text", "text"),
    Case(column(sa.Uuid), "x uuid", FITS),
    Case(column(sa.Integer), "x bigint", FITS),
    Case(column(sa.Integer), "x smallint", "smallint"),
    Case(column(sa.BigInteger), "x integer", "integer"),
    Case(column(sa.Integer), "x numeric", "numeric"),
    Case(column(sa.Boolean), "x integer", "integer"),
    Case(column(sa.Float), "x double precision", FITS),
    Case(column(sa.Float), "x real", "real"),
    Case(column(sa.Float(24)), "x real", FITS),
    Case(column(sa.REAL), "x double precision", "double precision"),
    Case(column(sa.Float), "x numeric", "numeric"),
    Case(column(sa.Numeric(10, 2)), "x numeric(12, 2)", FITS),
    Case(column(sa.Numeric(10, 2)), "x numeric", FITS),
    Case(column(sa.Numeric(10, 2)), "x numeric(10, 3)", FITS),
    Case(column(sa.Numeric(10, 2)), "x numeric(10, 1)", "numeric(10,1)"),
    Case(column(sa.Numeric), "x numeric(10, 2)", "numeric(10,2)"),
    Case(column(sa.Numeric(5, 0)), "x numeric(5, -2)", "numeric(5,-2)"),
    Case(column(sa.Numeric), "x money", "money"),
    Case(column(sa.LargeBinary), "x bytea", FITS),
    Case(column(sa.LargeBinary), "x text", "text"),
    Case(column(postgresql.JSONB), "x jsonb", FITS),
    Case(column(postgresql.JSONB), "x json", "json"),
    Case(column(sa.JSON), "x jsonb", "jsonb"),
    Case(column(ENUM), "x mood", FITS),
    Case(column(ENUM), "x more_moods", "more_moods"),
    Case(column(sa.Enum(Mood, name="moods")), "x mood", "no type moods; the column is mood"),
    Case(column(ENUM), "x text", "text"),
    Case(column(sa.Enum(Mood, name="more_moods")), "x more_moods", FITS),
    Case(column(sa.Enum("sad", name="fewer", schema="other")), "x other.fewer", FITS),
    Case(column(sa.Enum("sad", "new", name="fewer", schema="other")), "x other.fewer", "other.fewer (sad)"),
    Case(column(sa.Enum(Mood, native_enum=False)), "x varchar(4)", FITS),
    Case(column(sa.Enum(Mood, native_enum=False)), "x mood", "mood"),
    Case(column(postgresql.ARRAY(sa.Text)), "x text[]", FITS),
    Case(column(postgresql.ARRAY(sa.Text)), "x varchar[]", FITS),
    Case(column(postgresql.ARRAY(sa.Text)), "x varchar(3)[]", "character varying(3)[]"),
    Case(column(postgresql.ARRAY(sa.Text)), "x text", "text"),
    Case(column(sa.Text), "x text[]", "text[]"),
    Case(column(postgresql.ARRAY(UTC)), "x timestamp[]", "timestamp without time zone[]"),
    Case(column(postgresql.ARRAY(ENUM)), "x mood[]", FITS),
    Case(column(sa.Integer), "x positive", FITS),
    Case(column(sa.BigInteger), "x positive", "positive"),
    Case(column(sa.String(10)), "x short_code", "short_code"),
    Case(column(sa.String(3)), "x short_code", FITS),
    Case(column(postgresql.ARRAY(sa.Integer)), "x positive[]", FITS),
    Case(column(postgresql.DOMAIN("positive", sa.Integer)), "x positive", FITS),
    Case(column(postgresql.DOMAIN("positive", sa.Integer)), "x integer", FITS),
    Case(column(postgresql.DOMAIN("negative", sa.Integer)), "x integer", "no type negative"),
    Case(column(postgresql.INET), "x text", FITS),  # shown as it is, and no body can hold it
    # NULL
    Case(column(sa.Text, nullable=False), "x text", "may hold NULL"),
    Case(column(sa.Text, nullable=False), "x text not null", FITS),
    Case(column(sa.Integer, nullable=False), "x required", FITS),
    Case(column(sa.Text), "x text not null", "NOT NULL without a default"),
    Case(column(sa.Text), "x text not null default ''", FITS),
    Case(column(sa.Text, default=""), "x text not null", FITS),
    Case(column(sa.Integer), "x required", "NOT NULL without a default"),
    # Values that the database makes
    Case(column(sa.Text, server_default=text("''")), "x text", "no default"),
    Case(column(sa.Text, server_default=text("''")), "x text default 'another'", FITS),
    Case(column(sa.Integer, server_default=text("1")), "x preset", FITS),
    Case(column(sa.Integer, server_default=FetchedValue()), "x integer", FITS),
    Case(column(sa.Integer, server_default=FetchedValue(), nullable=False), "x integer not null", "no default"),
    Case(column(sa.Integer, server_default=text("1")), "x integer not null", "no default"),
    Case(sa.Column("x", sa.Integer, sa.Computed("1 + 1")), "x integer", "an ordinary one"),
    Case(column(sa.Integer), "x integer generated always as (1 + 1) stored", "a computed column"),
    Case(sa.Column("x", sa.Integer, sa.Computed("1 + 1")), "x integer generated always as (1 + 1) stored", FITS),
    Case(sa.Column("x", sa.Integer, Identity(), nullable=False), "x integer not null", "no default"),
    Case(column(sa.Integer), "x integer not null generated always as identity", "GENERATED ALWAYS"),
    Case(column(sa.Integer), "x integer not null generated by default as identity", FITS),
    # Columns
    Case(column(sa.Text), "y text", "no such column"),
    Case(column(sa.Text), "x text, y text", FITS),
    Case(column(sa.Text), "x text, y text not null default ''", FITS),
    Case(column(sa.Text), "x text, y text not null", "one that is NOT NULL without a default"),
]
DEFINITIONS = """
    create extension citext;
    create schema other;
    create type mood as enum ('SAD', 'GLAD');
    create type more_moods as enum ('SAD', 'GLAD', 'ANGRY');
    create type other.fewer as enum ('sad');
    create domain positive as integer check (value > 0);
    create domain required as integer not null;
    create domain preset as integer default 7;
    create domain short_code as varchar(3);
"""


def entity_with(declared: sa.Column[Any], key: sa.Column[Any] | None = None, **options: Any) -> Entity:
    """The entity of a model with a key and this column."""
    id_ = sa.Column("id", sa.Integer, primary_key=True) if key is None else key
    table = Table("things", MetaData(), id_, declared, **options)
    model = type("Thing", (), {})
    registry().map_imperatively(model, table)
    return entity_of(model)


@pytest.fixture(scope="module")
def defined_url(module_database_url: str, postgresql: EmbeddedPostgreSQL) -> str:
    """The DSN of a database with the types of the cases."""
    postgresql.execute(DEFINITIONS, database=urlsplit(module_database_url).path[1:])
    return module_database_url


@pytest.fixture
async def connection(defined_url: str) -> AsyncIterator["asyncpg.Connection[Any]"]:
    made = await asyncpg.connect(defined_url)
    yield made
    await made.close()


async def found_of(
    connection: "asyncpg.Connection[Any]", entity: Entity, script: str, *, creates: bool = True
) -> list[Mismatch]:
    """What does not fit of the tables that the script makes, which are rolled back."""
    expected = ExpectedTables([ExpectedTable(entity, creates)])
    transaction = connection.transaction()
    await transaction.start()
    try:
        await connection.execute(script)
        found = expected.mismatches(await reflect(connection, expected.tables, expected.types))
    finally:
        await transaction.rollback()
    return found.get(entity.table.fullname, [])


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.declared.type!r}, {case.real}")
async def test_what_makes_a_wrong_response_is_found_and_nothing_else(
    connection: "asyncpg.Connection[Any]", case: Case
) -> None:
    script = f"create table things (id integer primary key generated by default as identity, {case.real})"
    found = await found_of(connection, entity_with(case.declared), script)
    if case.words == FITS:
        assert found == []
    else:
        assert [case.words in each.actual for each in found] == [True], found
        assert found[0].location in ("things.x", "things.y")
        assert found[0].hint


KEYS = [
    (sa.Column("id", sa.Integer, primary_key=True), "id serial primary key", FITS),
    (sa.Column("id", sa.Integer, primary_key=True), "id integer primary key", "no default"),
    (sa.Column("id", sa.Integer, primary_key=True), "id bigserial primary key", "bigint"),
    (sa.Column("id", sa.Integer, primary_key=True, autoincrement=False), "id integer primary key", FITS),
    (sa.Column("id", sa.Integer, primary_key=True), "id serial not null", "no unique index on it"),
    (sa.Column("id", sa.Integer, primary_key=True), "id serial not null unique", FITS),
    (sa.Column("id", sa.Integer, primary_key=True), "id serial, z integer default 1, primary key (id, z)", "no unique"),
    (sa.Column("id", sa.Uuid, primary_key=True, server_default=text("uuidv7()")), "id uuid primary key", "no default"),
    (sa.Column("id", sa.Text, primary_key=True), "id text primary key", FITS),
]


@pytest.mark.parametrize(("key", "real", "words"), KEYS, ids=str)
async def test_a_key_leads_to_one_row_and_is_made_as_the_model_says(
    connection: "asyncpg.Connection[Any]", key: sa.Column[Any], real: str, words: str
) -> None:
    found = await found_of(connection, entity_with(column(sa.Text), key), f"create table things ({real}, x text)")
    assert [words in each.actual for each in found] == [True] * bool(words), found


async def test_what_only_creation_needs_is_no_matter_where_nobody_creates(
    connection: "asyncpg.Connection[Any]",
) -> None:
    entity = entity_with(column(sa.Text, server_default=text("''")))
    script = "create table things (id integer primary key, x text, y text not null)"
    assert len(await found_of(connection, entity, script)) == 3
    assert await found_of(connection, entity, script, creates=False) == []


async def test_a_trigger_may_fill_what_an_insert_leaves_out(connection: "asyncpg.Connection[Any]") -> None:
    script = """
        create table things (id integer primary key, x text not null, y tsvector not null);
        create function fill() returns trigger language plpgsql as $$begin new.id := 1; return new; end$$;
        create trigger fills before insert on things for each row execute function fill();
    """
    entity = entity_with(column(sa.Text))
    assert await found_of(connection, entity, script) == []
    assert len(await found_of(connection, entity, f"{script}; alter table things disable trigger fills")) == 3


OTHER_KINDS = [
    ("create view things as select 1 as id, 'x'::text as x", FITS),
    ("create materialized view things as select 1 as id, 'x'::text as x", FITS),
    ("create view things as select 1 as id, now()::timestamp as x", "timestamp without time zone"),
    ("create table things (id integer not null, x text not null) partition by list (x)", FITS),
    ("create table things (id integer not null, x text) partition by list (x)", "may hold NULL"),
    (
        "create extension postgres_fdw; create server there foreign data wrapper postgres_fdw;"
        "create foreign table things (id integer not null, x text not null) server there",
        FITS,
    ),
    ("create table other.things (id integer primary key, x text not null)", "no table of this name"),
    (
        "create table other.things (id integer primary key, x text not null); set local search_path = other, public",
        FITS,
    ),
    ("create type things as (id integer, x text)", "no table of this name"),
]


@pytest.mark.parametrize(("script", "words"), OTHER_KINDS)
async def test_views_partitioned_and_foreign_tables_and_schemas(
    connection: "asyncpg.Connection[Any]", script: str, words: str
) -> None:
    entity = entity_with(column(sa.Text, nullable=False))
    found = await found_of(connection, entity, script, creates=False)
    assert [words in each.actual for each in found] == [True] * bool(words), found


async def test_a_role_without_privileges_finds_the_same(connection: "asyncpg.Connection[Any]") -> None:
    entity = entity_with(column(sa.Enum("sad", name="fewer", schema="other")), schema="other")
    script = """
        create table other.things (id serial primary key, x other.fewer);
        revoke all on schema other from public;
        create role nobody_special;
        set local role nobody_special;
    """
    assert await found_of(connection, entity, script) == []


async def test_a_not_null_that_is_not_valid_does_not_hold(connection: "asyncpg.Connection[Any]") -> None:
    script = "create table things (id serial primary key, x text); alter table things add not null x not valid"
    entity = entity_with(column(sa.Text, nullable=False))
    if connection.get_server_version().major < 18:
        with pytest.raises(asyncpg.PostgresSyntaxError):  # the earlier ones do not have it
            await found_of(connection, entity, script)
        return
    found = await found_of(connection, entity, script)
    assert [each.actual for each in found] == ["a column that may hold NULL"]


async def test_the_catalog_can_be_read_while_a_migration_holds_the_table(
    connection: "asyncpg.Connection[Any]", defined_url: str
) -> None:
    other = await asyncpg.connect(defined_url, server_settings={"lock_timeout": "1", "statement_timeout": "9s"})
    async with connection.transaction():
        await connection.execute("create table things (id serial primary key, x text)")
    async with connection.transaction():
        await connection.execute("lock table things in access exclusive mode")
        expected = ExpectedTables([ExpectedTable(entity_with(column(sa.Text)), creates=True)])
        found = expected.mismatches(await reflect(other, expected.tables, expected.types))
    await connection.execute("drop table things")
    await other.close()
    assert found == {}
