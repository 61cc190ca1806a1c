"""What Gatepost did not make is neither dropped nor changed, and what it did make is known by its record."""

import asyncio
import uuid
from pathlib import Path
from typing import Any

import pytest
from migrated_models import connected, dump, run, shop, shop_without_objects, things
from sqlalchemy import CheckConstraint, Column, Enum, ForeignKey, Index, Integer, MetaData, String, Table, Text, text
from sqlalchemy.dialects.postgresql import ARRAY

from gatepost.embedded.postgresql import EmbeddedPostgreSQL
from gatepost.errors import ConfigurationError
from gatepost.migrations.claims import claim, find_claims
from gatepost.migrations.file_commands import check, differences, down, make, status, up
from gatepost.migrations.safe_changes import Applied, apply_lossless, find_pending, is_empty
from gatepost.models.base import NAMING
from gatepost.models.schema_objects import add_object, trigger, trigger_function

FOREIGN = (
    "CREATE TYPE mood AS ENUM ('sad', 'glad')",
    "CREATE DOMAIN age AS integer CHECK (VALUE > 0)",
    "CREATE TYPE pair AS (a int, b int)",
    "CREATE SEQUENCE numbers",
    "CREATE SCHEMA elsewhere",
    "CREATE TABLE elsewhere.things (id int PRIMARY KEY, x text)",
    "CREATE TABLE theirs (id serial PRIMARY KEY, a int, b int CHECK (b > 1), feeling mood, UNIQUE (a, b))",
    "CREATE UNIQUE INDEX theirs_ab ON theirs (a, b)",
    "CREATE UNIQUE INDEX theirs_part ON theirs (a) WHERE b > 3",
    "CREATE INDEX theirs_lower ON theirs (lower(a::text))",
    "CREATE TABLE things (id serial PRIMARY KEY, x varchar(10) NOT NULL DEFAULT 'a', more int)",
    "ALTER TABLE things ADD CONSTRAINT x_is_long CHECK (length(x) > 0), ADD CONSTRAINT things_more_key UNIQUE (more)",
    "CREATE INDEX things_part ON things (more) WHERE more > 3",
    "CREATE UNIQUE INDEX things_lower ON things (lower(x))",
    "CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN RETURN NEW; END$$",
    "CREATE TRIGGER touched BEFORE UPDATE ON things FOR EACH ROW EXECUTE FUNCTION touch()",
    "CREATE VIEW seen AS SELECT id FROM things",
    "CREATE RULE quiet AS ON DELETE TO theirs DO INSTEAD NOTHING",
    "COMMENT ON TABLE things IS 'theirs'",
    "CREATE POLICY mine ON theirs USING (a > 1)",
)


async def again(database_url: str, metadata: MetaData, **options: bool) -> Applied:
    """Compare once more, whatever the note of the last time says."""
    await run(database_url, "DELETE FROM gatepost.schema_fingerprints")
    return await apply_lossless(database_url, metadata, **options)


async def record(database_url: str) -> set[tuple[str, str]]:
    """Kind and name of what is listed."""
    async with connected(database_url) as connection:
        rows = await connection.fetch("SELECT kind, name FROM gatepost.schema_objects")
    return {(row[0], row[1]) for row in rows}


async def names_on(database_url: str, table: str) -> set[str]:
    """The indexes and constraints of a table."""
    async with connected(database_url) as connection:
        rows = await connection.fetch(
            "SELECT indexrelid::regclass::text FROM pg_index WHERE indrelid = $1::regclass UNION "
            "SELECT conname::text FROM pg_constraint WHERE conrelid = $1::regclass",
            table,
        )
    return {row[0] for row in rows}


MAPPED: list[tuple[list[Any], bool]] = [
    # What the models say of a table of others, and whether they fit as it is.
    ([Column("x", String(10), nullable=False)], True),
    ([Column("x", String(10))], True),
    ([Column("more", Integer, unique=True)], True),
    ([Column("x", String(10), nullable=False), CheckConstraint("length(x) > 0", name="long")], True),
    ([Column("x", String(10)), Index("by_x", text("lower(x)"), unique=True)], True),
    ([Column("y", Integer)], False),
    ([Column("x", String(10), index=True)], False),
    ([Column("x", String(10), unique=True)], False),
    ([Column("more", Integer, nullable=False)], False),
    ([Column("more", Integer, server_default="1")], False),
    ([Column("x", String(20))], False),
    ([Column("x", String(5))], False),
    ([Column("x", String(10), server_default="b")], False),
    ([Column("more", Integer), CheckConstraint("more > 7", name="much")], False),
    ([Column("more", ForeignKey("theirs.id"))], False),
]


