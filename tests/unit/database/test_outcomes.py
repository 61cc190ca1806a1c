"""Which failures of a statement that was sent leave it in doubt."""

from typing import Any

import asyncpg
import pytest

from gatepost.database.failures import is_lost
from gatepost.database.outcomes import is_in_doubt, reply_of


def reply(state: str, severity: str = "ERROR", **fields: str) -> Any:
    """An ErrorResponse as asyncpg raises it."""
    return asyncpg.PostgresError.new({"C": state, "M": "", "S": severity, "V": severity, **fields})


def raised(state: str) -> Any:
    """What PostgreSQL reports of a trigger that chose this code."""
    return reply(state, R="exec_stmt_raise")


def lost(cause: BaseException | None = None) -> BaseException:
    """A lost connection, after an ErrorResponse or without one."""
    error = asyncpg.ConnectionDoesNotExistError("connection was closed in the middle of operation")
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    "error",
    [
        lost(),
        lost(ConnectionResetError()),
        lost(reply("57P01", "FATAL")),
        lost(reply("XX000", "PANIC")),
        reply("57P01"),
        reply("57P02"),
        reply("57P03"),
        reply("40003"),
        reply("08006"),
        reply("25P03", "FATAL"),
        reply("57P01", "FATAL", R="ProcessInterrupts"),
        raised("40003"),
        TimeoutError(),
        OSError(),
    ],
    ids=repr,
)
def test_what_does_not_say_what_happened_leaves_a_doubt(error: BaseException) -> None:
    assert is_in_doubt(error)


@pytest.mark.parametrize(
    "error",
    [
        reply("57014"),
        reply("23505"),
        reply("40001"),
        reply("53100"),
        lost(reply("23505")),
        raised("08006"),
        raised("57P01"),
        lost(raised("08006")),
        asyncpg.InterfaceError("cannot perform operation: connection is closed"),
        ValueError("of a codec"),
    ],
    ids=repr,
)
def test_a_response_leaves_none(error: BaseException) -> None:
    assert not is_in_doubt(error)


@pytest.mark.parametrize("state", ["08003", "08006", "08P01", "28000", "28P01", "3D000", "53300", "57P01", "57P03"])
def test_a_code_that_a_trigger_chose_says_nothing_of_the_connection(state: str) -> None:
    assert not is_lost(raised(state))
    assert is_lost(reply(state, "FATAL", R="ProcessInterrupts"))
    assert is_lost(reply(state)), "a pooler said so"


def test_a_response_counts_though_the_connection_was_lost_after_it() -> None:
    refusal = reply("23505")
    assert reply_of(lost(refusal)) is refusal
