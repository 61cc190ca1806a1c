"""What cores carry, computed from `results.json`: `python -m benchmarks.capacity` writes it into limits-of-scale.md.

CPU alone: a request costs its worker and PostgreSQL so many microseconds, and both are to be busy for USED of the time.
That twice the cores carry twice as much is assumed, not measured.
"""

import json
import math
import re
import sys
from pathlib import Path
from typing import NamedTuple

from benchmarks.readme_table import RESULTS
from benchmarks.targets import SUBJECT

PAGE = Path(__file__).parents[1] / "docs" / "explanation" / "limits-of-scale.md"
BLOCK = re.compile(r"(?<=<!-- computed -->\n)(?P<table>.*?)(?=<!-- end of computed -->)", re.S)
USED = 0.6
"""Busier, and the queues grow; and an instance has to be able to fail."""

MIX = {"one_row": 0.80, "page_50": 0.15, "create": 0.03, "patch": 0.02}
WORKERS, POOL = 4, 10
"""Of an instance: `GATEPOST_WORKERS` and `GATEPOST_DATABASE_POOL_SIZE`."""

CORES = (2, 4, 8, 16, 32, 64)


class Cost(NamedTuple):
    """CPU of one request in microseconds."""

    server: float
    database: float


def costs() -> dict[str, Cost]:
    """What each work costs, as it was measured, and the mix of them."""
    runs = json.loads(RESULTS.read_text(encoding="utf-8"))["runs"]
    found = {
        run["work"]: Cost(run["cpu_microseconds"], run["database_cpu_microseconds"])
        for run in runs
        if run["server"] == SUBJECT
    }
    server, database = (
        sum(share * getattr(found[work], part) for work, share in MIX.items()) for part in ("server", "database")
    )
    return {**found, "the mix": Cost(server, database)}


def per_second(microseconds: float, cores: float = 1) -> float:
    """Requests a second of so many cores, used as far as they are to be."""
    return cores * USED * 1_000_000 / microseconds


def table() -> str:
    """The block of the page."""
    found = costs()
    lines = [
        "| request | CPU of the worker | of PostgreSQL | a core of workers carries | a core of the primary carries "
        "| cores of workers for one of the primary |",
        "| --- | ---: | ---: | ---: | ---: | ---: |",
    ]
    for work, cost in found.items():
        name = work if work == "the mix" else f"`{work}`"
        ratio = cost.server / cost.database
        lines.append(
            f"| {name} | {cost.server:.0f} us | {cost.database:.0f} us | {_rounded(per_second(cost.server))}/s "
            f"| {_rounded(per_second(cost.database))}/s | {ratio:.1f} |"
        )
    mixed = found["the mix"]
    shares = ", ".join(f"{share:.0%} `{work}`" for work, share in MIX.items())
    lines += [
        "",
        f"The mix is {shares}. Of it, a primary of so many cores carries, and needs in front of it",
        f"(instances of {WORKERS} workers with a pool of {POOL} each, and one more, so that one may fail):",
        "",
        "| cores of the primary | requests a second | cores of workers | instances | connections |",
        "| ---: | ---: | ---: | ---: | ---: |",
    ]
    for cores in CORES:
        rate = per_second(mixed.database, cores)
        needed = math.ceil(rate / per_second(mixed.server))
        instances = max(2, math.ceil(needed / WORKERS) + 1)
        connections = instances * (2 * WORKERS * (POOL + 1) + 2)
        lines.append(f"| {cores} | {_rounded(rate)} | {needed} | {instances} | {connections:,} |")
    return "\n".join(lines) + "\n"


def _rounded(value: float) -> str:
    """Two significant digits: more would say more than is known."""
    digits = math.floor(math.log10(value)) - 1
    return f"{round(value, -digits):,.0f}"


def main() -> None:
    """Rewrite the block of the page."""
    text = PAGE.read_text(encoding="utf-8")
    if BLOCK.search(text) is None:
        sys.exit(f"{PAGE.name} has no block between <!-- computed --> and <!-- end of computed -->.")
    PAGE.write_text(BLOCK.sub(lambda _: table(), text), encoding="utf-8")


if __name__ == "__main__":
    main()
