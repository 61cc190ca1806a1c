"""What PostgreSQL and asyncpg repeat of rows and statements does not come out in the log."""

import json
import logging
from typing import Any

import asyncpg
import pytest

from gatepost.logging.records import RecordHandler
from gatepost.logging.row_values import database_fields

SECRET = "classified-42"


@pytest.fixture
def lines() -> list[str]:
    """The lines that come out."""
    return []


def log(lines: list[str], error: BaseException) -> str:
    """The traceback of an error as it is logged."""
    handler = RecordHandler(lambda line, kind: lines.append(line.decode()), form="json", coloured=False)
    record = logging.LogRecord("gatepost", logging.ERROR, __file__, 1, "request_failed", (), None)
    record.exc_info = (type(error), error, error.__traceback__)
    handler.emit(record)
    return str(json.loads(lines[-1])["exception"])


def postgres_error(state: str, message: str, detail: str) -> Any:
    """As asyncpg makes it of an ErrorResponse."""
    fields = {"C": state, "M": message, "D": detail, "S": "ERROR", "V": "ERROR"}
    return asyncpg.PostgresError.new(fields, query="INSERT INTO notes (text) VALUES ($1)")


@pytest.mark.parametrize(
    ("state", "detail"),
    [
        ("23505", f"Key (email)=({SECRET}) already exists."),
        ("23514", f"Failing row contains ({SECRET})."),
        ("23503", f'Key (user_id)=({SECRET}) is not present in table "users".'),
        ("44000", f"Failing row contains ({SECRET})."),
        ("22P02", f'Token "{SECRET}" is invalid.'),
        ("P0001", f"of a trigger's own: {SECRET}"),
    ],
)
def test_a_detail_that_may_hold_a_row_is_left_out_wherever_it_stands_in_the_chain(
    lines: list[str], state: str, detail: str
) -> None:
    error = postgres_error(state, "what went wrong", detail)
    try:
        try:
            try:
                raise error
            except asyncpg.PostgresError as cause:
                raise RuntimeError("of SQLAlchemy") from cause
        except RuntimeError as middle:
            raise ExceptionGroup("of a task group", [ValueError("of a service"), error]) from middle
    except ExceptionGroup as group:
        text = log(lines, group)
    assert SECRET not in text
    assert "what went wrong" in text
    assert error.detail == detail, "a service that handles the error still sees it"


def test_a_detail_that_speaks_of_statements_and_locks_stays(lines: list[str]) -> None:
    error = postgres_error("40P01", "deadlock detected", "Process 1 waits for ShareLock on transaction 2.")
    assert "ShareLock" in log(lines, error)


def test_an_argument_that_the_driver_refuses_is_left_out(lines: list[str]) -> None:
    error = asyncpg.DataError(f"invalid input for query argument $2: '{SECRET}' (an integer is required)")
    text = log(lines, error)
    assert SECRET not in text
    assert "query argument $2" in text


def test_what_postgresql_names_of_an_error_is_in_fields_of_its_own() -> None:
    fields = {"C": "GP001", "M": "no", "S": "ERROR", "V": "ERROR", "t": "notes", "n": "notes_text_key"}
    error = RuntimeError("of SQLAlchemy")
    error.__cause__ = asyncpg.PostgresError.new(fields, query="COMMIT")

    assert database_fields(error) == {"sqlstate": "GP001", "table": "notes", "constraint": "notes_text_key"}
    assert database_fields(KeyError("of Python")) == {}
    assert database_fields(postgres_error("XX000", "internal", "")) == {"sqlstate": "XX000"}
