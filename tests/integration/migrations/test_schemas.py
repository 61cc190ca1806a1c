"""Tables in schemas of their own: created, compared, changed, undone; what others keep there is left alone."""

from pathlib import Path
from typing import Any

import pytest
from migrated_models import again, connected, run, shop
from sqlalchemy import Column, Enum, ForeignKey, Integer, MetaData, String, Table, Text

from gatepost.migrations.applied import Applied
from gatepost.migrations.connections import run_on
from gatepost.migrations.file_commands import adopt, check, down, make, up
from gatepost.migrations.pg_catalog import read_catalog
from gatepost.migrations.safe_changes import apply_lossless
from gatepost.models.base import NAMING

NOTHING = Applied([], [])
SCHEMAS = ["store", "public", "Odd one"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "migrations"


async def catalog(database_url: str) -> dict[str, str]:
    return await run_on(database_url, lambda connection: read_catalog(connection, SCHEMAS))


@pytest.mark.parametrize("schema", SCHEMAS)
async def test_what_was_applied_in_a_schema_is_not_applied_again(database_url: str, schema: str) -> None:
    assert (await apply_lossless(database_url, shop(schema))).refused == []
    assert await again(database_url, shop(schema)) == NOTHING
    async with connected(database_url) as connection:
        kept = await connection.fetchval(
            "SELECT count(*) FROM pg_trigger WHERE tgname = 'zz_gatepost_keep_row' AND tgrelid = to_regclass($1)",
            f'"{schema}".books',
        )
    assert kept == 1


@pytest.mark.parametrize("schema", ["public", "Odd one"])
async def test_files_for_a_schema_go_up_down_and_up(database_url: str, folder: Path, schema: str) -> None:
    assert await make(database_url, shop(schema), folder, "First") is not None
    await up(database_url, folder)
    first = await catalog(database_url)
    assert any(name.startswith("table ") for name in first)
    assert await check(database_url, shop(schema), folder) == []
    await down(database_url, folder)
    assert await catalog(database_url) == {}
    await up(database_url, folder)
    assert await catalog(database_url) == first
    assert await make(database_url, shop(schema), folder, "Nothing") is None


async def test_files_and_lossless_changes_make_the_same_schema(database_url: str, folder: Path) -> None:
    await make(database_url, shop("store"), folder, "First")
    await apply_lossless(database_url, shop("store"))
    assert await adopt(database_url, folder) is not None
    assert await check(database_url, shop("store"), folder) == []


def stocks(*more: Any, kinds: tuple[str, ...] = ("a", "b"), schema: str | None = "store") -> MetaData:
    """Two tables of one name in two schemas, the one referring to the other, and an enum of the schema."""
    metadata = MetaData(naming_convention=NAMING)
    Table("things", metadata, Column("id", Integer, primary_key=True), Column("name", String(5), index=True))
    Table(
        "things",
        metadata,
        Column("id", Integer, primary_key=True),
        Column("other_id", ForeignKey("things.id"), index=True),
        Column("kind", Enum(*kinds, name="kind", schema=schema), server_default="a"),
        *more,
        schema=schema,
    )
    return metadata


async def test_changes_in_a_schema_are_seen_and_undone(database_url: str, folder: Path) -> None:
    before = stocks(Column("x", String(5)), Column("y", Text, server_default="1"))
    after = stocks(Column("x", Text, unique=True), Column("y", Integer, server_default="2"), kinds=("b", "a", "c"))
    await make(database_url, before, folder, "First")
    await up(database_url, folder)
    first = await catalog(database_url)
    path = await make(database_url, after, folder, "Second", allow_loss=True)
    assert path is not None
    assert "# LOSES DATA: convert store.things.y" in path.read_text()
    await up(database_url, folder)
    assert await check(database_url, after, folder) == []
    await down(database_url, folder)
    assert await catalog(database_url) == first
    await run(database_url, "ALTER TABLE store.things ADD COLUMN z int, DISABLE TRIGGER ALL")
    assert await check(database_url, before, folder) != []


async def test_tables_of_others_in_a_schema_are_left_alone(database_url: str) -> None:
    await run(
        database_url,
        "CREATE SCHEMA store",
        "CREATE TYPE store.theirs AS ENUM ('x')",
        "CREATE TABLE store.legacy (id int PRIMARY KEY, kind store.theirs)",
        "CREATE SCHEMA elsewhere",
        "CREATE TABLE elsewhere.things (id int)",
    )
    assert (await apply_lossless(database_url, stocks())).refused == []
    assert await again(database_url, stocks()) == NOTHING
    applied = await apply_lossless(database_url, stocks(Column("y", Integer)))
    assert applied.statements == ["ALTER TABLE store.things ADD COLUMN y INTEGER"]
    async with connected(database_url) as connection:
        assert await connection.fetch("SELECT FROM store.legacy") == []


async def test_a_table_that_moves_to_another_schema_is_one_that_goes_and_one_that_comes(
    database_url: str, folder: Path
) -> None:
    await make(database_url, stocks(), folder, "First")
    moved = await make(database_url, shop("store"), folder, "Moved", allow_loss=True)
    assert moved is not None
    source = moved.read_text()
    assert "drops the table store.things and every row of it" in source
    assert "op.drop_table('things', schema='store')" in source
    await up(database_url, folder)
    assert await check(database_url, shop("store"), folder) == []
