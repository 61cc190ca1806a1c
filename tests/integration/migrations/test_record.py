"""What Gatepost makes is recorded in the same transaction; a database without a record can be claimed."""

import asyncio
import uuid
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from migrated_models import again, connected, dump, names_on, record, run, shop, things, with_function
from sqlalchemy import CheckConstraint, Column, Enum, Integer, MetaData, Table, Text

from gatepost.embedded.postgresql import EmbeddedPostgreSQL
from gatepost.errors import ConfigurationError
from gatepost.migrations.applied import Applied
from gatepost.migrations.apply import find_plan
from gatepost.migrations.claims import claim, find_claims
from gatepost.migrations.file_commands import check, down, make, status, up
from gatepost.migrations.safe_changes import apply_lossless
from gatepost.models.base import NAMING
from gatepost.record_tables import RECORD_TABLES

TO_EARLIER_VERSION = (
    "CREATE TABLE gatepost_schema (one boolean PRIMARY KEY DEFAULT true CHECK (one), fingerprint text NOT NULL,"
    " applied_at timestamptz NOT NULL DEFAULT now())",
    "INSERT INTO gatepost_schema (fingerprint) VALUES ('of an earlier version')",
    "DROP SCHEMA gatepost CASCADE",
)
"""Make the record of Gatepost that of a version before there was one."""


class LimitedRole(NamedTuple):
    """A role, and the DSN by which it reaches the database of the test."""

    name: str
    url: str


@pytest.fixture
async def limited(database_url: str, postgresql: EmbeddedPostgreSQL) -> AsyncIterator[LimitedRole]:
    """A role that may make tables in the schema `public`, and nothing else."""
    role = f"role_{uuid.uuid4().hex}"
    postgresql.execute(f"CREATE ROLE {role} LOGIN")
    try:
        await run(database_url, f"GRANT CREATE, USAGE ON SCHEMA public TO {role}")
        yield LimitedRole(role, database_url.replace("gatepost@", f"{role}@"))
    finally:
        await run(database_url, f"DROP OWNED BY {role}")
        postgresql.execute(f"DROP ROLE {role}")


async def test_a_renamed_table_is_not_ours_until_it_is_claimed(database_url: str) -> None:
    await apply_lossless(database_url, things(Column("x", Text)))
    await run(database_url, "ALTER TABLE things RENAME TO stuff")

    def stuff(*more: Column[Any]) -> MetaData:
        metadata = MetaData(naming_convention=NAMING)
        Table("stuff", metadata, Column("id", Integer, primary_key=True), Column("x", Text), *more)
        return metadata

    metadata = stuff(Column("y", Integer))
    pending = await find_plan(database_url, metadata)
    assert "Gatepost did not create the table stuff" in pending.refused[0]
    assert ("table", "stuff") in {(key.kind, key.name) for key in (await claim(database_url, stuff())).equal}
    assert (await again(database_url, metadata, all_or_nothing=True)).statements == [
        "ALTER TABLE stuff ADD COLUMN y INTEGER"
    ]


async def test_files_record_what_they_make_of_the_models_and_nothing_else(database_url: str, tmp_path: Any) -> None:
    folder = tmp_path / "migrations"
    path = await make(database_url, with_function(), folder, "First")
    assert path is not None
    text_ = path.read_text().replace(
        "def downgrade", '    op.execute("CREATE INDEX hand ON things (kind)")\n\n\ndef downgrade'
    )
    path.write_text(text_)
    await up(database_url, folder, metadata=with_function())
    listed = await record(database_url)
    assert {("table", "things"), ("index", "ix_things_x"), ("trigger", "keeps"), ("function", "keep")} <= listed
    assert {("type", "kind"), ("constraint", "pk_things")} <= listed
    assert ("index", "hand") not in listed
    assert (await again(database_url, things(), all_or_nothing=True)).statements.count("DROP INDEX ix_things_x") == 1
    assert "hand" in await names_on(database_url, "things")


async def test_a_revision_that_stops_leaves_no_record_of_itself(database_url: str, tmp_path: Any) -> None:
    folder = tmp_path / "migrations"
    path = await make(database_url, things(), folder, "First")
    assert path is not None
    path.write_text(path.read_text().replace("def downgrade", '    op.execute("SELECT 1 / 0")\n\n\ndef downgrade'))
    with pytest.raises(ConfigurationError, match="division by zero"):
        await up(database_url, folder, metadata=things())
    assert await record(database_url) == set()