async def test_a_table_of_others_is_not_touched_whatever_the_models_say(
    database_url: str, postgresql: EmbeddedPostgreSQL
) -> None:
    await run(database_url, *FOREIGN)
    before = dump(postgresql, database_url)
    for items, fits in MAPPED:
        metadata = things(*items)
        Table("theirs", metadata, Column("id", Integer, primary_key=True))
        pending = await find_pending(database_url, metadata)
        assert (pending.allowed, not pending.refused) == ([], fits), items
        if not fits:
            with pytest.raises(ConfigurationError, match="things"):
                await apply_lossless(database_url, metadata, all_or_nothing=True)
        assert (await apply_lossless(database_url, metadata)).statements == []
        assert dump(postgresql, database_url) == before, items


async def test_extend_adds_to_a_table_of_others_and_drops_and_alters_nothing(
    database_url: str, postgresql: EmbeddedPostgreSQL
) -> None:
    await run(database_url, *FOREIGN)
    before = dump(postgresql, database_url).splitlines()
    metadata = things(
        Column("x", String(20), index=True),
        Column("more", Integer, server_default="5"),
        Column("y", Integer),
        CheckConstraint("more <> 9", name="nine"),
    )
    metadata.info.clear()
    table = metadata.tables["things"]
    function = trigger_function("kept", "BEGIN RETURN NEW; END")
    add_object(table, function)
    add_object(table, trigger("keeps", table, "BEFORE INSERT {table}", "FOR EACH ROW EXECUTE FUNCTION kept()"))
    applied = await apply_lossless(database_url, metadata, extend=True)
    assert [item.split(":")[0] for item in applied.refused] == ["change things.x"]
    after = dump(postgresql, database_url).splitlines()
    assert [line.strip(",;") for line in before if line.strip(",;") not in "\n".join(after)] == []
    assert {("index", "ix_things_x"), ("constraint", "ck_things_nine"), ("trigger", "keeps"), ("function", "kept")} <= (
        await record(database_url)
    )
    assert ("table", "things") not in await record(database_url)
    assert "things" not in {key.name for key in (await find_claims(database_url, metadata)).equal}
    # What was added is Gatepost's, and goes with its declaration; the table is still not.
    again_ = await again(database_url, things(Column("x", String(10)), Column("more", Integer), Column("y", Integer)))
    assert again_.refused == []
    assert {"things_lower", "things_part", "x_is_long", "things_more_key"} <= await names_on(database_url, "things")
    assert not {"ix_things_x", "ck_things_nine"} & await names_on(database_url, "things")


async def test_what_others_add_to_a_table_of_ours_stays(database_url: str) -> None:
    await apply_lossless(database_url, things(Column("x", Text, index=True)))
    await run(
        database_url,
        "CREATE UNIQUE INDEX by_hand ON things (x) WHERE x > 'b'",
        "ALTER TABLE things ADD COLUMN y int, ADD CONSTRAINT also_by_hand CHECK (x <> 'q')",
        "CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN RETURN NEW; END$$",
        "CREATE TRIGGER touched BEFORE UPDATE ON things FOR EACH ROW EXECUTE FUNCTION touch()",
    )
    applied = await again(
        database_url, things(Column("x", Text), Column("z", Integer, index=True)), all_or_nothing=True
    )
    assert applied.kept == ["The column things.y is in no model: it is kept, with every value in it."]
    assert "DROP INDEX ix_things_x" in applied.statements
    assert {"by_hand", "also_by_hand", "ix_things_z"} <= await names_on(database_url, "things")
    async with connected(database_url) as connection:
        assert await connection.fetchval("SELECT count(*) FROM pg_trigger WHERE tgname = 'touched'") == 1


BY_HAND: list[tuple[list[str], str]] = [
    (
        ["DROP INDEX ix_books_price_id", "CREATE INDEX ix_books_price_id ON books (id, price)"],
        "The index ix_books_price_id on books",
    ),
    (
        ["ALTER TABLE books DROP CONSTRAINT ck_books_price_ge, ADD CONSTRAINT ck_books_price_ge CHECK (price > 5)"],
        "The constraint ck_books_price_ge on books",
    ),
    (
        ["ALTER TABLE books DISABLE TRIGGER zz_gatepost_keep_row"],
        "The trigger zz_gatepost_keep_row on books",
    ),
]


