"""`apply_lossless`: what it applies, what it refuses, and that several at once do not hinder each other."""

import asyncio
from enum import Enum as PythonEnum
from typing import Any

import pytest
from migrated_models import connected, run, shop, shop_without_objects, tables, things
from sqlalchemy import (
    ARRAY,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    Double,
    Enum,
    ForeignKey,
    Index,
    Integer,
    Interval,
    LargeBinary,
    MetaData,
    Numeric,
    String,
    Text,
    TypeDecorator,
    UniqueConstraint,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

from gatepost.embedded.postgresql import EmbeddedPostgreSQL
from gatepost.errors import ConfigurationError
from gatepost.migrations.applied import Applied
from gatepost.migrations.safe_changes import apply_lossless, fingerprint_of

NOTHING = Applied([], [])


async def again(database_url: str, metadata: MetaData) -> Applied:
    """Compare once more, as on the embedded database, whatever the note of the last time says."""
    await run(database_url, "DELETE FROM gatepost.schema_fingerprints")
    return await apply_lossless(database_url, metadata, embedded=True)


async def test_an_empty_database_is_brought_to_the_models_and_then_equals_them(database_url: str) -> None:
    applied = await apply_lossless(database_url, shop())
    assert applied.refused == []
    assert any(statement.startswith("CREATE TABLE books") for statement in applied.statements)
    assert await apply_lossless(database_url, shop()) == NOTHING
    assert await again(database_url, shop()) == NOTHING


class Decorated(TypeDecorator[str]):
    """A type of a user's own, which no migration may import."""

    impl = String(7)
    cache_ok = True


class Colour(PythonEnum):
    RED = "red"
    BLUE = "blue"


DECLARED: list[list[Any]] = [
    [Column("x", DateTime(timezone=True), server_default=func.now())],
    [Column("x", Boolean, server_default=text("false"), nullable=False)],
    [Column("x", Text, server_default="it's :here")],
    [Column("x", Integer, server_default="5")],
    [Column("x", Interval), Column("y", Decorated), Column("z", LargeBinary), Column("d", Double)],
    [Column("x", JSONB, server_default=text("'{}'::jsonb"))],
    [Column("x", ARRAY(Text), server_default="{}")],
    [Column("x", Enum(Colour), server_default="RED"), Column("y", ARRAY(Enum(Colour)))],
    [Column("x", Numeric(10, 2)), CheckConstraint("x BETWEEN 1 AND 5.5 OR x IN (7, 8)", name="odd")],
    [Column("x", Text), CheckConstraint("x <> 'a:b' AND lower(x) LIKE 'q%'", name="odd")],
    [Column("x", Text), Index("ix_lower", func.lower(text("x")), unique=True)],
    [Column("x", Text), Index("ix_part", "x", postgresql_where=text("x IS NOT NULL"))],
    [Column("x", Integer), Column("y", Integer), UniqueConstraint("x", "y")],
    [Column("x", ForeignKey("t0.id", ondelete="CASCADE"), index=True)],
    [
        Column("select", Text, unique=True, index=True),
        Column("Upper", Integer, CheckConstraint('"Upper" > 0', name="u")),
    ],
]


async def test_what_was_applied_is_not_applied_again(database_url: str) -> None:
    metadata = tables(*DECLARED)
    assert (await apply_lossless(database_url, metadata)).refused == []
    assert await again(database_url, metadata) == NOTHING


def text_column(**options: Any) -> Column[Any]:
    return Column("x", String(10), **options)


LOSSLESS: list[tuple[list[Any], list[Any], str]] = [
    ([], [Column("y", Text)], "ALTER TABLE things ADD COLUMN y TEXT"),
    ([text_column()], [Column("x", Text)], "ALTER TABLE things ALTER COLUMN x TYPE TEXT"),
    ([text_column()], [Column("x", String(20))], "ALTER TABLE things ALTER COLUMN x TYPE VARCHAR(20)"),
    ([Column("x", Integer)], [Column("x", BigInteger)], "ALTER TABLE things ALTER COLUMN x TYPE BIGINT"),
    (
        [Column("x", Numeric(5, 2))],
        [Column("x", Numeric(7, 3))],
        "ALTER TABLE things ALTER COLUMN x TYPE NUMERIC(7, 3)",
    ),
    ([text_column(nullable=False)], [text_column()], "ALTER TABLE things ALTER COLUMN x DROP NOT NULL"),
    ([text_column()], [text_column(nullable=False)], "ALTER TABLE things ALTER COLUMN x SET NOT NULL"),
    ([text_column()], [text_column(server_default="a")], "ALTER TABLE things ALTER COLUMN x SET DEFAULT 'a'"),
    ([text_column(server_default="a")], [text_column()], "ALTER TABLE things ALTER COLUMN x DROP DEFAULT"),
    ([text_column()], [text_column(index=True)], "CREATE INDEX ix_things_x ON things (x)"),
    ([text_column(index=True)], [text_column()], "DROP INDEX ix_things_x"),
    ([text_column()], [text_column(unique=True)], "ALTER TABLE things ADD CONSTRAINT uq_things_x UNIQUE (x)"),
    (
        [text_column()],
        [text_column(), CheckConstraint("x > 'a'", name="big")],
        "ALTER TABLE things ADD CONSTRAINT ck_things_big CHECK (x > 'a')",
    ),
    (
        [text_column(), CheckConstraint("x > 'a'", name="big")],
        [text_column()],
        "ALTER TABLE things DROP CONSTRAINT ck_things_big",
    ),
    (
        [Column("x", Enum("a", "c", name="letter"))],
        [Column("x", Enum("a", "b", "c", name="letter"), server_default="b")],
        "ALTER TYPE letter ADD VALUE IF NOT EXISTS 'b' AFTER 'a'",
    ),
]


async def test_what_loses_nothing_is_applied(database_url: str) -> None:
    await apply_lossless(database_url, tables(*(before for before, _, _ in LOSSLESS)))
    metadata = tables(*(after for _, after, _ in LOSSLESS))
    applied = await apply_lossless(database_url, metadata)
    assert applied.refused == []
    wanted = [statement.replace("things", f"t{number}") for number, (_, _, statement) in enumerate(LOSSLESS)]
    assert [statement for statement in wanted if statement not in applied.statements] == []
    assert len(applied.statements) == len(wanted) + 1  # the default that uses the new value of the enum
    assert await again(database_url, metadata) == NOTHING


async def test_a_new_column_with_its_reference_and_index_is_applied_once(database_url: str) -> None:
    await apply_lossless(database_url, things())
    await run(database_url, "INSERT INTO things DEFAULT VALUES")
    metadata = things(Column("parent", ForeignKey("things.id"), index=True), Column("y", Integer, unique=True))
    assert (await apply_lossless(database_url, metadata)).refused == []
    assert await again(database_url, metadata) == NOTHING


async def test_rows_that_exist_get_the_python_default_of_a_new_column(database_url: str) -> None:
    await apply_lossless(database_url, things())
    await run(database_url, "INSERT INTO things DEFAULT VALUES")
    metadata = things(
        Column("stock", Integer, default=7, nullable=False), Column("on", Boolean, default=True, nullable=False)
    )
    assert (await apply_lossless(database_url, metadata)).refused == []
    async with connected(database_url) as connection:
        assert tuple((await connection.fetch('SELECT stock, "on" FROM things'))[0]) == (7, True)
    assert await again(database_url, metadata) == NOTHING


LOSSY: list[tuple[list[Any], list[Any], str]] = [
    ([text_column()], [Column("x", String(5))], "convert things.x from VARCHAR(10) to VARCHAR(5)"),
    ([text_column()], [Column("x", Integer)], "convert things.x from VARCHAR(10) to INTEGER"),
    (
        [text_column()],
        [text_column(), Column("y", Integer, nullable=False)],
        "it is NOT NULL, and the rows that exist have no value for it",
    ),
    ([text_column()], [text_column(nullable=False)], "contains null values"),
    (
        [Column("x", Integer, server_default="1")],
        [Column("x", Integer), CheckConstraint("x > 5", name="big")],
        "is violated by some row",
    ),
]


async def test_what_could_lose_data_is_refused_and_named(database_url: str) -> None:
    await apply_lossless(database_url, tables(*(before for before, _, _ in LOSSY)))
    await run(database_url, *(f"INSERT INTO t{number} DEFAULT VALUES" for number in range(len(LOSSY))))
    metadata = tables(*(after for _, after, _ in LOSSY))
    applied = await apply_lossless(database_url, metadata, embedded=True)
    wanted = [words.replace("things", f"t{number}") for number, (_, _, words) in enumerate(LOSSY)]
    assert [words for words in wanted if not any(words in refusal for refusal in applied.refused)] == []
    assert len(applied.refused) == len(wanted)
    assert applied.statements == ["ALTER TABLE t4 ALTER COLUMN x DROP DEFAULT"]
    assert sorted((await apply_lossless(database_url, metadata, embedded=True)).refused) == sorted(applied.refused)


async def test_a_refusal_leaves_the_rest_applied(database_url: str) -> None:
    await apply_lossless(database_url, things(text_column()))
    await run(database_url, "INSERT INTO things DEFAULT VALUES")
    metadata = things(text_column(nullable=False), Column("y", Integer))
    applied = await apply_lossless(database_url, metadata, embedded=True)
    assert [refusal.split(":")[0] for refusal in applied.refused] == ["change things.x"]
    assert "ALTER TABLE things ADD COLUMN y INTEGER" in applied.statements


async def test_what_no_model_has_any_more_is_kept(database_url: str) -> None:
    kinds = Column("kind", Enum("a", "b", name="kind")), Column("z", Integer, server_default="1", nullable=False)
    await apply_lossless(database_url, things(text_column(), *kinds, more="others"))
    await run(database_url, "INSERT INTO things DEFAULT VALUES")
    metadata = things(Column("kind", Enum("a", name="kind")), Column("y", Integer))
    applied = await apply_lossless(database_url, metadata, embedded=True, all_or_nothing=True)
    assert sorted(applied.kept) == [
        "The column things.x is in no model: it is kept, with every value in it.",
        "The column things.z is in no model: it is kept, with every value in it.",
        "The table others is in no model: it is kept, with every row in it.",
        "The type kind is kept as it is: a change removes 'b' from the enum kind; rows that hold it stop it.",
    ]
    assert "ALTER TABLE things ADD COLUMN y INTEGER" in applied.statements


async def test_a_column_that_stops_every_insert_is_refused(database_url: str) -> None:
    await apply_lossless(database_url, things(text_column(nullable=False)))
    applied = await apply_lossless(database_url, things(), embedded=True)
    assert applied.refused == [
        "The column things.x, NOT NULL and without a default, is in no model, and stops every INSERT."
    ]


async def test_a_column_with_another_name_is_told_how_to_be_renamed(database_url: str) -> None:
    await apply_lossless(database_url, things(text_column(nullable=False), Column("z", Integer)))
    await run(database_url, "INSERT INTO things (x) VALUES ('a')")
    metadata = things(Column("the y", String(10), nullable=False), Column("z", Integer))
    applied = await apply_lossless(database_url, metadata, embedded=True)
    renaming = 'ALTER TABLE things RENAME COLUMN x TO "the y";'
    assert applied.refused[0].endswith(f"If the column has got another name: {renaming}")
    await run(database_url, renaming)
    assert await again(database_url, metadata) == NOTHING


async def test_columns_of_other_types_and_tables_are_no_renaming(database_url: str) -> None:
    await apply_lossless(
        database_url, tables([Column("x", Integer)], [text_column()], [Column("a", Text), Column("b", Text)])
    )
    await run(database_url, *(f"INSERT INTO t{number} DEFAULT VALUES" for number in range(3)))
    metadata = tables([Column("y", Text, nullable=False)], [], [Column("c", Text, nullable=False)])
    applied = await apply_lossless(database_url, metadata, embedded=True)
    assert [refusal for refusal in applied.refused if "RENAME" in refusal] == []
    assert len(applied.refused) == 2


@pytest.mark.parametrize("embedded", [False, True])
async def test_a_cause_is_told_once_and_what_follows_from_it_is_not(database_url: str, *, embedded: bool) -> None:
    await apply_lossless(database_url, things(text_column()))
    await run(database_url, "INSERT INTO things (x) VALUES ('a'), ('a')")
    metadata = things(
        text_column(),
        Column("slug", Text, nullable=False, index=True, unique=True),
        Column("parent_id", ForeignKey("things.id"), nullable=False, index=True),
        CheckConstraint("slug <> ''", name="not_empty"),
        UniqueConstraint("x", name="unique_x"),
    )
    applied = await apply_lossless(database_url, metadata, embedded=embedded)
    assert [refusal.split(":")[0] for refusal in applied.refused] == [
        "add the column things.slug",
        "add the column things.parent_id",
        "add the unique constraint unique_x to things",
    ]


async def test_what_has_one_reason_is_one_sentence(database_url: str, postgresql: EmbeddedPostgreSQL) -> None:
    postgresql.execute("CREATE ROLE tenant LOGIN")
    await run(database_url, "CREATE SCHEMA gatepost AUTHORIZATION tenant")
    try:
        applied = await apply_lossless(database_url.replace("gatepost@", "tenant@"), tables([text_column()], []))
    finally:
        await run(database_url, "DROP OWNED BY tenant")
        postgresql.execute("DROP ROLE tenant")
    assert len(applied.refused) == 1
    assert applied.refused[0].startswith(
        "create the table t0, create the table t1: PostgreSQL refuses: permission denied for schema public. Run as "
    )


async def test_what_somebody_changed_by_hand_is_put_right(database_url: str) -> None:
    await apply_lossless(database_url, shop())
    await run(
        database_url,
        "ALTER TABLE books DROP CONSTRAINT ck_books_price_ge, ADD CONSTRAINT ck_books_price_ge CHECK (price > 5)",
        "DROP INDEX ix_books_price_id",
        "CREATE INDEX ix_books_price_id ON books (id, price)",
        "ALTER TABLE books DISABLE TRIGGER zz_gatepost_keep_row",
        "DROP TRIGGER zz_gatepost_keep_row ON authors",
    )
    applied = await again(database_url, shop())
    assert applied.refused == []
    assert [item.split(" ON ")[0] for item in applied.statements if not item.startswith(("DROP", "COMMENT"))] == [
        "ALTER TABLE books DROP CONSTRAINT ck_books_price_ge",
        "CREATE INDEX ix_books_price_id",
        "ALTER TABLE books ADD CONSTRAINT ck_books_price_ge CHECK (price >= 0)",
        "CREATE TRIGGER zz_gatepost_keep_row BEFORE UPDATE",
        "CREATE OR REPLACE TRIGGER zz_gatepost_keep_row BEFORE UPDATE",
        "ALTER TABLE books ENABLE TRIGGER zz_gatepost_keep_row",
    ]
    assert await again(database_url, shop()) == NOTHING


async def test_a_function_replaced_by_hand_is_seen_although_its_comment_stays(database_url: str) -> None:
    await apply_lossless(database_url, shop())
    async with connected(database_url) as connection:
        name = await connection.fetchval("SELECT proname FROM pg_proc WHERE proname LIKE 'gatepost_keep%' LIMIT 1")
    await run(
        database_url,
        f"CREATE OR REPLACE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN RETURN NEW; END$$",
    )
    assert [f"FUNCTION {name}()" in item for item in (await again(database_url, shop())).statements] == [True, True]


async def test_objects_that_are_declared_no_longer_go(database_url: str) -> None:
    await apply_lossless(database_url, shop())
    assert (await apply_lossless(database_url, shop_without_objects())).refused == []
    async with connected(database_url) as connection:
        assert await connection.fetch("SELECT FROM pg_trigger WHERE NOT tgisinternal") == []


async def test_starts_at_once_do_not_race(database_url: str) -> None:
    results = await asyncio.gather(*(apply_lossless(database_url, shop()) for _ in range(3)))
    assert [item.refused for item in results] == [[], [], []]
    assert sorted(bool(item.statements) for item in results) == [False, False, True]


async def test_the_fingerprint_moves_with_the_models_only() -> None:
    assert fingerprint_of(shop()) == fingerprint_of(shop())
    different = [
        things(),
        things(text_column()),
        things(text_column(index=True)),
        things(Column("x", Enum("a", name="l"))),
        things(Column("x", Enum("a", "b", name="l"))),
    ]
    assert len({fingerprint_of(item) for item in different}) == len(different)


async def test_a_database_that_is_away_is_told_in_a_sentence(database_url: str) -> None:
    with pytest.raises(ConfigurationError, match=r"DATABASE_URL: PostgreSQL at .+ refuses the connection: .+ Create"):
        await apply_lossless(database_url.replace("test_", "no_such_"), shop())
    with pytest.raises(
        ConfigurationError, match=r"DATABASE_URL: PostgreSQL at .+ cannot be reached: .+ Start PostgreSQL"
    ):
        await apply_lossless("postgresql://u@/d?host=/nowhere", shop())
