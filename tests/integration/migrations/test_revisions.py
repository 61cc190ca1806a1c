"""Revision files: made, run, undone, checked; and every mistake told in a sentence."""

import ast
import asyncio
import errno
import os
import re
import sys
from asyncio.subprocess import PIPE
from pathlib import Path
from typing import Any

import pytest
from migrated_models import connected, run, shop, tables, things
from sqlalchemy import (
    ARRAY,
    CheckConstraint,
    Column,
    Enum,
    ForeignKey,
    Integer,
    MetaData,
    Numeric,
    String,
    Table,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.types import UserDefinedType

from gatepost.errors import ConfigurationError
from gatepost.migrations.connections import run_on
from gatepost.migrations.file_commands import Status, adopt, check, down, make, status, up
from gatepost.migrations.pg_catalog import read_catalog
from gatepost.migrations.safe_changes import apply_lossless
from gatepost.models.constraint_names import object_name


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "migrations"


async def catalog(database_url: str) -> dict[str, str]:
    return await run_on(database_url, read_catalog)


async def made(database_url: str, metadata: MetaData, folder: Path, *, allow_loss: bool = False) -> str:
    """The text of the revision file that was made."""
    path = await make(database_url, metadata, folder, "A change", allow_loss=allow_loss)
    assert path is not None
    return path.read_text()


class Prefixed(UserDefinedType[str]):
    """A type that SQLAlchemy does not know."""

    cache_ok = True

    def __init__(self, length: int) -> None:
        self._length = length  # under a name by which `repr` does not find it

    def get_col_spec(self, **_: Any) -> str:
        return f"bit varying({self._length})"


class Shout(Text):
    """A subclass of one that it knows."""


async def test_types_of_the_users_own_are_written_as_sql(database_url: str, folder: Path) -> None:
    class Local(UserDefinedType[str]):
        cache_ok = True

        def get_col_spec(self, **_: Any) -> str:
            return "inet"

    declared = things(Column("a", Prefixed(5)), Column("b", Shout), Column("c", Local), Column("d", ARRAY(Prefixed(7))))
    body = await made(database_url, declared, folder)
    imported = {line for line in body.splitlines() if line.startswith(("import", "from"))}
    assert imported == {
        "import sqlalchemy as sa",
        "from alembic import op",
        "from sqlalchemy.dialects import postgresql",
    }
    assert len(await up(database_url, folder)) == 1
    columns = await catalog(database_url)
    for name, kind in {"a": "bit varying(5)", "b": "text", "c": "inet", "d": "bit varying(7)[]"}.items():
        assert any(kind in words for key, words in columns.items() if key.endswith(f".{name}")), columns
    assert await check(database_url, declared, folder) == []
    assert len(await down(database_url, folder)) == 1
    assert await catalog(database_url) == {}


async def test_made_run_undone_and_run_again(database_url: str, folder: Path) -> None:
    await made(database_url, shop(), folder)
    assert await catalog(database_url) == {}
    assert len(await up(database_url, folder)) == 1
    first = await catalog(database_url)
    assert await check(database_url, shop(), folder) == []
    assert len(await down(database_url, folder)) == 1
    assert await catalog(database_url) == {}
    await up(database_url, folder)
    assert await catalog(database_url) == first


async def test_files_and_lossless_changes_make_the_same_schema(database_url: str, folder: Path) -> None:
    await made(database_url, shop(), folder)
    await apply_lossless(database_url, shop())
    assert await adopt(database_url, folder) is not None
    assert await check(database_url, shop(), folder) == []
    assert await up(database_url, folder) == []


CHANGES: list[tuple[list[Any], list[Any], str]] = [
    ([], [Column("x", Text, index=True)], "op.add_column('things', sa.Column('x', sa.Text()"),
    ([Column("x", String(5))], [Column("x", Text)], "op.alter_column('things', 'x'"),
    ([Column("x", Text)], [], "# LOSES DATA: drop the column things.x"),
    (
        [Column("x", Text, server_default="1")],
        [Column("x", Integer, server_default="2")],
        "# LOSES DATA: convert things.x",
    ),
    ([Column("x", Numeric(8, 3))], [Column("x", Numeric(8, 2))], "# LOSES DATA: convert things.x"),
    ([Column("x", Text)], [Column("x", Text, nullable=False)], "# LOSES DATA: change things.x: must not be null"),
    ([], [Column("x", Integer, default=3, nullable=False)], "server_default=sa.text('3')"),
    (
        [Column("x", Integer)],
        [Column("x", Integer, server_default=text("1 + 1"))],
        "server_default=sa.text('1 + 1')",
    ),
    (
        [Column("x", Integer), CheckConstraint("x > 0", name="big")],
        [Column("x", Integer), CheckConstraint("x > 1", name="big")],
        "op.create_check_constraint(op.f('ck_things_big'), 'things'",
    ),
    (
        [Column("x", Enum("a", "b", name="grown"), server_default="a")],
        [Column("x", Enum("a", "b", "c", name="grown"), server_default="c")],
        "ADD VALUE IF NOT EXISTS 'c' AFTER 'b'",
    ),
    (
        [Column("x", Enum("a", "b", name="turned"), server_default="a")],
        [Column("x", Enum("b", "a", name="turned"), server_default="a")],
        "ALTER TYPE turned RENAME TO turned_old",
    ),
    (
        [Column("x", Enum("a", "b", name="shrunk"), server_default="a")],
        [Column("x", Enum("a", name="shrunk"), server_default="a")],
        "# LOSES DATA: rebuild the enum shrunk: removes 'b'",
    ),
]


async def test_changes_go_up_and_down_and_up_again(database_url: str, folder: Path) -> None:
    old, new = tables(*(before for before, _, _ in CHANGES)), tables(*(after for _, after, _ in CHANGES))
    await made(database_url, old, folder)
    await up(database_url, folder)
    first = await catalog(database_url)
    source = await made(database_url, new, folder, allow_loss=True)
    ast.parse(source)
    wanted = [words.replace("things", f"t{number}") for number, (_, _, words) in enumerate(CHANGES)]
    assert [words for words in wanted if words not in source] == []
    await up(database_url, folder)
    assert await check(database_url, new, folder) == []
    await down(database_url, folder)
    # PostgreSQL cannot take a value of an enum back.
    assert {**await catalog(database_url), "enum grown": "a, b"} == first
    await up(database_url, folder)
    assert await check(database_url, new, folder) == []
    assert await make(database_url, new, folder, "Nothing") is None


async def test_loss_is_refused_unless_it_is_meant(database_url: str, folder: Path) -> None:
    await made(database_url, things(Column("x", Text), more="others"), folder)
    with pytest.raises(ConfigurationError) as refusal:
        await make(database_url, things(), folder, "Drop")
    for words in ("drop the table others", "drop the column things.x", "--allow-loss"):
        assert words in str(refusal.value)
    assert len(list((folder / "versions").glob("*.py"))) == 1


async def test_a_column_with_another_name_is_renamed_as_the_refusal_says(database_url: str, folder: Path) -> None:
    before, after = things(Column("x", Text, nullable=False)), things(Column("y", Text, nullable=False))
    await made(database_url, before, folder)
    await up(database_url, folder, metadata=before)
    await run(database_url, "INSERT INTO things (x) VALUES ('kept')")
    with pytest.raises(ConfigurationError) as refusal:
        await make(database_url, after, folder, "Rename")
    (statement,) = re.findall(r"replace both in the file by (op\.execute\(.+\))\.$", str(refusal.value))

    path = await make(database_url, after, folder, "Rename", allow_loss=True)
    assert path is not None
    text = path.read_text()
    upgrade = text.index("def upgrade")
    path.write_text(
        f"{text[:upgrade]}def upgrade() -> None:\n    {statement}\n\n\n{text[text.index('def downgrade') :]}"
    )

    assert len(await up(database_url, folder, metadata=after)) == 1
    assert await check(database_url, after, folder) == []
    async with connected(database_url) as connection:
        assert await connection.fetchval("SELECT y FROM things") == "kept"


async def test_status_tells_where_the_database_stands(database_url: str, folder: Path) -> None:
    await made(database_url, things(), folder)
    await made(database_url, things(Column("x", Text)), folder)
    before = await status(database_url, folder)
    assert (before.current, len(before.pending), before.drift) == (None, 2, ())
    await up(database_url, folder, "+1")
    await run(database_url, "ALTER TABLE things ADD COLUMN y int")
    between = await status(database_url, folder)
    assert len(between.pending) == 1
    assert between.drift == ("the column things.y is not from any migration file",)
    await run(database_url, "ALTER TABLE things DROP COLUMN y")
    await up(database_url, folder)
    assert await status(database_url, folder) == Status(before.head, before.head, (), ())


BY_HAND: list[tuple[str, str]] = [
    (
        "ALTER TABLE books DROP CONSTRAINT ck_books_price_ge, ADD CONSTRAINT ck_books_price_ge CHECK (price > 5)",
        "database: the constraint ck_books_price_ge on books is",
    ),
    ("ALTER TABLE books DROP CONSTRAINT ck_books_price_le", "ck_books_price_le on books is missing"),
    ("DROP TRIGGER zz_gatepost_keep_row ON authors", "the trigger zz_gatepost_keep_row on authors is missing"),
    ("ALTER TABLE books DISABLE TRIGGER zz_gatepost_keep_row", "DISABLED"),
    ("DROP INDEX ix_books_price_id", "the index ix_books_price_id on books is missing"),
    ("CREATE INDEX mine ON books (stock, price)", "the index mine on books is not from any migration file"),
    ("ALTER TYPE genre ADD VALUE 'ESSAY'", "the enum genre is 'NOVEL, POETRY, ESSAY'"),
]


async def test_check_sees_what_was_done_by_hand(database_url: str, folder: Path) -> None:
    await made(database_url, shop(), folder)
    await up(database_url, folder)
    await run(database_url, *(statement for statement, _ in BY_HAND))
    differences = await check(database_url, shop(), folder)
    assert [words for _, words in BY_HAND if not any(words in item for item in differences)] == []
    assert len(differences) == len(BY_HAND)


async def test_check_sees_models_that_no_file_has_caught_up_with(database_url: str, folder: Path) -> None:
    await made(database_url, things(), folder)
    await up(database_url, folder)
    assert await check(database_url, things(Column("x", Text)), folder) == [
        "models: no migration file does this yet: add the column things.x"
    ]


async def test_a_revision_that_fails_is_undone_and_named(database_url: str, folder: Path) -> None:
    await made(database_url, things(Column("x", Integer)), folder)
    await up(database_url, folder)
    await run(database_url, "INSERT INTO things (x) VALUES (1)")
    checked = things(Column("x", Integer), Column("y", Text), CheckConstraint("x > 5", name="big"))
    await made(database_url, checked, folder)
    before = await catalog(database_url)
    with pytest.raises(ConfigurationError, match=r"A change stopped: PostgreSQL refuses: .*violated by some row"):
        await up(database_url, folder)
    assert await catalog(database_url) == before


async def test_what_apply_lossless_noted_is_forgotten_when_files_run(database_url: str, folder: Path) -> None:
    await made(database_url, things(), folder)
    await apply_lossless(database_url, things())
    await adopt(database_url, folder)
    await down(database_url, folder)
    assert (await apply_lossless(database_url, things())).statements != []


async def test_mistakes_are_told_in_a_sentence(database_url: str, folder: Path) -> None:
    with pytest.raises(ConfigurationError, match="There are no migration files here"):
        await up(database_url, folder)
    await made(database_url, things(), folder)
    with pytest.raises(ConfigurationError, match="nosuch"):
        await up(database_url, folder, "nosuch")
    with pytest.raises(ConfigurationError, match="cannot be reached"):
        await status("postgresql://u@/d?host=/nowhere", folder)
    file = next((folder / "versions").glob("*.py"))
    text = file.read_text()
    twin = folder / "versions" / "twin.py"
    twin.write_text(text.replace("revision = '", "revision = 'f", 1))
    with pytest.raises(ConfigurationError, match="There are 2 newest revisions"):
        await up(database_url, folder)
    twin.write_text(
        text.replace("revision = '", "revision = 'f", 1).replace("down_revision = None", "down_revision = 'gone'")
    )
    with pytest.raises(ConfigurationError, match="Revision gone referenced from"):
        await up(database_url, folder)
    twin.write_text("def broken(:\n")
    with pytest.raises(ConfigurationError, match=r"twin.py:1: The file cannot be read"):
        await up(database_url, folder)


async def test_a_revision_that_exits_is_undone_and_told(database_url: str, folder: Path) -> None:
    await made(database_url, things(), folder)
    file = next((folder / "versions").glob("*.py"))
    file.write_text(file.read_text().replace("\n\n\ndef downgrade", "\n    raise SystemExit(7)\n\n\ndef downgrade"))
    with pytest.raises(ConfigurationError, match="A revision ends the program with the status 7"):
        await up(database_url, folder)
    assert await catalog(database_url) == {}


async def test_what_a_revision_raises_itself_is_not_hidden(database_url: str, folder: Path) -> None:
    await made(database_url, things(), folder)
    file = next((folder / "versions").glob("*.py"))
    file.write_text(
        file.read_text().replace("\n\n\ndef downgrade", "\n    raise FileNotFoundError('rows.csv')\n\n\ndef downgrade")
    )
    with pytest.raises(FileNotFoundError, match=r"rows\.csv"):
        await up(database_url, folder)


async def test_a_file_that_cannot_be_written_leaves_nothing(
    database_url: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(self: Path, content: bytes) -> None:
        with self.open("wb") as file:
            file.write(content[:10])
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self))

    monkeypatch.setattr(Path, "write_bytes", fail)
    with pytest.raises(ConfigurationError, match="No space left on device"):
        await make(database_url, things(), folder, "A change")
    assert list((folder / "versions").iterdir()) == []