async def test_what_was_changed_by_hand_is_named_and_stays(database_url: str, postgresql: EmbeddedPostgreSQL) -> None:
    await apply_lossless(database_url, shop())
    async with connected(database_url) as connection:
        name = await connection.fetchval("SELECT proname FROM pg_proc WHERE proname LIKE 'gatepost_keep%' LIMIT 1")
    body = "RETURNS trigger LANGUAGE plpgsql AS $$BEGIN RETURN NEW; END$$"
    cases = [*BY_HAND, ([f"CREATE OR REPLACE FUNCTION {name}() {body}"], f"The function {name}")]
    await run(database_url, *(statement for statements, _ in cases for statement in statements))
    before = dump(postgresql, database_url)
    for metadata in (shop(), shop_without_objects()):
        with pytest.raises(ConfigurationError) as refusal:
            await again(database_url, metadata, all_or_nothing=True)
        wanted = cases if metadata is shop() else cases[-2:]
        for _, words in wanted:
            assert f"{words} differs from the models, and was changed by others" in str(refusal.value)
    assert dump(postgresql, database_url) == before
    assert (await again(database_url, shop())).statements == []


def with_function() -> MetaData:
    metadata = things(Column("x", Text, index=True), Column("kind", Enum("a", "b", name="kind")))
    table = metadata.tables["things"]
    add_object(table, trigger_function("keep", "BEGIN RETURN NEW; END"))
    add_object(table, trigger("keeps", table, "BEFORE INSERT {table}", "FOR EACH ROW EXECUTE FUNCTION keep()"))
    return metadata


TAKEN: list[tuple[str, str]] = [
    ("CREATE FUNCTION keep() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN RETURN OLD; END$$", "The function keep"),
    ("CREATE FUNCTION keep() RETURNS integer LANGUAGE sql AS 'SELECT 1'", "The function keep"),
    ("CREATE TYPE kind AS ENUM ('a', 'b', 'c')", "The type kind"),
    ("CREATE DOMAIN kind AS text", "type kind"),
    (
        "CREATE TABLE other (ix_things_x int); CREATE INDEX ix_things_x ON other (ix_things_x)",
        "index ix_thi",
    ),
    ("CREATE SEQUENCE things", "sequence things"),
    ("CREATE TYPE things AS (a int)", "type things"),
    ("CREATE SEQUENCE things_pkey; CREATE SEQUENCE ix_things_x", "sequence ix_things_x"),
]


@pytest.mark.parametrize(("statement", "words"), TAKEN)
async def test_a_name_that_is_taken_is_told_and_nothing_replaced(
    database_url: str, postgresql: EmbeddedPostgreSQL, statement: str, words: str
) -> None:
    await run(database_url, statement)
    before = dump(postgresql, database_url)
    with pytest.raises(ConfigurationError) as refusal:
        await apply_lossless(database_url, with_function(), all_or_nothing=True)
    assert words in str(refusal.value)
    assert dump(postgresql, database_url) == before


async def test_a_trigger_never_calls_a_function_of_others(database_url: str) -> None:
    await run(database_url, TAKEN[0][0])
    applied = await apply_lossless(database_url, with_function())
    assert any(
        "create the trigger keeps on things: the function keep is not Gatepost's" in it for it in applied.refused
    )
    async with connected(database_url) as connection:
        assert await connection.fetch("SELECT FROM pg_trigger WHERE NOT tgisinternal") == []


async def test_a_declared_view_is_served_as_it_is(database_url: str) -> None:
    await run(database_url, "CREATE TABLE base (id int PRIMARY KEY)", "CREATE VIEW things AS SELECT id FROM base")
    assert await find_pending(database_url, with_function()) == await find_pending(database_url, MetaData())


async def test_two_apps_share_a_database(database_url: str) -> None:
    first, second = with_function(), MetaData(naming_convention=NAMING)
    Table("others", second, Column("id", Integer, primary_key=True), Column("y", Integer, index=True))
    await apply_lossless(database_url, first, all_or_nothing=True)
    listed = await record(database_url)
    for metadata in (second, first, second):
        await again(database_url, metadata, all_or_nothing=True)
    assert listed < await record(database_url)
    assert (await again(database_url, first, all_or_nothing=True)).statements == []
    assert (await again(database_url, second, all_or_nothing=True)).statements == []


