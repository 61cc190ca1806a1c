"""Errors of PostgreSQL as the log shows them: without the values of rows and of statements.

PostgreSQL repeats them in DETAIL ("Key (email)=(...) already exists", "Failing row contains (...)"), asyncpg in its
refusals of an argument. What went wrong, and with which constraint, is in the message itself, which stays: it may quote
the one value that a cast did not understand.
"""

import contextlib
import re
import sys
from collections.abc import Generator
from typing import Any, cast

_TELLS_NO_ROW = frozenset({"08", "0A", "25", "28", "3D", "3F", "40", "42", "53", "54", "55", "57", "58", "XX"})
"""Classes of SQLSTATE whose DETAIL speaks of statements, locks, names and limits; in all others it may hold a row."""

_ARGUMENT = re.compile(r"(invalid input for query argument \$\d+[^:\n]*): .*")

HIDDEN = "DETAIL is not logged: it may hold the values of a row"


@contextlib.contextmanager
def hidden_row_values(error: BaseException) -> Generator[None]:
    """For as long as an error is written: its DETAIL, and that of every error in its chain, holds no row."""
    driver = sys.modules.get("asyncpg")  # where it is not loaded, no error is one of its
    kept = [(each, each.detail) for each in _chain(error, driver) if _may_hold_row(each)] if driver is not None else []
    for each, _ in kept:
        each.detail = HIDDEN
    try:
        yield
    finally:
        for each, detail in kept:
            each.detail = detail


def database_fields(error: BaseException) -> dict[str, str]:
    """What PostgreSQL names of an error in the chain: its code, and the table and constraint that it concerns."""
    driver = sys.modules.get("asyncpg")
    found = _chain(error, driver) if driver is not None else []
    if not found:
        return {}
    named = {"sqlstate": found[0].sqlstate, "table": found[0].table_name, "constraint": found[0].constraint_name}
    return {name: value for name, value in named.items() if value}


def without_arguments(text: str) -> str:
    """A traceback without the values of arguments that the driver could not send."""
    return _ARGUMENT.sub(r"\1: [not logged]", text)


def _may_hold_row(error: Any) -> bool:
    return bool(error.detail) and (error.sqlstate or "")[:2] not in _TELLS_NO_ROW


def _chain(error: BaseException, driver: Any) -> list[Any]:
    """The errors of PostgreSQL that a traceback of `error` shows."""
    found: list[Any] = []
    seen: set[int] = set()
    waiting: list[BaseException | None] = [error]
    while waiting:
        each = waiting.pop()
        if each is None or id(each) in seen:
            continue
        seen.add(id(each))
        if isinstance(each, driver.PostgresError):
            found.append(each)
        waiting += [each.__cause__, each.__context__]
        if isinstance(each, BaseExceptionGroup):
            waiting += cast("Any", each).exceptions
    return found