async def test_undone_files_take_their_record_with_them(database_url: str, tmp_path: Any) -> None:
    folder = tmp_path / "migrations"
    await make(database_url, with_function(), folder, "First")
    await up(database_url, folder, metadata=with_function())
    await down(database_url, folder, metadata=with_function())
    assert {kind for kind, _ in await record(database_url)} <= {"schema", "extension"}


async def test_a_database_of_an_earlier_version_is_brought_over_and_claimed(database_url: str) -> None:
    await apply_lossless(database_url, shop())
    await run(
        database_url,
        *TO_EARLIER_VERSION,
        "DROP INDEX ix_books_price_id",
        "CREATE INDEX ix_books_price_id ON books (id, price)",
    )
    pending = await find_plan(database_url, shop())
    assert (pending.allowed, len(pending.refused)) == ([], 1)
    found = await find_claims(database_url, shop())
    assert [key.name for key in found.different] == ["ix_books_price_id"]
    await claim(database_url, shop())
    assert {("table", "books"), ("table", "authors"), ("trigger", "zz_gatepost_keep_row")} <= await record(database_url)
    async with connected(database_url) as connection:
        assert await connection.fetchval("SELECT to_regclass('gatepost_schema')") is None
        assert (
            await connection.fetchval("SELECT fingerprint FROM gatepost.schema_fingerprints") == "of an earlier version"
        )
    assert (await find_claims(database_url, shop())).equal == []


async def test_somebody_elses_tables_of_our_names_are_left_alone(
    database_url: str, postgresql: EmbeddedPostgreSQL
) -> None:
    await run(database_url, "CREATE TABLE gatepost_schema (id int)")
    await apply_lossless(database_url, things(), all_or_nothing=True)
    async with connected(database_url) as connection:
        assert await connection.fetch("SELECT id FROM gatepost_schema") == []
    await run(database_url, "DROP SCHEMA gatepost CASCADE", "CREATE SCHEMA gatepost")
    await run(database_url, "CREATE TABLE gatepost.schema_objects (id int)")
    before = dump(postgresql, database_url)
    with pytest.raises(ConfigurationError, match=r"The table gatepost\.schema_objects is not the one"):
        await apply_lossless(database_url, things(Column("x", Text)), all_or_nothing=True)
    assert dump(postgresql, database_url) == before


async def test_a_role_that_may_not_record_is_told_what_to_run(
    database_url: str, postgresql: EmbeddedPostgreSQL, limited: LimitedRole, tmp_path: Path
) -> None:
    before = dump(postgresql, database_url)
    with pytest.raises(ConfigurationError, match="CREATE SCHEMA IF NOT EXISTS gatepost;") as refusal:
        await apply_lossless(limited.url, things(), all_or_nothing=True)
    assert dump(postgresql, database_url) == before
    script = str(refusal.value).partition("run: ")[2]
    await run(database_url, *script.strip().rstrip(";").split("; "))
    await apply_lossless(limited.url, things(), all_or_nothing=True)
    await make(database_url, things(more="others"), tmp_path / "migrations", "First")
    await run(database_url, f"REVOKE CREATE ON SCHEMA public FROM {limited.name}", "DROP TABLE things")
    with pytest.raises(ConfigurationError, match="GRANT USAGE, CREATE ON SCHEMA public"):
        await up(limited.url, tmp_path / "migrations", metadata=things(more="others"))
    with pytest.raises(ConfigurationError, match="GRANT USAGE, CREATE ON SCHEMA public"):
        await apply_lossless(limited.url, things(more="others"), all_or_nothing=True)


async def test_a_role_named_gatepost_finds_its_tables_where_they_were(database_url: str) -> None:
    await run(
        database_url,
        "DO $$BEGIN EXECUTE 'ALTER DATABASE ' || current_database() || "
        '$q$ SET search_path = "$user", public$q$; END$$',
    )
    await apply_lossless(database_url, things(), all_or_nothing=True)
    async with connected(database_url) as connection:
        assert await connection.fetchval("SELECT current_schema()") == "gatepost"
    assert (await again(database_url, things(Column("x", Text)), all_or_nothing=True)).statements == [
        "ALTER TABLE things ADD COLUMN x TEXT"
    ]


async def test_starts_at_once_record_once(database_url: str) -> None:
    await asyncio.gather(*(apply_lossless(database_url, with_function(), all_or_nothing=True) for _ in range(3)))
    assert (await again(database_url, with_function(), all_or_nothing=True)).statements == []


