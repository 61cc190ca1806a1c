"""Tables and lines for people, JSON for scripts."""

import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from gatepost.logging.console import is_coloured
from gatepost.logging.text import escaped

if TYPE_CHECKING:
    from rich.table import Table


def print_json(value: Any) -> None:
    """The value as indented JSON on stdout."""
    sys.stdout.write(msgspec.json.format(msgspec.json.encode(value), indent=2).decode() + "\n")


_LINE_MAX = 10_000
_WHOLE = 2
"""The columns whose cells are not divided: variables, methods and paths are to be copied."""


def print_table(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    """A table on stdout. On a terminal the cells of all columns but the first two may take several lines; anywhere else
    a row is one line, as long as it has to be."""
    from rich.console import Console

    is_terminal = sys.stdout.isatty()
    console = Console(width=None if is_terminal else _LINE_MAX, markup=False, highlight=False)
    table = table_of(columns, rows)
    if is_terminal:
        console.print(table)
        return
    with console.capture() as capture:
        console.print(table)
    sys.stdout.write("".join(f"{line.rstrip()}\n" for line in capture.get().splitlines()))


def table_of(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> "Table":
    """A table for a console of rich, with control characters escaped."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for place, column in enumerate(columns):
        table.add_column(column, overflow="fold", no_wrap=place < _WHOLE)
    for row in rows:
        table.add_row(*[Text(escaped(str(cell))) if cell is not None else "" for cell in row])
    return table


def print_rows(rows: Sequence[Mapping[str, Any]], *, as_json: bool, columns: Sequence[str]) -> None:
    """Rows as a table of these columns, or all of them as JSON."""
    if as_json:
        print_json(rows)
    else:
        print_table([column.replace("_", " ") for column in columns], [[row[name] for name in columns] for row in rows])


def finding_line(mark: str, colour: str | None, words: str, hint: str | None) -> str:
    """One finding of a doctor: a mark, coloured on a terminal, what was found, and how to fix it."""
    if colour is not None and is_coloured(sys.stdout):
        mark = f"\x1b[{colour}m{mark}\x1b[0m"
    return f"{mark} {words}" + (f"\n       {hint}" if hint else "")
