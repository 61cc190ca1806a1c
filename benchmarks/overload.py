"""More than can be done: how much is served, and how fast, at twice and four times what a process can carry."""

import argparse
import asyncio
import os
import statistics
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import reduce
from operator import add
from pathlib import Path

import asyncpg
import msgspec
from rich.console import Console

from benchmarks.load import run_load
from benchmarks.open_load import run_open
from benchmarks.process import Process, free_port
from benchmarks.run import cores
from benchmarks.servers import BIN, ROOT
from benchmarks.works import request_bytes

EXAMPLES = """examples:
  python -m benchmarks.overload                 about five minutes
  python -m benchmarks.overload --rounds 1      a quick look
  python -m benchmarks.overload --json          the figures as JSON, on stdout
"""

TURNS = 3
"""How often a round measures the peak, the unloaded server and the overload, in turns, and then the peak once more: a
machine that others use, too, changes from one minute to the next."""

PEAK_SECONDS, UNLOADED_SECONDS, OVERLOAD_SECONDS = 2.0, 3.5, 5.0

SKIP_SECONDS = 2.0
"""The first half second of an overload is a burst by design, and is served whole."""

UNLOADED_SHARE = 0.1


@dataclass(frozen=True)
class Case:
    """One kind of work, by how many times too much is asked for, and what has to come of it."""

    path: str
    target: str
    times: float
    goodput_min: float
    p99_max: float | None


CASES = (
    Case("dear", "/api/dear/{key}", 4, 0.9, 3.0),
    # A page, because a single row costs less than what sends the requests.
    Case("cheap", "/api/cheap?limit=50", 2, 0.55, None),
)


@dataclass(frozen=True)
class Figures:
    """Requests per second and milliseconds; the ratios are to the peak and to the unloaded server. `lag_seconds` is how
    much longer than told the load took: then less was asked for."""

    work: str
    times: float
    peak: float
    unloaded_p99_ms: float
    goodput: float
    p99_ms: float
    goodput_ratio: float
    p99_ratio: float
    not_sent: int
    lag_seconds: float


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and report; a missed target is a result."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.overload",
        description=__doc__,
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--rounds", type=int, default=3, help="servers of each work (default: 3)")
    parser.add_argument("--json", action="store_true", help="print JSON")
    options = parser.parse_args(arguments)
    console = Console(stderr=options.json, highlight=False)
    serving, loading = cores()
    with tempfile.TemporaryDirectory(prefix="gatepost-bench-") as folder:
        found = [
            _median(list(_rounds(case, options.rounds, Path(folder), serving, loading, console))) for case in CASES
        ]
    if options.json:
        sys.stdout.buffer.write(msgspec.json.encode([asdict(figures) for figures in found]) + b"\n")
    for case, figures in zip(CASES, found, strict=True):
        _report(console, case, figures)
    return 0


def _rounds(case: Case, rounds: int, folder: Path, core: int, load_core: int, console: Console) -> Iterator[Figures]:
    from gatepost.database.embedded import EmbeddedPostgreSQL

    # The database shares the core of the server: beside the load it would starve, and be what is overloaded.
    os.sched_setaffinity(0, {core})
    with EmbeddedPostgreSQL(folder / f"{case.path}-database", settings={"fsync": "off"}) as server:
        os.sched_setaffinity(0, {load_core})
        dsn = server.dsn("postgres")
        keys = asyncio.run(_fill(dsn, case.path))
        targets = [case.target.format(key=key) for key in keys]
        requests = [request_bytes("GET", target, None) for target in targets]
        for number in range(rounds):
            with console.status(f"{case.path}, round {number + 1}"):
                yield _measure(case, dsn, requests, folder, core)


def _measure(case: Case, dsn: str, requests: Sequence[bytes], folder: Path, core: int) -> Figures:
    port = free_port()
    environment = {
        "DATABASE_URL": dsn,
        "GATEPOST_ENV": "development",
        "GATEPOST_LIMIT_API": "1000000000",
        "GATEPOST_LIMIT_FACTOR": "1",
        "GATEPOST_HEAD_SECONDS": "60",
        "GATEPOST_LOG": "json",
    }
    command = [str(BIN / "gatepost"), "serve", "benchmarks.overload_app:app", "--port", str(port)]
    with Process(command, environment, core=core, log=folder / "log", cwd=ROOT) as process:
        process.wait_until_ready(f"http://127.0.0.1:{port}/readyz", lambda status: status == 200)
        run_load(port, requests, 200, seconds=2)
        peaks, quiets, louds = [_peak(port, requests)], [], []
        for _ in range(TURNS):
            peak = peaks[-1]
            quiets.append(
                run_open(port, requests, rate=peak * UNLOADED_SHARE, seconds=UNLOADED_SECONDS, skip_seconds=0.5)
            )
            louds.append(
                run_open(port, requests, rate=peak * case.times, seconds=OVERLOAD_SECONDS, skip_seconds=SKIP_SECONDS)
            )
            peaks.append(_peak(port, requests))
    peak, quiet, loud = statistics.mean(peaks), reduce(add, quiets), reduce(add, louds)
    return Figures(
        case.path,
        case.times,
        peak,
        quiet.percentile_ms(99),
        loud.goodput,
        loud.percentile_ms(99),
        loud.goodput / peak,
        loud.percentile_ms(99) / quiet.percentile_ms(99),
        loud.not_sent,
        loud.lag_seconds,
    )


def _peak(port: int, requests: Sequence[bytes]) -> float:
    return run_load(port, requests, 200, seconds=PEAK_SECONDS).requests_per_second


async def _fill(dsn: str, table: str) -> list[str]:
    from benchmarks.overload_app import app
    from gatepost.migrations.lossless import apply_lossless

    await apply_lossless(dsn, app.metadata)
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute(f"INSERT INTO {table} (title) SELECT 'row ' || n FROM generate_series(1, 1000) n")
        return [str(row[0]) for row in await connection.fetch(f"SELECT id FROM {table}")]
    finally:
        await connection.close()


def _median(rounds: Sequence[Figures]) -> Figures:
    """Each figure's median; the ratios are medians of the rounds' own."""
    values = [asdict(figures) for figures in rounds]
    merged = {
        name: statistics.median(value[name] for value in values) for name in values[0] if name not in ("work", "times")
    }
    return Figures(rounds[0].work, rounds[0].times, **merged)


def _report(console: Console, case: Case, figures: Figures) -> None:
    console.print(
        f"[bold]{case.path}[/] at {case.times:g} times its load: {figures.goodput:.0f} of {figures.peak:.0f} requests "
        f"a second, p99 {figures.p99_ms:.1f} ms (unloaded {figures.unloaded_p99_ms:.1f} ms)"
    )
    if figures.not_sent or figures.lag_seconds > OVERLOAD_SECONDS / 100:
        console.print("  [yellow]The load could not all be sent in time: less was asked for.[/]")
    ratio, bound = figures.goodput_ratio, case.goodput_min
    console.print(f"  goodput {ratio:6.2f}  (at least {bound:g})  {_verdict(ratio >= bound)}")
    if case.p99_max is not None:
        ratio, bound = figures.p99_ratio, case.p99_max
        console.print(f"  p99     {ratio:6.2f}  (at most {bound:g})  {_verdict(ratio <= bound)}")


def _verdict(reached: bool) -> str:
    return "[green]reached[/]" if reached else "[red]missed[/]"


if __name__ == "__main__":
    sys.exit(main())