async def test_an_embedded_database_of_an_earlier_version_is_brought_over_without_a_word(database_url: str) -> None:
    await apply_lossless(database_url, shop())
    await run(database_url, *TO_EARLIER_VERSION)
    assert await apply_lossless(database_url, shop(), embedded=True) == Applied([], [])
    assert {("table", "books"), ("constraint", "ck_books_price_ge"), ("index", "ix_books_price_id")} <= (
        await record(database_url)
    )
    async with connected(database_url) as connection:
        assert await connection.fetchval("SELECT to_regclass('gatepost_schema')") is None
    assert (await find_claims(database_url, shop())).equal == []


async def test_files_that_the_models_are_ahead_of_make_tables_that_are_ours(database_url: str, tmp_path: Any) -> None:
    folder = tmp_path / "migrations"
    await make(database_url, things(Column("x", Text, index=True)), folder, "First")
    ahead = things(Column("x", Text, index=True), Column("y", Integer))
    await up(database_url, folder, metadata=ahead)
    assert {("table", "things"), ("index", "ix_things_x")} <= await record(database_url)
    assert (await again(database_url, ahead, all_or_nothing=True)).statements == [
        "ALTER TABLE things ADD COLUMN y INTEGER"
    ]


async def test_a_role_without_rights_on_the_record_looks_and_is_told_what_to_grant(
    database_url: str, limited: LimitedRole, tmp_path: Path
) -> None:
    folder, metadata = tmp_path / "migrations", things(Column("x", Text))
    await make(database_url, metadata, folder, "First")
    await up(database_url, folder, metadata=metadata)
    await run(database_url, f"GRANT SELECT ON ALL TABLES IN SCHEMA public TO {limited.name}")
    assert (await find_plan(limited.url, metadata)).refused == []
    assert await apply_lossless(limited.url, metadata, all_or_nothing=True) == Applied([], [])
    now = await status(limited.url, folder)
    assert (now.pending, now.drift) == ((), None)
    assert await check(limited.url, metadata, folder) == []
    more = things(Column("x", Text), more="others")
    assert len(await check(limited.url, more, folder)) == 2
    with pytest.raises(ConfigurationError, match="GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES"):
        await apply_lossless(limited.url, more, all_or_nothing=True)


async def test_what_rows_refuse_undoes_everything_and_its_record(
    database_url: str, postgresql: EmbeddedPostgreSQL
) -> None:
    await apply_lossless(database_url, things(Column("x", Integer, server_default="1")))
    await run(database_url, "INSERT INTO things DEFAULT VALUES")
    before, listed = dump(postgresql, database_url), await record(database_url)
    metadata = things(Column("x", Integer), CheckConstraint("x > 5", name="big"), more="others")
    with pytest.raises(ConfigurationError, match="is violated by some row"):
        await apply_lossless(database_url, metadata, all_or_nothing=True)
    assert (dump(postgresql, database_url), await record(database_url)) == (before, listed)


@pytest.mark.parametrize("default", [None, "z"])
async def test_what_is_refused_leaves_no_new_value_of_an_enum(
    database_url: str, postgresql: EmbeddedPostgreSQL, default: str | None
) -> None:
    await apply_lossless(database_url, things(Column("x", Enum("a", "b", name="mood")), Column("y", Integer)))
    await run(database_url, "INSERT INTO things (y) VALUES (1)")
    before, listed = dump(postgresql, database_url), await record(database_url)

    def values() -> Column[Any]:
        return Column("x", Enum("a", "b", "z", name="mood"), server_default=default)

    for rule, refusal in (("y > 5", "is violated by some row"), ("y > 0", None)):
        metadata = things(values(), Column("y", Integer), CheckConstraint(rule, name="big"))
        if refusal is not None:
            with pytest.raises(ConfigurationError, match=refusal):
                await apply_lossless(database_url, metadata, all_or_nothing=True)
            assert (dump(postgresql, database_url), await record(database_url)) == (before, listed)
        else:
            applied = await apply_lossless(database_url, metadata, all_or_nothing=True)
            assert not applied.refused
            assert (await again(database_url, metadata)).statements == []


async def test_tables_that_a_later_version_has_are_made_though_the_models_are_as_before(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    metadata, tables = things(Column("x", Text)), dict(RECORD_TABLES)
    with monkeypatch.context() as patched:
        patched.delitem(RECORD_TABLES, "alert_claims")
        await apply_lossless(database_url, metadata)
    assert tables == RECORD_TABLES
    assert await apply_lossless(database_url, metadata) == Applied([], [])
    async with connected(database_url) as connection:
        assert await connection.fetchval("SELECT count(*) FROM gatepost.alert_claims") == 0