async def test_ours_are_changed_replaced_and_dropped_with_the_models(database_url: str) -> None:
    await apply_lossless(database_url, with_function(), all_or_nothing=True)
    changed = things(Column("x", Text), Column("kind", Enum("a", "b", "c", name="kind")), Column("y", ARRAY(Text)))
    await apply_lossless(database_url, changed, all_or_nothing=True)
    listed = await record(database_url)
    assert not {("function", "keep"), ("trigger", "keeps"), ("index", "ix_things_x")} & listed
    await apply_lossless(database_url, things(), all_or_nothing=True)
    assert {("type", "kind"), ("table", "things")} <= await record(database_url)  # the column, and its type, are kept
    assert (await again(database_url, things(), all_or_nothing=True)).statements == []


async def test_an_altered_column_leaves_its_checks_ours(database_url: str) -> None:
    await apply_lossless(database_url, things(Column("x", String(5)), CheckConstraint("x > 'a'", name="big")))
    await apply_lossless(database_url, things(Column("x", Text), CheckConstraint("x > 'a'", name="big")))
    applied = await apply_lossless(database_url, things(Column("x", Text)), all_or_nothing=True)
    assert applied.statements == ["ALTER TABLE things DROP CONSTRAINT ck_things_big"]


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


async def test_a_renamed_table_is_not_ours_until_it_is_claimed(database_url: str) -> None:
    await apply_lossless(database_url, things(Column("x", Text)))
    await run(database_url, "ALTER TABLE things RENAME TO stuff")

    def stuff(*more: Column[Any]) -> MetaData:
        metadata = MetaData(naming_convention=NAMING)
        Table("stuff", metadata, Column("id", Integer, primary_key=True), Column("x", Text), *more)
        return metadata

    metadata = stuff(Column("y", Integer))
    pending = await find_pending(database_url, metadata)
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
        "CREATE TABLE gatepost_schema (one boolean PRIMARY KEY DEFAULT true CHECK (one), fingerprint text NOT NULL,"
        " applied_at timestamptz NOT NULL DEFAULT now())",
        "INSERT INTO gatepost_schema (fingerprint) VALUES ('of an earlier version')",
        "DROP SCHEMA gatepost CASCADE",
        "DROP INDEX ix_books_price_id",
        "CREATE INDEX ix_books_price_id ON books (id, price)",
    )
    pending = await find_pending(database_url, shop())
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
    database_url: str, postgresql: EmbeddedPostgreSQL, tmp_path: Any
) -> None:
    name = database_url.rpartition("/")[2].partition("?")[0]
    role = f"role_{name}"
    limited = database_url.replace("gatepost@", f"{role}@")
    postgresql.execute(f"CREATE ROLE {role} LOGIN")
    try:
        await run(database_url, f"GRANT CREATE, USAGE ON SCHEMA public TO {role}")
        before = dump(postgresql, database_url)
        with pytest.raises(ConfigurationError, match="CREATE SCHEMA IF NOT EXISTS gatepost;") as refusal:
            await apply_lossless(limited, things(), all_or_nothing=True)
        assert dump(postgresql, database_url) == before
        script = str(refusal.value).partition("run: ")[2]
        await run(database_url, *script.strip().rstrip(";").split("; "))
        await apply_lossless(limited, things(), all_or_nothing=True)
        await make(database_url, things(more="others"), tmp_path / "migrations", "First")
        await run(database_url, f"REVOKE CREATE ON SCHEMA public FROM {role}", "DROP TABLE things")
        with pytest.raises(ConfigurationError, match="GRANT CREATE ON SCHEMA public"):
            await up(limited, tmp_path / "migrations", metadata=things(more="others"))
        with pytest.raises(ConfigurationError, match="GRANT CREATE ON SCHEMA public"):
            await apply_lossless(limited, things(more="others"), all_or_nothing=True)
    finally:
        await run(database_url, f"DROP OWNED BY {role}")
        postgresql.execute(f"DROP ROLE {role}")


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


@pytest.mark.parametrize(
    ("statement", "empty"),
    [
        ("SELECT 1", True),
        ("CREATE EXTENSION pg_trgm", True),
        ("CREATE SCHEMA store", True),
        ("CREATE TABLE t (id int)", False),
        ("CREATE VIEW v AS SELECT 1", False),
        ("CREATE TYPE e AS ENUM ('a')", False),
        ("CREATE TYPE c AS (a int)", False),
        ("CREATE DOMAIN d AS int", False),
        ("CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1'", False),
        ("CREATE SCHEMA store; CREATE TABLE store.t (id int)", False),
    ],
)
async def test_a_database_is_empty_without_tables_views_types_and_functions(
    database_url: str, statement: str, empty: bool
) -> None:
    await run(database_url, statement)
    assert await is_empty(database_url) is empty


