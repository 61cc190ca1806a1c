"""Resident memory of Gatepost's worker over a million requests: at most 110 MiB, and flat."""

import sys

from rich.console import Console

from benchmarks.load import run_load
from benchmarks.process import resident_mib
from benchmarks.run import single

REQUESTS = 1_000_000
STEPS = 20
MIB_MAX = 110.0
# Python's allocator breathes: less than this between a tenth of the way and the end is flat.
GROWTH_MIB_MAX = 3.0
SECONDS_MAX = 3600.0


def main() -> int:
    """Read rows and pages by turns; 0 where memory stays within its bounds."""
    console = Console()
    sizes: list[float] = []
    with single("gatepost", console) as (entrant, _):
        for step in range(STEPS):
            work = entrant.works["page_50" if step % 4 == 3 else "one_row"]
            run_load(entrant.port, work.requests, work.status, seconds=SECONDS_MAX, count=REQUESTS // STEPS)
            sizes.append(resident_mib(entrant.process.pid))
            console.print(f"{(step + 1) * REQUESTS // STEPS:>9,} requests  {sizes[-1]:6.1f} MiB")
    growth = sizes[-1] - sizes[STEPS // 10]
    good = sizes[-1] <= MIB_MAX and growth <= GROWTH_MIB_MAX
    console.print(
        f"{'reached' if good else 'missed'}: {sizes[-1]:.1f} MiB (at most {MIB_MAX:.0f}), grown by {growth:.1f}."
    )
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
