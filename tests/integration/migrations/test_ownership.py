"""What Gatepost did not make is neither dropped nor changed, and what it did make is known by its record."""

import re
from pathlib import Path
from typing import Any

import pytest
from migrated_models import (
    again,
    connected,
    dump,
    names_on,
    record,
    run,
    shop,
    shop_without_objects,
    tables,
    things,
    with_function,
)
from sqlalchemy import (
    CheckConstraint,
    Column,
    Enum,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    PrimaryKeyConstraint,
    String,
    Table,
    Text,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY

from gatepost.embedded.postgresql import EmbeddedPostgreSQL
from gatepost.errors import ConfigurationError
from gatepost.migrations.apply import find_plan
from gatepost.migrations.claims import claim, find_claims
from gatepost.migrations.file_commands import check, differences, down, make, up
from gatepost.migrations.safe_changes import apply_lossless, find_pending, is_empty
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
    for number in range(len(MAPPED)):
        await run(
            database_url,
            f"CREATE TABLE t{number} (LIKE things INCLUDING ALL)",
            f"CREATE TRIGGER touched BEFORE UPDATE ON t{number} FOR EACH ROW EXECUTE FUNCTION touch()",
            f"CREATE VIEW seen{number} AS SELECT id FROM t{number}",
        )
    before = dump(postgresql, database_url)
    metadata = tables(*(items for items, _ in MAPPED))
    Table("theirs", metadata, Column("id", Integer, primary_key=True))
    Table("things", metadata, Column("id", Integer, primary_key=True), Column("x", String(10)))
    unfit = {f"t{number}" for number, (_, fits) in enumerate(MAPPED) if not fits}
    plan = await find_plan(database_url, metadata)
    assert plan.allowed == []
    for number, (items, fits) in enumerate(MAPPED):
        named = [sentence for sentence in plan.refused if re.search(rf"\bt{number}\b", sentence)]
        assert (not named) is fits, items
    with pytest.raises(ConfigurationError) as refusal:
        await apply_lossless(database_url, metadata, all_or_nothing=True)
    assert set(re.findall(r"\b(?:t\d+|things)\b", str(refusal.value))) == unfit
    assert dump(postgresql, database_url) == before
    assert (await apply_lossless(database_url, metadata)).statements == []
    assert dump(postgresql, database_url) == before


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
    assert await find_plan(database_url, with_function()) == await find_plan(database_url, MetaData())


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


async def test_an_index_on_a_column_of_an_enum_is_no_table_of_others(database_url: str) -> None:
    def of(*values: str) -> MetaData:
        return things(Column("kind", Enum(*values, name="kind"), index=True))

    await apply_lossless(database_url, of("a", "b"))
    [refused] = (await find_plan(database_url, of("a"))).refused
    assert refused == "rebuild the enum kind: removes 'b' from the enum kind; rows that hold it stop it."

    await run(database_url, "CREATE TABLE theirs (kind kind)")
    [refused] = (await find_plan(database_url, of("a"))).refused
    assert "and theirs uses it, which Gatepost did not create: it is left unchanged." in refused


async def test_an_altered_column_leaves_its_checks_ours(database_url: str) -> None:
    await apply_lossless(database_url, things(Column("x", String(5)), CheckConstraint("x > 'a'", name="big")))
    await apply_lossless(database_url, things(Column("x", Text), CheckConstraint("x > 'a'", name="big")))
    applied = await apply_lossless(database_url, things(Column("x", Text)), all_or_nothing=True)
    assert applied.statements == ["ALTER TABLE things DROP CONSTRAINT ck_things_big"]


async def test_a_database_is_empty_without_tables_views_types_and_functions(database_url: str) -> None:
    for statement in ("SELECT 1", "CREATE EXTENSION pg_trgm", "CREATE SCHEMA store"):
        await run(database_url, statement)
        assert await is_empty(database_url), statement
    for name, definition in (
        ("TABLE t", "(id int)"),
        ("VIEW v", "AS SELECT 1"),
        ("TYPE e", "AS ENUM ('a')"),
        ("TYPE c", "AS (a int)"),
        ("DOMAIN d", "AS int"),
        ("SEQUENCE s", ""),
        ("FUNCTION f()", "RETURNS int LANGUAGE sql AS 'SELECT 1'"),
        ("TABLE store.t", "(id int)"),
    ):
        await run(database_url, f"CREATE {name} {definition}")
        assert not await is_empty(database_url), name
        await run(database_url, f"DROP {name}")
    assert await is_empty(database_url)


async def test_looking_changes_nothing(database_url: str, postgresql: EmbeddedPostgreSQL) -> None:
    await run(database_url, *FOREIGN)
    before = dump(postgresql, database_url)
    assert await find_pending(database_url, shop())
    assert await differences(database_url, shop())
    assert await find_claims(database_url, shop())
    assert dump(postgresql, database_url) == before


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


async def test_the_order_of_the_columns_in_a_key_of_ours_is_that_of_the_model(database_url: str) -> None:
    def lines(*key: str) -> MetaData:
        metadata = MetaData(naming_convention=NAMING)
        Table("lines", metadata, Column("a", Integer), Column("b", Integer), PrimaryKeyConstraint(*key))
        return metadata

    await run(database_url, "CREATE TABLE lines (a int, b int, PRIMARY KEY (b, a))")
    assert await differences(database_url, lines("a", "b")) == [], "what others made identifies rows in any order"
    await run(database_url, "DROP TABLE lines")
    await apply_lossless(database_url, lines("b", "a"), extend=False, all_or_nothing=True)
    await apply_lossless(database_url, lines("a", "b"), extend=False, all_or_nothing=True)
    key = "SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conrelid = 'lines'::regclass AND contype = 'p'"
    async with connected(database_url) as connection:
        assert await connection.fetchval(key) == "PRIMARY KEY (a, b)"


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
