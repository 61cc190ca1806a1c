"""Which SQL may leave something on its connection: what calls only what is known, and is one statement, may not."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatepost.database.session_altering_sql import may_alter_session
from gatepost.database.sql_tokens import FUNCTIONS

LEAVES_NOTHING = [
    "SELECT books.id, lower(books.title) FROM books WHERE books.id IN ($1, $2)",
    "INSERT INTO books (id, title) VALUES ($1::UUID, $2::VARCHAR) RETURNING books.id",
    "INSERT INTO shop.\"order\" (id) VALUES (nextval('shop.numbers'))",
    "INSERT INTO a.b AS c (x) VALUES (1) ON CONFLICT (x) DO UPDATE SET x = excluded.x",
    "SELECT CAST(x AS NUMERIC(10, 2)), $1::NUMERIC(10, 2) FROM t",
    "WITH RECURSIVE tree(id, parent) AS (SELECT 1, 2) SELECT * FROM tree AS other(a, b)",
    "SELECT row_number() OVER (PARTITION BY a ORDER BY b), count(*) FILTER (WHERE a) FROM t",
    "SELECT 'set_config(' || \"set_config(\" FROM t",
    'SELECT t."odd ""(" FROM t',
    "SAVEPOINT sa_savepoint_1",
    "ROLLBACK TO SAVEPOINT sa_savepoint_1",
    "(SELECT 1) UNION (SELECT 2)",
    "SELECT pg_catalog.lower('A'), \"lower\"('A')",
    "DELETE FROM t WHERE EXISTS (SELECT 1 FROM u WHERE (a, b) = ANY (ARRAY[(1, 2)]))",
]

MAY_LEAVE = [
    "SELECT set_config('a.b', 'c', false)",
    "SELECT set_config ('a.b', 'c', false)",
    "SELECT\nSET_CONFIG\n(1)",
    "SELECT \"set_config\"('a')",
    'SELECT pg_catalog."set_config"(1)',
    "SELECT side.lower('A')",
    "SELECT side . lower ('A')",
    'SELECT "side"."lower"(1)',
    "SELECT a.b.lower(1)",
    "SELECT mine(1)",
    "SELECT lower(mine(1))",
    "SELECT 1 WHERE pg_try_advisory_lock(7)",
    "INSERT INTO t (x) VALUES (mine(1))",
    "INSERT INTO t (x) SELECT mine(1)",
    "UPDATE t SET x = mine(y)",
    "SELECT * FROM mine(1) AS alias(a)",
    "WITH x AS (SELECT mine(1)) SELECT * FROM x",
    "SELECT set_config/**/('a')",
    "SELECT set_config--\n('a')",
    "SELECT E'\\'', set_config('a', ')', false)",
    "SELECT $a$'$a$, mine(1)",
    "SELECT 1; LISTEN x",
    "CREATE TEMPORARY TABLE t (x integer)",
    "LISTEN x",
    "SET LOCAL a.b = 'c'",
    "DECLARE c CURSOR WITH HOLD FOR SELECT 1",
    "CALL p()",
    "",
]


@pytest.mark.parametrize("sql", LEAVES_NOTHING)
def test_one_statement_of_known_functions_leaves_nothing(sql: str) -> None:
    assert not may_alter_session(sql)


@pytest.mark.parametrize("sql", MAY_LEAVE)
def test_anything_else_may_leave_something(sql: str) -> None:
    assert may_alter_session(sql)


@given(st.lists(st.sampled_from(LEAVES_NOTHING), max_size=3), st.sampled_from(["mine(1)", '"mine"(1)', "a.mine ( 1 )"]))
def test_an_unknown_call_is_found_beside_whatever_else_there_is(others: list[str], call: str) -> None:
    beside = "".join(f"({other}), " for other in others)
    assert may_alter_session(f"SELECT {beside}{call}")
    assert may_alter_session(f"SELECT {call}, {beside}1")


def test_no_function_is_listed_twice() -> None:
    assert len(FUNCTIONS.split()) == len(set(FUNCTIONS.split()))
