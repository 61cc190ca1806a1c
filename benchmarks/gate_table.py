"""The tables of the gate in README.md beside it, made of `gate_results.json`: `python -m benchmarks.gate_table`."""

import re
import sys
from pathlib import Path

from benchmarks.gate_figures import RESULTS, read_figures, text_of

README = Path(__file__).parent / "README.md"
BLOCK = re.compile(r"(?<=<!-- gate -->\n)(?P<table>.*?)(?=<!-- end of gate -->)", re.S)
"""What stands between the two comments."""


def main() -> None:
    """Rewrite the block."""
    text = README.read_text(encoding="utf-8")
    if BLOCK.search(text) is None:
        sys.exit(f"{README.name} has no block between <!-- gate --> and <!-- end of gate -->.")
    README.write_text(BLOCK.sub(lambda _: table_of(RESULTS), text), encoding="utf-8")


def table_of(results: Path) -> str:
    """The block's text: every figure, with its target and whether that is reached."""
    figures = read_figures(results)
    lines: list[str] = []
    for part in dict.fromkeys(figure.part for figure in figures):
        lines += ["", f"| {part} | measured | at most | |", "| --- | ---: | ---: | --- |"]
        for figure in figures:
            if figure.part == part:
                maximum = "" if figure.value_max is None else text_of(figure.value_max, figure.unit)
                lines.append(f"| {figure.name} | {figure.shown} | {maximum} | {figure.verdict} |")
    return "\n".join([*lines[1:], ""])


if __name__ == "__main__":
    main()
