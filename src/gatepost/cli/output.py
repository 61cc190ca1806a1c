"""Tables and lines for people, JSON for scripts."""

import sys
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from gatepost.logging.console import is_coloured
from gatepost.logging.text import escaped


def print_json(value: Any) -> None:
    """The value as indented JSON on stdout."""
    sys.stdout.write(msgspec.json.format(msgspec.json.encode(value), indent=2).decode() + "\n")


def print_table(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    """A table on stdout. Where stdout is not a terminal, lines are not cut."""
    from rich import box
    from rich.console import Console
    from rich.table import Table

    console = Console(width=None if sys.stdout.isatty() else 240, markup=False, highlight=False)
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*[escaped(str(cell)) if cell is not None else "" for cell in row])
    console.print(table)


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