async def test_tables_that_no_file_made_are_not_run_over(database_url: str, folder: Path) -> None:
    await made(database_url, things(), folder)
    await apply_lossless(database_url, things(Column("x", Text)))
    with pytest.raises(ConfigurationError, match=r"no revision has run on it.*`gatepost migrate adopt`") as raised:
        await up(database_url, folder)
    assert "`gatepost dev`" in str(raised.value)
    with pytest.raises(ConfigurationError, match=r"the column things\.x is not from any migration file"):
        await adopt(database_url, folder)


def unnamed(*items: Any) -> MetaData:
    """A base without a naming convention; the name of its table leaves little room for those of constraints."""
    metadata = MetaData()
    columns: list[Any] = [Column("id", Integer, primary_key=True), Column("a", Integer), Column("b" * 40, Integer)]
    Table("t" * 40, metadata, *columns, *items)
    return metadata


@pytest.mark.parametrize(
    "ahead",
    [{"more": "others"}, {"columns": ("x",)}, {"columns": ("kind",)}],
    ids=["a table", "a column", "a type"],
)
async def test_where_a_start_without_files_ran_ahead_the_refusal_names_adopt(
    database_url: str, folder: Path, ahead: dict[str, Any]
) -> None:
    columns = {"x": lambda: Column("x", Text), "kind": lambda: Column("kind", Enum("a", name="kind"))}
    before, after = things(), things(*(columns[name]() for name in ahead.get("columns", ())), more=ahead.get("more"))
    await make(database_url, before, folder, "First")
    await up(database_url, folder, metadata=before)
    await apply_lossless(database_url, after)
    await make(database_url, after, folder, "Second")

    with pytest.raises(ConfigurationError, match=r"already exists.+run `gatepost migrate adopt`"):
        await up(database_url, folder, metadata=after)

    assert await adopt(database_url, folder) is not None
    assert await up(database_url, folder, metadata=after) == []


