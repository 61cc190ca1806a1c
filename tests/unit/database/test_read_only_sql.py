"""Which statements of a service are known to change no row; in doubt one may have."""

import pytest

from gatepost.database.read_only_sql import only_reads


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT 1",
        "SELECT orders.id, count(*) AS count_1 FROM orders WHERE orders.text = $1::VARCHAR GROUP BY orders.id",
        "SELECT coalesce(sum(orders.total), 0) FROM orders WHERE id IN ($1, $2)",
        "SELECT orders.id FROM orders WHERE orders.id = $1::UUID FOR UPDATE",
        "SELECT orders.id FROM orders FOR NO KEY UPDATE SKIP LOCKED",
        "WITH recent AS (SELECT id FROM orders) SELECT count(*) FROM recent",
        "SELECT 'DELETE FROM orders' AS words",
        'SELECT "update" FROM orders',
        "SAVEPOINT sa_savepoint_1",
        "ROLLBACK TO SAVEPOINT sa_savepoint_1",
        "SET LOCAL lock_timeout = '1s'",
        "SELECT CAST(orders.total AS NUMERIC(10, 2)) FROM orders",
    ],
)
def test_a_statement_that_only_reads_is_known(sql: str) -> None:
    assert only_reads(sql)


@pytest.mark.parametrize(
    "sql",
    [
        "INSERT INTO orders (id) VALUES ($1)",
        "UPDATE orders SET total = 0",
        "DELETE FROM orders",
        "WITH gone AS (DELETE FROM orders RETURNING id) SELECT count(*) FROM gone",
        "SELECT setval('orders_id_seq', 1)",
        "SELECT nextval('orders_id_seq')",
        "SELECT app.place_order($1)",
        'SELECT "Place"($1)',
        "SELECT id INTO copies FROM orders",
        "SELECT pg_notify('orders', '1')",
        "/* a comment */ SELECT 1",
        "SELECT 1 -- and more",
        "SELECT E'\\'' || place_order()",
        "SELECT $$quoted$$",
        "CALL place_order(1)",
        "DO $$ BEGIN END $$",
        "TRUNCATE orders",
        "COPY orders FROM STDIN",
        "MERGE INTO orders USING new ON true WHEN MATCHED THEN DELETE",
        "EXPLAIN ANALYZE DELETE FROM orders",
    ],
)
def test_what_may_write_is_taken_to_write(sql: str) -> None:
    assert not only_reads(sql)
