"""The derived schema in PostgreSQL: checks fire, indexes serve, versions move whoever writes."""

import asyncio
import uuid
from collections.abc import AsyncGenerator
from typing import Any, TypeAlias

import asyncpg
import pytest
from migrated_models import connected, run, shop

from gatepost.database.failures import Broken
from gatepost.embedded.postgresql import EmbeddedPostgreSQL
from gatepost.errors import Problem
from gatepost.migrations.objects import UUIDV7
from gatepost.migrations.safe_changes import apply_lossless
from gatepost.models.constraint_violations import ConstraintErrors

Connection: TypeAlias = "asyncpg.Connection[Any]"


SEED = """
WITH author AS (INSERT INTO authors (name) VALUES ('Le Guin') RETURNING id)
INSERT INTO books (title, price, stock, author_id, extra) SELECT 'Sea', 5, 2, id, '{"a": 1}' FROM author
"""


CATALOGUE = """
INSERT INTO books (title, price, stock, rating, author_id)
SELECT 'Book ' || n, n % 900, 0, CASE WHEN n % 3 > 0 THEN n % 5 END, (SELECT id FROM authors)
FROM generate_series(1, 5000) AS n
"""


def made_once(postgresql: EmbeddedPostgreSQL, *statements: str) -> str:
    async def fill(database_url: str) -> None:
        await apply_lossless(database_url, shop())
        await run(database_url, SEED, *statements)

    name = f"test_{uuid.uuid4().hex}"
    postgresql.execute(f"CREATE DATABASE {name}")
    asyncio.run(fill(postgresql.dsn(name)))
    return postgresql.dsn(name)


@pytest.fixture(scope="module")
def shop_url(postgresql: EmbeddedPostgreSQL) -> str:
    """The shop with one author and one book, made once: every test here rolls back what it does."""
    return made_once(postgresql)


@pytest.fixture(scope="module")
def catalogue_url(postgresql: EmbeddedPostgreSQL) -> str:
    """The shop with five thousand books, some without a rating."""
    return made_once(postgresql, CATALOGUE, "VACUUM ANALYZE books")


@pytest.fixture
async def connection(shop_url: str) -> AsyncGenerator[Connection]:
    """A connection in a transaction that is rolled back."""
    async with connected(shop_url) as connection:
        await connection.execute("BEGIN")
        yield connection


@pytest.mark.parametrize(
    ("change", "constraint", "code"),
    [
        ("price = -1", "ck_books_price_ge", "too_small"),
        ("price = 1000", "ck_books_price_le", "too_large"),
        ("price = 'NaN'", "ck_books_price_finite", "not_finite"),
        ("stock = 3", "ck_books_stock_multiple_of", "not_a_multiple"),
        ("stock = 100000", "ck_books_stock_sane", "violates_check"),
        ("rating = 'Infinity'", "ck_books_rating_finite", "not_finite"),
        ("released = '1399-12-31'", "ck_books_released_ge", "too_small"),
        ("title = ''", "ck_books_title_min_length", "too_short"),
        ("title = repeat('ü', 201)", "ck_books_title_max_length", "too_long"),
        ("rating = 0.35", "ck_books_rating_multiple_of", "not_a_multiple"),
        ("tags = '{aa,bb,cc}'", "ck_books_tags_max_length", "too_long"),
        ("tags = '{aa,b}'", "ck_books_tags_each_min_length", "too_short"),
        ("tags = array['aa', repeat('b', 21)]", "ck_books_tags_each_max_length", "too_long"),
        ("sizes = '{5,-5}'", "ck_books_sizes_each_ge", "too_small"),
        ("sizes = '{5,7}'", "ck_books_sizes_each_multiple_of", "not_a_multiple"),
        ("cover = 'a'", "ck_books_cover_min_length", "too_short"),
    ],
)
async def test_a_check_fires_and_says_what_it_means(
    connection: Connection, change: str, constraint: str, code: str
) -> None:
    with pytest.raises(asyncpg.CheckViolationError) as refusal:
        await connection.execute(f"UPDATE books SET {change}")
    problem = ConstraintErrors([shop()])(Broken(refusal.value.constraint_name))
    assert isinstance(problem, Problem)
    assert (refusal.value.constraint_name, [error.code for error in problem.errors]) == (constraint, [code])


@pytest.mark.parametrize(
    "change",
    [
        "price = 0",
        "price = 999.99",
        "stock = 0",
        "rating = NULL",
        "title = repeat('ü', 200)",
        "rating = 4.3",
        "tags = '{}'",
        "tags = '{aa,NULL}'",
        "sizes = '{0,5}'",
        "cover = 'ab'",
    ],
)
async def test_a_bound_itself_is_admitted(connection: Connection, change: str) -> None:
    assert await connection.execute(f"UPDATE books SET {change}") == "UPDATE 1"


@pytest.mark.parametrize(
    ("change", "moved"),
    [
        ("stock = 4", 1),
        ("extra = '{}'", 1),
        ("stock = stock", 0),
        ("version = 77", 0),
        ("stock = 4, version = 77", 1),
        ("created_at = 'epoch', updated_at = 'epoch'", 0),
    ],
)
async def test_the_version_moves_with_every_change_and_with_nothing_else(
    connection: Connection, change: str, moved: int
) -> None:
    before = await connection.fetchrow("SELECT version, created_at, updated_at FROM books")
    await connection.execute(f"UPDATE books SET {change}")
    after = await connection.fetchrow("SELECT version, created_at, updated_at FROM books")
    assert before is not None
    assert after is not None
    assert after["version"] - before["version"] == moved
    assert after["created_at"] == before["created_at"]
    assert (after["updated_at"] > before["updated_at"]) == bool(moved)


@pytest.mark.parametrize(
    ("query", "index"),
    [
        ("ORDER BY price, id LIMIT 50", "Index Scan using ix_books_price_id"),
        ("ORDER BY price DESC, id DESC LIMIT 50", "Index Scan Backward using ix_books_price_id"),
        ("WHERE (price, id) > (500, uuidv7()) ORDER BY price, id LIMIT 50", "Index Scan using ix_books_price_id"),
        ("ORDER BY rating, id LIMIT 50", "Index Scan using ix_books_rating_id"),
        ("ORDER BY rating DESC NULLS LAST, id DESC LIMIT 50", "Index Scan using ix_books_rating_id_desc"),
        ("WHERE stock = 2", "Index Scan using ix_books_stock"),
        ("WHERE title ILIKE '%ook 4999%'", "Bitmap Index Scan on ix_books_title_trgm"),
    ],
)
async def test_what_may_be_sorted_filtered_and_searched_has_its_index(
    catalogue_url: str, query: str, index: str
) -> None:
    async with connected(catalogue_url) as connection:
        plan = "\n".join(row[0] for row in await connection.fetch(f"EXPLAIN SELECT * FROM books {query}"))
    assert index in plan
    assert "Sort" not in plan


async def test_older_servers_get_a_uuidv7_of_ours(connection: Connection) -> None:
    await connection.execute(UUIDV7.replace("FUNCTION uuidv7", "FUNCTION public.uuidv7"))
    rows = await connection.fetch(
        "SELECT public.uuidv7() AS id, clock_timestamp() AS now, pg_sleep(0.002) FROM generate_series(1, 20)"
    )
    found = [row["id"] for row in rows]
    assert found == sorted(found)
    assert {(item.version, item.variant) for item in found} == {(7, "specified in RFC 4122")}
    assert all(abs((row["id"].int >> 80) / 1000 - row["now"].timestamp()) < 0.005 for row in rows)
