"""Statements of others are shown without the values in them, whatever their form."""

import pytest

from gatepost.database.masked_sql import operation_of, without_literals


@pytest.mark.parametrize(
    ("sql", "shown"),
    [
        ("SELECT 'canary', 42, 1.5e3, x1 FROM t", "SELECT ?, ?, ?, x1 FROM t"),
        ("WHERE a = 'it''s canary' AND b = $1", "WHERE a = ? AND b = $1"),
        (r"WHERE a = 'C:\' AND b = 'canary'", "WHERE a = ? AND b = ?"),
        (r"WHERE a = E'x\' canary' AND b", "WHERE a = ? AND b"),
        ("WHERE a = U&'canary' OR a = B'101'", "WHERE a = ? OR a = ?"),
        ("DO $$ canary $$, $tag$ $$ canary $tag$ end", "DO ?, ? end"),
        ('SELECT "a \'column\' 1" FROM "t"', 'SELECT "a \'column\' 1" FROM "t"'),
        ("SELECT 1 -- canary\nFROM t /* canary /* canary */ canary */", "SELECT ? ?\nFROM t ?"),
        ("SELECT /* user=canary */ 1", "SELECT ? ?"),
        ("SELECT /* books.list */ id", "SELECT /* books.list */ id"),
        ("INSERT INTO t VALUES ('cut canar", "INSERT INTO t VALUES (?"),
        ("INSERT INTO t VALUES ($x$cut canar", "INSERT INTO t VALUES (?"),
        ("SELECT 1 /* cut canar", "SELECT ? ?"),
    ],
)
def test_no_value_is_left(sql: str, shown: str) -> None:
    assert without_literals(sql) == shown


@pytest.mark.parametrize(
    ("sql", "operation"),
    [
        ("SELECT /* books.list */ id FROM books", "books.list"),
        ("WITH /* books.delete */ gone AS (SELECT 1) SELECT 1", "books.delete"),
        ("SELECT 1 /* books.list */", None),
        ("SELECT /* user=ada@example.com */ 1", None),
        ("", None),
    ],
)
def test_the_operation_is_the_name_that_gatepost_gave(sql: str, operation: str | None) -> None:
    assert operation_of(sql) == operation