async def test_constraints_without_a_name_go_up_and_down(database_url: str, folder: Path) -> None:
    after = unnamed(
        UniqueConstraint("a", "b" * 40),
        CheckConstraint("a > 0"),
        CheckConstraint("a < 9"),
        Column("c", ForeignKey(f"{'t' * 40}.id"), CheckConstraint("c <> 5"), unique=True),
    )
    await made(database_url, unnamed(), folder)
    await up(database_url, folder)
    first = await catalog(database_url)
    await made(database_url, after, folder)
    await up(database_url, folder)
    assert await check(database_url, after, folder) == []
    await down(database_url, folder)
    assert await catalog(database_url) == first


async def test_constraints_get_the_names_that_postgresql_would_give(database_url: str) -> None:
    columns = ("a", "b" * 40, "c" * 70)
    for table in ("t", "t" * 63, "ü" * 25):
        await run(
            database_url,
            f"CREATE TABLE {table} (id int PRIMARY KEY, a int, {columns[1]} int, {columns[2]} int)",
            f"ALTER TABLE {table} ADD UNIQUE (a, {columns[1]})",
            f"ALTER TABLE {table} ADD UNIQUE ({columns[1]})",
            f"ALTER TABLE {table} ADD FOREIGN KEY (a) REFERENCES {table}",
            f"ALTER TABLE {table} ADD FOREIGN KEY ({columns[1]}) REFERENCES {table}",
        )
        async with connected(database_url) as connection:
            query = "SELECT conname FROM pg_constraint WHERE conrelid = to_regclass($1) AND contype <> 'n'"
            found = {row[0] for row in await connection.fetch(query, table)}
        expected = {object_name(table, "", "pkey")}
        expected |= {object_name(table, name, "key") for name in (f"a_{columns[1]}", columns[1])}
        expected |= {object_name(table, name, "fkey") for name in ("a", columns[1])}
        assert found == expected


async def test_a_file_made_twice_is_the_same_twice(database_url: str) -> None:
    program = Path(__file__).with_name("print_two_revisions.py")
    running = [
        await asyncio.create_subprocess_exec(
            sys.executable, program, database_url, stdout=PIPE, env={**os.environ, "PYTHONHASHSEED": seed}
        )
        for seed in ("0", "1")
    ]
    made = {(await process.communicate())[0] for process in running}
    assert len(made) == 1
    assert b"create_check_constraint" in made.pop()


async def test_no_scratch_database_is_left_behind(database_url: str, folder: Path) -> None:
    await made(database_url, things(), folder)
    await check(database_url, things(), folder)
    async with connected(database_url) as connection:
        assert await connection.fetch("SELECT FROM pg_database WHERE datname LIKE 'gatepost_scratch%'") == []
