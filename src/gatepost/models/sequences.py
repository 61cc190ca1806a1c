"""Sequences: those that columns draw from, and those that are behind their table.

A duplicate key may be one that the column drew itself.

After an import that brought its own keys, the sequence is behind its table. Every creation then fails until an operator
sets the sequence, and no client can help it: so it is not a 409 but a 500, whose log line says what to run.
"""

import re
from collections.abc import Collection
from typing import Any

from sqlalchemy import Column, DefaultClause, MetaData, Sequence, Table

from gatepost.errors import DatabaseMistake
from gatepost.models.schema_names import qualified, quote
from gatepost.models.schema_objects import add_object, sequence


def add_sequences(metadata: MetaData) -> None:
    """Declare the sequences that columns name as their default; the migrations create them."""
    for table in metadata.tables.values():
        for column in table.columns:
            for default in (column.default, getattr(column.server_default, "arg", None)):
                drawn = default if isinstance(default, Sequence) else getattr(default, "sequence", None)
                if isinstance(drawn, Sequence) and not drawn.optional:
                    add_object(table, sequence(drawn))


_NEXT = re.compile(r"nextval\('([^']+)'")


class SequenceBehind(DatabaseMistake):
    """A sequence drew a value that the table has already; the message ends with the SQL to run."""


def find_sequence_behind(
    table: "Table[Any]", columns: Collection["Column[Any]"], given: Collection[str] | None
) -> SequenceBehind | None:
    """The error, where one of the columns of a violated unique constraint drew its value from a sequence; None where
    the statement gave the value (`given` are the columns it named), or where that is not known."""
    if given is None:
        return None
    drawn = (column for column in columns if column.name not in given)
    return next((_behind(table, column, drawing) for column in drawn if (drawing := _drawing(table, column))), None)


def _drawing(table: "Table[Any]", column: "Column[Any]") -> str | None:
    """The SQL that names the sequence of a column; None where it has none."""
    default: Any = column.default
    server_default: Any = column.server_default
    if isinstance(default, Sequence):
        return f"'{qualified(default.name, default.schema)}'"
    if isinstance(server_default, DefaultClause) and (found := _NEXT.search(str(server_default.arg))):
        return f"'{found[1]}'"
    if column.identity is not None or (server_default is None and column is table.autoincrement_column):
        return f"pg_get_serial_sequence('{qualified(table.name, table.schema)}', '{column.name}')"
    return None


def _behind(table: "Table[Any]", column: "Column[Any]", drawing: str) -> SequenceBehind:
    name, key = qualified(table.name, table.schema), quote(column.name)
    return SequenceBehind(
        f"the sequence of {table.name}.{column.name} is behind: run "
        f"SELECT setval({drawing}, (SELECT max({key}) FROM {name}));"
    )