async def test_looking_changes_nothing(database_url: str, postgresql: EmbeddedPostgreSQL) -> None:
    await run(database_url, *FOREIGN)
    before = dump(postgresql, database_url)
    assert await find_pending(database_url, shop())
    assert await differences(database_url, shop())
    assert await find_claims(database_url, shop())
    assert dump(postgresql, database_url) == before


async def test_starts_at_once_record_once(database_url: str) -> None:
    await asyncio.gather(*(apply_lossless(database_url, with_function(), all_or_nothing=True) for _ in range(3)))
    assert (await again(database_url, with_function(), all_or_nothing=True)).statements == []


async def test_an_embedded_database_of_an_earlier_version_is_brought_over_without_a_word(database_url: str) -> None:
    await apply_lossless(database_url, shop())
    await run(
        database_url,
        "CREATE TABLE gatepost_schema (one boolean PRIMARY KEY DEFAULT true CHECK (one), fingerprint text NOT NULL,"
        " applied_at timestamptz NOT NULL DEFAULT now())",
        "INSERT INTO gatepost_schema (fingerprint) VALUES ('of an earlier version')",
        "DROP SCHEMA gatepost CASCADE",
    )
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


async def test_what_others_use_of_ours_is_not_dropped(database_url: str) -> None:
    await apply_lossless(database_url, with_function(), all_or_nothing=True)
    await run(
        database_url,
        "ALTER TABLE things DROP COLUMN kind",
        "CREATE FUNCTION is_a(kind) RETURNS boolean LANGUAGE sql AS $$SELECT $1 = 'a'$$",
        "CREATE TABLE theirs (id int)",
        "CREATE TRIGGER theirs BEFORE UPDATE ON theirs FOR EACH ROW EXECUTE FUNCTION keep()",
    )
    await again(database_url, things(Column("x", Text)), all_or_nothing=True)
    assert {("type", "kind"), ("function", "keep")} <= await record(database_url)
    assert ("trigger", "keeps") not in await record(database_url)


@pytest.mark.parametrize(
    ("use", "words"),
    [
        ("ALTER TABLE indexed REPLICA IDENTITY USING INDEX by_x", "the REPLICA IDENTITY uses it"),
        ("ALTER TABLE indexed CLUSTER ON by_x", "the CLUSTER order uses it"),
        ("CREATE TABLE theirs (x int REFERENCES indexed (x))", "a foreign key uses it"),
    ],
)
async def test_an_index_of_ours_that_others_use_stays(database_url: str, use: str, words: str) -> None:
    def models(*indexes: Index) -> MetaData:
        metadata = MetaData()
        columns = Column("id", Integer, primary_key=True), Column("x", Integer, nullable=False), Column("y", Integer)
        Table("indexed", metadata, *columns, *indexes)
        return metadata

    await apply_lossless(database_url, models(Index("by_x", "x", unique=True)), all_or_nothing=True)
    await run(database_url, use)
    applied = await again(database_url, models(), all_or_nothing=True)
    assert words in applied.kept[0]
    assert "by_x" in await names_on(database_url, "indexed")
    with pytest.raises(ConfigurationError, match=words):
        await again(database_url, models(Index("by_x", "x", "y", unique=True)), all_or_nothing=True)
    async with connected(database_url) as connection:
        assert (await connection.fetchval("SELECT pg_get_indexdef('by_x'::regclass)")).endswith("(x)")


