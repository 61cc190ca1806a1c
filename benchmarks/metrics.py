"""What `/metrics` costs with 2,000 operations in each of two workers: CPU of the monitor for a page, where all of them
have had requests since the last one and where none has, and the memory that is the monitor's alone (USS), scraped every
few seconds for a while."""

import contextlib
import statistics
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import httpx
import psutil  # type: ignore[import-untyped]
from rich.console import Console

from benchmarks.console import page, with_monitor
from benchmarks.costs import Place, Served, opened_shop, parser, served
from benchmarks.metrics_app import OPERATIONS
from benchmarks.run import cores
from benchmarks.servers import Server, Stage
from gatepost.monitor.supervision import NAME

ROUNDS = 20
SECONDS = 70.0
PAUSE_SECONDS = 2.5
COUNTING_SECONDS = 30.0
WORKERS = 2
MILLISECONDS_MAX = {"changed": 50.0, "unchanged": 50.0}
MIB_MAX = 50.0
APP = "benchmarks.metrics_app:app"


def two_workers(stage: Stage) -> Server:
    """Gatepost with records and two workers, without access lines."""
    made = with_monitor(stage)
    told = {"GATEPOST_LOG_ACCESS": "false", "GATEPOST_WORKERS": str(WORKERS)}
    return replace(made, environment={**made.environment, **told})


def count(server: Served, turn: int) -> None:
    """Have each worker count a request of each operation."""
    counted: set[int] = set()
    deadline = time.monotonic() + COUNTING_SECONDS
    while len(counted) < WORKERS and time.monotonic() < deadline:
        # A connection of its own: any of the workers may take it.
        response = httpx.post(f"http://127.0.0.1:{server.port}/api/count/{turn}").raise_for_status()
        counted.add(response.json()["data"]["pid"])
    if len(counted) < WORKERS:
        raise TimeoutError(f"Of {WORKERS} workers {len(counted)} have counted.")


def monitor_of(server: Served) -> psutil.Process:
    """Its process."""
    for each in psutil.Process(server.process.pid).children(recursive=True):
        with contextlib.suppress(OSError):
            if Path(f"/proc/{each.pid}/comm").read_text().strip() == NAME:
                return each
    raise LookupError("There is no monitor.")


def measure(console: Console, place: Place, *, rounds: int, seconds: float) -> dict[str, float]:
    """Milliseconds of CPU for a page, the mean of so many, and the median and the most MiB of the monitor after it."""
    with served(place, two_workers, APP) as server:
        path, monitor = place.folder / "admin.sock", monitor_of(server)

        def scrape() -> bytes:
            return page(path, "/metrics")

        count(server, 0)
        found = scrape().count(b"_count{")
        if found < OPERATIONS:
            raise ValueError(f"The page has {found} histograms.")
        spent = {"changed": 0.0, "unchanged": 0.0}
        for number in range(rounds):
            with console.status(f"page {number + 1}"):
                count(server, number + 1)
                for name in spent:
                    spent[name] += _seconds_of(monitor, scrape)
        sizes: list[float] = []
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            with console.status(f"{sizes[-1] if sizes else 0:.1f} MiB"):
                count(server, rounds + len(sizes))
                scrape()
                time.sleep(PAUSE_SECONDS)
                scrape()
                time.sleep(PAUSE_SECONDS)
                sizes.append(monitor.memory_full_info().uss / 2**20)
    milliseconds = {name: each / rounds * 1000 for name, each in spent.items()}
    return {**milliseconds, "median": statistics.median(sizes), "most": max(sizes)}


def report(console: Console, found: Mapping[str, float]) -> None:
    """Print them, and whether the bounds are kept."""
    for name, most in MILLISECONDS_MAX.items():
        word = "reached" if found[name] <= most else "missed"
        console.print(f"{word}: {found[name]:.1f} ms of CPU, {name} (at most {most:g})", highlight=False)
    word = "reached" if found["most"] <= MIB_MAX else "missed"
    said = f"{found['median']:.1f} MiB of the monitor's own, {found['most']:.1f} at most (at most {MIB_MAX:g})"
    console.print(f"{word}: {said}", highlight=False)


def main() -> int:
    """Measure and report. A missed bound is a result, not a failure."""
    options = parser("metrics", __doc__, rounds=ROUNDS, seconds=SECONDS).parse_args()
    console = Console()
    with opened_shop(console, *cores()) as place:
        report(console, measure(console, place, rounds=options.rounds, seconds=options.seconds))
    return 0


def _seconds_of(process: psutil.Process, act: Callable[[], object]) -> float:
    """CPU that a process spends on something."""
    before = process.cpu_times()
    act()
    after = process.cpu_times()
    return float(after.user - before.user + after.system - before.system)


if __name__ == "__main__":
    sys.exit(main())
