"""What a compiled statement knows of itself: the tables that it reads, whether it is volatile, and its name."""

from typing import Any

import pytest
from sqlalchemy import (
    Column,
    Executable,
    Integer,
    MetaData,
    String,
    Table,
    column,
    delete,
    exists,
    func,
    insert,
    literal_column,
    select,
    text,
    update,
)
from sqlalchemy.dialects.postgresql import insert as upsert

from gatepost.database.statements import Statement

METADATA = MetaData()
BOOKS, AUTHORS, LOANS = (
    Table(name, METADATA, Column("id", Integer, primary_key=True), Column("name", String))
    for name in ("books", "authors", "loans")
)
OTHERS = BOOKS.alias()
RECENT = select(AUTHORS).where(AUTHORS.c.id > 1).cte("recent")


@pytest.mark.parametrize(
    ("expression", "tables"),
    [
        (select(1), []),
        (select(BOOKS), [BOOKS]),
        (select(OTHERS), [BOOKS]),
        (select(BOOKS).where(exists().where(AUTHORS.c.id == BOOKS.c.id)), [BOOKS, AUTHORS]),
        (select(select(LOANS.c.id).scalar_subquery()), [LOANS]),
        (select(BOOKS).outerjoin(OTHERS, OTHERS.c.id == BOOKS.c.id), [BOOKS]),
        (select(RECENT), [AUTHORS]),
        (select(BOOKS.c.id).union(select(AUTHORS.c.id)), [BOOKS, AUTHORS]),
        (insert(BOOKS).values(id=1), []),
        (insert(BOOKS).from_select(["id"], select(AUTHORS.c.id)), [AUTHORS]),
        (insert(BOOKS).values(id=1).returning(exists().where(AUTHORS.c.id == BOOKS.c.id)), [AUTHORS]),
        (update(BOOKS).values(id=1).where(BOOKS.c.id == AUTHORS.c.id), [BOOKS, AUTHORS]),
        (delete(BOOKS).where(BOOKS.c.id.in_(select(LOANS.c.id))), [BOOKS, LOANS]),
    ],
    ids=str,
)
def test_a_statement_knows_the_tables_that_it_reads(expression: Executable, tables: list[Any]) -> None:
    assert Statement(expression).tables == {table.name for table in tables}


@pytest.mark.parametrize(
    "expression",
    [
        select(BOOKS).where(BOOKS.c.name == "now()"),
        select(func.lower(BOOKS.c.name), func.count().filter(BOOKS.c.id > 1)),
        select(func.row_number().over(partition_by=BOOKS.c.id)),
        select(func.cast(BOOKS.c.name, String(40))),
        select(func.string_agg(BOOKS.c.name, literal_column(r"E',\n'"))),
        select(literal_column("books.xmin")),
        select(literal_column('"order"."select".xmin')),
        select(column("user")),
        insert(BOOKS).values(id=1),
        upsert(BOOKS).values(id=1).on_conflict_do_nothing(),
        delete(BOOKS).where((BOOKS.c.id > 1) & ((BOOKS.c.id < 4) | exists().where(LOANS.c.id == 1))),
    ],
    ids=str,
)
def test_what_depends_on_rows_and_arguments_alone_is_not_volatile(expression: Executable) -> None:
    assert Statement(expression).tables is not None


@pytest.mark.parametrize(
    "expression",
    [
        select(func.random()),
        select(BOOKS).where(exists().where(AUTHORS.c.id > func.random())),
        select(BOOKS).where(BOOKS.c.id > func.lower(func.clock_timestamp())),
        select(func.now()),
        select(func.current_timestamp()),
        select(func.current_user()),
        select(func.pg_catalog.now()),
        select(func.NOW()),
        select(func.current_setting("TimeZone")),
        select(func.mine(BOOKS.c.id)),
        select(func.mine.lower(BOOKS.c.id)),
        select(literal_column("now()")),
        select(literal_column("LOCALTIME")),
        select(literal_column("(SELECT max(id) FROM loans)")),
        select(literal_column("EXISTS (TABLE loans)")),
        select(BOOKS).where(text("id > 1")),
        select(literal_column("E'\\'' || now() || ''")),
        select(literal_column("$a$ $a$")),
        insert(BOOKS).values(id=func.nextval("numbers")),
        update(BOOKS).values(name=func.gen_random_uuid()),
    ],
    ids=str,
)
def test_what_may_change_by_itself_is_volatile(expression: Executable) -> None:
    assert Statement(expression).tables is None


@pytest.mark.parametrize(
    ("expression", "beginning"),
    [
        (select(BOOKS.c.id), "SELECT /* books.get */ books.id"),
        (insert(BOOKS).values(id=1), "INSERT /* books.get */ INTO books"),
        (update(BOOKS).values(id=1), "UPDATE /* books.get */ books SET"),
        (delete(BOOKS), "DELETE /* books.get */ FROM books"),
        (select(RECENT), "WITH /* books.get */ recent AS"),
    ],
    ids=str,
)
def test_the_name_stands_in_a_comment_after_the_first_word(expression: Executable, beginning: str) -> None:
    assert Statement(expression, "books.get").sql.startswith(beginning)


@pytest.mark.parametrize("name", ["a */ b", "/* a", "a\n-- b", "a'b\"c", "*/; DROP TABLE books; --"])
def test_a_name_cannot_end_its_comment(name: str) -> None:
    sql = Statement(select(1), name).sql
    assert sql.count("/*") == sql.count("*/") == 1
    assert sql.endswith(" */ 1")