async def test_a_role_without_rights_on_the_record_looks_and_is_told_what_to_grant(
    database_url: str, postgresql: EmbeddedPostgreSQL, tmp_path: Any
) -> None:
    folder, metadata = tmp_path / "migrations", things(Column("x", Text))
    await make(database_url, metadata, folder, "First")
    await up(database_url, folder, metadata=metadata)
    role = f"role_{uuid.uuid4().hex}"
    limited = database_url.replace("gatepost@", f"{role}@")
    postgresql.execute(f"CREATE ROLE {role} LOGIN")
    try:
        await run(database_url, f"GRANT CREATE, USAGE ON SCHEMA public TO {role}")
        await run(database_url, f"GRANT SELECT ON ALL TABLES IN SCHEMA public TO {role}")
        assert (await find_pending(limited, metadata)).refused == []
        assert await apply_lossless(limited, metadata, all_or_nothing=True) == Applied([], [])
        now = await status(limited, folder)
        assert (now.pending, now.drift) == ((), None)
        assert await check(limited, metadata, folder) == []
        more = things(Column("x", Text), more="others")
        assert len(await check(limited, more, folder)) == 2
        with pytest.raises(ConfigurationError, match="GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES"):
            await apply_lossless(limited, more, all_or_nothing=True)
    finally:
        await run(database_url, f"DROP OWNED BY {role}")
        postgresql.execute(f"DROP ROLE {role}")


USERS_OF_OTHERS = "CREATE TABLE users (user_no serial PRIMARY KEY, login text NOT NULL, email text)"


def users(key: str, *more: Any) -> MetaData:
    metadata = MetaData(naming_convention=NAMING)
    kind = Integer if key in ("id", "user_no") else Text
    Table("users", metadata, Column(key, kind, primary_key=True), *more)
    return metadata


async def test_a_primary_key_on_another_column_is_a_difference(
    database_url: str, postgresql: EmbeddedPostgreSQL
) -> None:
    await run(database_url, USERS_OF_OTHERS)
    before = dump(postgresql, database_url)
    found = await differences(database_url, users("login"))
    assert [item for item in found if "primary key of users from (user_no) to (login)" in item], found
    for extend in (False, True):
        with pytest.raises(ConfigurationError, match="primary key of users"):
            await apply_lossless(database_url, users("login"), extend=extend, all_or_nothing=True)
    assert dump(postgresql, database_url) == before
    assert await differences(database_url, users("user_no")) == []
    # What is unique and NOT NULL identifies a row as well as the primary key does.
    await run(database_url, "CREATE UNIQUE INDEX by_login ON users (login)")
    assert await differences(database_url, users("login")) == []


@pytest.mark.parametrize("key", ["id", "login"])
async def test_a_key_on_other_columns_is_not_claimed(database_url: str, key: str) -> None:
    await run(
        database_url, USERS_OF_OTHERS, "ALTER TABLE users ADD CONSTRAINT uq_users_email UNIQUE (email) DEFERRABLE"
    )
    metadata = users(key, Column("email", Text, unique=True))
    assert [item.name for item in (await find_claims(database_url, metadata)).equal] == []
    different = {item.name for item in (await claim(database_url, metadata)).different}
    assert {"users", "users_pkey"} <= different
    assert await record(database_url) == set()


async def test_a_primary_key_of_ours_is_changed_and_changed_back_by_files(database_url: str, tmp_path: Path) -> None:
    first = things(Column("code", Text, nullable=False))
    other = MetaData(naming_convention=NAMING)
    Table("things", other, Column("id", Integer, nullable=False), Column("code", Text, primary_key=True))
    await make(database_url, first, tmp_path, "first")
    await up(database_url, tmp_path, metadata=first)
    assert await make(database_url, other, tmp_path, "second") is not None
    await up(database_url, tmp_path, metadata=other)
    assert await check(database_url, other, tmp_path) == []
    key = "SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conrelid = 'things'::regclass AND contype = 'p'"
    async with connected(database_url) as connection:
        assert await connection.fetchval(key) == "PRIMARY KEY (code)"
        await down(database_url, tmp_path, metadata=first)
        assert await connection.fetchval(key) == "PRIMARY KEY (id)"


async def test_a_mapped_view_is_in_no_file(database_url: str, tmp_path: Path) -> None:
    await run(database_url, "CREATE TABLE base (id int PRIMARY KEY)", "CREATE VIEW seen AS SELECT id FROM base")
    metadata = things(Column("x", Text))
    seen = Table("seen", metadata, Column("id", Integer, primary_key=True, index=True))
    function = trigger_function("kept", "BEGIN RETURN NEW; END")
    add_object(seen, function)
    add_object(seen, trigger("keeps", seen, "BEFORE INSERT {table}", "FOR EACH ROW EXECUTE FUNCTION kept()"))
    path = await make(database_url, metadata, tmp_path, "first")
    assert path is not None
    written = path.read_text()
    assert "things" in written
    assert "seen" not in written
    assert not [item for item in await check(database_url, metadata, tmp_path) if "seen" in item]
