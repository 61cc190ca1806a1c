"""What an error of PostgreSQL tells of the statement that was sent, and of what raised it.

asyncpg keeps the text of the statement with the error. A row that a trigger inserts has its statement in the context.
"""

import re

import asyncpg

from gatepost.database.read_only_sql import only_reads

_INSERT = re.compile(
    r"INSERT\s+INTO\s+(?P<table>(?:\"(?:[^\"]|\"\")+\"|\w+)(?:\.(?:\"(?:[^\"]|\"\")+\"|\w+))?)"
    r"(?:\s+AS\s+\w+)?\s*\((?P<columns>[^)]*)\)\s*(?P<values>.*)",
    re.IGNORECASE | re.DOTALL,
)
_COMMENT = re.compile(r"/\*.*?\*/", re.DOTALL)
"""Statements have their name in one, after the first word (`statements.py`)."""

_EMPTY = re.compile(r"INSERT\s+INTO\s+(?P<table>\S+)\s+DEFAULT\s+VALUES", re.IGNORECASE)
_READS = re.compile(r"\s*(?:\(\s*)*(?:SELECT|WITH|VALUES|TABLE)\b", re.IGNORECASE)
_WRITES = re.compile(r"\b(?:INSERT\s+INTO|DELETE\s+FROM|MERGE\s+INTO|UPDATE\s+\S+\s+SET)\b", re.IGNORECASE)
_RAISE = "exec_stmt_raise"
_BEGINS_VALUES = re.compile(r"\s*(?:VALUES\s*\(|SELECT\s)", re.IGNORECASE)


def given_columns(error: asyncpg.PostgresError) -> frozenset[str] | None:
    """The columns of the error's table that the INSERT gives a value which it does not draw from a sequence; None where
    no INSERT into that table is seen."""
    for given in (getattr(error, "query", None), getattr(error, "context", None)):
        if not given or error.table_name is None:
            continue
        text = _COMMENT.sub(" ", given)
        if (empty := _EMPTY.search(text)) and last_name(empty["table"]) == error.table_name:
            return frozenset()
        for found in _INSERT.finditer(text):
            if last_name(found["table"]) != error.table_name:
                continue
            names = [last_name(name.strip()) for name in found["columns"].split(",")]
            drawn = {
                name
                for name, value in zip(names, _values(found["values"]), strict=False)
                if "nextval(" in value.lower()
            }
            return frozenset(names) - drawn
    return None


def inserted_columns(sql: str) -> dict[int, str] | None:
    """The columns of the first row of an INSERT by the numbers of the arguments that are their values; None for other
    statements."""
    found = _INSERT.match(_COMMENT.sub(" ", sql))
    if found is None:
        return None
    names = [last_name(name.strip()) for name in found["columns"].split(",")]
    places = [re.match(r"\s*\$([0-9]+)", value) for value in _values(found["values"])]
    return {int(place[1]): name for name, place in zip(names, places, strict=False) if place}


def written_table(error: asyncpg.PostgresError) -> str | None:
    """The table that the statement of an error writes to or reads first, as it is written there; None without one."""
    found = re.search(
        r"\b(?:INSERT\s+INTO|UPDATE|DELETE\s+FROM|FROM)\s+((?:\"(?:[^\"]|\"\")+\"|[\w.])+)",
        _statement(error),
        re.IGNORECASE,
    )
    return str(found[1]) if found else None


def reason_of(error: asyncpg.PostgresError) -> str:
    """The code of an error and PostgreSQL's own words, for the log alone."""
    return f"{error.sqlstate} {error.args[0] if error.args else ''}".rstrip()


def is_raised(error: asyncpg.PostgresError) -> bool:
    """Whether RAISE of a function or trigger chose this code: PostgreSQL itself found nothing wrong."""
    return getattr(error, "server_source_function", None) == _RAISE


def is_of_read(error: asyncpg.PostgresError) -> bool:
    """Whether the statement of an error is a compiled one that only reads, or a service's of which that is certain:
    then no trigger of a write can have raised it."""
    sql, bare = getattr(error, "query", None) or "", _statement(error)
    is_named = bare != sql
    if is_named:
        return _READS.match(bare) is not None and _WRITES.search(bare) is None
    return only_reads(sql)


def is_of_deletion(error: asyncpg.PostgresError) -> bool:
    """Whether the statement of an error deletes rows."""
    return re.search(r"\bDELETE\s+FROM\b", _statement(error), re.IGNORECASE) is not None


def _statement(error: asyncpg.PostgresError) -> str:
    """The statement of an error without its comments."""
    return _COMMENT.sub(" ", getattr(error, "query", None) or "")


def _values(text: str) -> list[str]:
    """The expressions of the first row of VALUES, or of a SELECT list, as texts."""
    begin = _BEGINS_VALUES.match(text)
    if begin is None:
        return []
    values, depth = [""], 0
    for sign in text[begin.end() :]:
        depth += (sign == "(") - (sign == ")")
        if depth < 0:
            break
        if sign == "," and depth == 0:
            values.append("")
        else:
            values[-1] += sign
    return values


def last_name(name: str) -> str:
    """A name as the catalog has it, without its schema and its quotes."""
    last: list[str] = re.findall(r"\"(?:[^\"]|\"\")+\"|\w+", name)
    if not last:
        return name
    return last[-1][1:-1].replace('""', '"') if last[-1].startswith('"') else last[-1].lower()
