"""More than can be done: what is served meanwhile, how fast, and whether the overload ends with its cause."""

import argparse
import asyncio
import os
import statistics
import sys
import tempfile
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

import asyncpg
import msgspec
from rich.console import Console

from benchmarks.closed_load import run_closed
from benchmarks.overload_scenarios import SCENARIOS, Figures, Scenario, Server
from benchmarks.process import Process, free_port
from benchmarks.run import cores
from benchmarks.servers import ROOT
from benchmarks.works import request_bytes

EXAMPLES = """examples:
  python -m benchmarks.overload                     all, three rounds: about twelve minutes
  python -m benchmarks.overload --rounds 1          a quick look
  python -m benchmarks.overload --only c,d          the closed loops
  python -m benchmarks.overload --against ../before another checkout, with its .venv, in turns with this one
  python -m benchmarks.overload --json              the figures as JSON, on stdout
"""


WARMING_CLIENTS = 16


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and report; a missed target is a result."""
    options = _parse(arguments)
    console = Console(stderr=options.json, highlight=False)
    checkouts = [ROOT, *options.against]
    found: dict[tuple[Path, str], list[Figures]] = defaultdict(list)
    serving, loading = cores()
    from gatepost.embedded.postgresql import EmbeddedPostgreSQL
    from gatepost.server.descriptors import connections_max

    connections_max()  # asks for as many descriptors as a server gets

    with tempfile.TemporaryDirectory(prefix="gatepost-bench-") as folder:
        # The database shares the core of the server: beside the load it would starve, and be what is overloaded.
        os.sched_setaffinity(0, {serving})
        with EmbeddedPostgreSQL(Path(folder) / "database", settings={"fsync": "off"}) as database:
            os.sched_setaffinity(0, {loading})
            dsn = database.dsn("postgres")
            keys = asyncio.run(_fill(dsn))
            for number in range(options.rounds):
                for letter in options.only:
                    for scenario in SCENARIOS[letter]:
                        for checkout in checkouts:
                            with console.status(f"round {number + 1}, ({letter}), {checkout.name}"):
                                figures = _measure(scenario, checkout, dsn, keys, Path(folder), serving)
                            found[checkout, letter].append(figures)
                            shown = ", ".join(f"{name} {figure:.2f}" for name, figure in figures.items())
                            console.print(f"[dim]{number + 1} ({letter}) {checkout.name}: {shown}[/]")
    medians = {place: _medians(rounds) for place, rounds in found.items()}
    if options.json:
        listed = [
            {"checkout": str(checkout), "scenario": letter, "figures": figures}
            for (checkout, letter), figures in medians.items()
        ]
        sys.stdout.buffer.write(msgspec.json.encode(listed) + b"\n")
    for (checkout, letter), figures in sorted(medians.items(), key=lambda item: item[0][1]):
        _report(console, letter, figures, checkout if len(checkouts) > 1 else None)
    return 0


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.overload",
        description=__doc__,
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--rounds", type=int, default=3, help="of each scenario, in turns (default: 3)")
    parser.add_argument("--only", type=_letters, default=list(SCENARIOS), help="scenarios, such as c,d (default: all)")
    parser.add_argument(
        "--against", type=Path, action="append", default=[], metavar="FOLDER", help="measure this checkout as well"
    )
    parser.add_argument("--json", action="store_true", help="print JSON")
    return parser.parse_args(arguments)


def _letters(text: str) -> list[str]:
    letters = text.split(",")
    if unknown := set(letters) - SCENARIOS.keys():
        raise argparse.ArgumentTypeError(f"{', '.join(sorted(unknown))}: the scenarios are {', '.join(SCENARIOS)}")
    return letters


def _measure(scenario: Scenario, checkout: Path, dsn: str, keys: Sequence[str], folder: Path, core: int) -> Figures:
    port = free_port()
    environment = {
        "DATABASE_URL": dsn,
        "GATEPOST_ENV": "development",
        "GATEPOST_LIMIT_API": "1000000000",
        "GATEPOST_LIMIT_FACTOR": "1",
        "GATEPOST_HEADER_SECONDS": "60",
        "GATEPOST_LOG": "json",
    }
    checkout = checkout.absolute()
    gatepost = checkout / ".venv" / "bin" / "gatepost"
    command = [str(gatepost), "serve", "benchmarks.overload_app:app", "--port", str(port), "--workers", "1"]
    with Process(command, environment, core=core, log=folder / "log", cwd=checkout) as process:
        process.wait_until_ready(f"http://127.0.0.1:{port}/readyz", lambda status: status == 200)
        expensive = [request_bytes("GET", f"/api/dear/{key}", None) for key in keys]
        # A page, because a single row costs less than what sends the requests.
        cheap = [request_bytes("GET", "/api/cheap?limit=50", None)] * 64
        for requests in (cheap, expensive):
            run_closed(port, requests, WARMING_CLIENTS, seconds=1)
        return scenario.measure(Server(port, process.pid, expensive, cheap))


async def _fill(dsn: str) -> list[str]:
    """Rows for both kinds of work; returns the keys of the expensive ones."""
    from benchmarks.overload_app import app
    from gatepost.migrations.safe_changes import apply_lossless

    await apply_lossless(dsn, app.metadata)
    connection = await asyncpg.connect(dsn)
    try:
        for table in ("cheap", "dear"):
            await connection.execute(f"INSERT INTO {table} (title) SELECT 'row ' || n FROM generate_series(1, 1000) n")
        return [str(row[0]) for row in await connection.fetch("SELECT id FROM dear")]
    finally:
        await connection.close()


def _medians(rounds: Sequence[Figures]) -> Figures:
    """Each figure's median; ratios are medians of the rounds' own."""
    names = dict.fromkeys(name for figures in rounds for name in figures)
    return {name: statistics.median(figures[name] for figures in rounds if name in figures) for name in names}


def _report(console: Console, letter: str, figures: Figures, checkout: Path | None) -> None:
    scenarios = SCENARIOS[letter]
    console.print(f"[bold]({letter}) {scenarios[0].title}[/]" + (f"  {checkout}" if checkout is not None else ""))
    bounds = {name: bound for scenario in scenarios for name, bound in scenario.bounds.items()}
    for name, figure in figures.items():
        bound = bounds.get(name)
        if bound is None:
            console.print(f"  {name:36} {figure:9.2f}")
            continue
        side = "at most" if bound.is_most else "at least"
        verdict = "[green]reached[/]" if bound.holds(figure) else "[red]missed[/]"
        note = ", gives way to the others" if bound.gives_way else ""
        console.print(f"  {name:36} {figure:9.2f}  ({side} {bound.value:g}{note})  {verdict}")


if __name__ == "__main__":
    sys.exit(main())
