"""What records cost: CPU of a one-row read with access lines to files, metrics and history against without, beside an
ASGI function with structlog, prometheus-client and OpenTelemetry wired the usual way. Interleaved; medians count."""

import argparse
import os
import statistics
import sys
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

from rich.console import Console

from benchmarks.database import Bookshop, bookshop
from benchmarks.load import run_load
from benchmarks.process import Process, cpu_seconds, free_port
from benchmarks.run import cores
from benchmarks.servers import ROOT, Server, Stage, ceiling, gatepost, migrate, python_of_peers
from benchmarks.tokens import Keys
from benchmarks.works import request_bytes

ROUNDS = 7
SECONDS = 1.5
WARM_UP_SECONDS = 1.0
RATIO_MAX = 1.15
OVERHEAD_SHARE_MAX = 0.1


def with_records(stage: Stage) -> Server:
    """Gatepost with its records: what `gatepost serve` does where a folder for logs is named."""
    made = gatepost(stage)
    folder = str(stage.keys / "logs")
    return replace(made, environment={**made.environment, "GATEPOST_LOG": "none", "GATEPOST_LOG_FOLDER": folder})


def without_records(stage: Stage) -> Server:
    """Gatepost without access lines, metrics and monitor."""
    made = gatepost(stage)
    off = {"GATEPOST_LOG": "none", "GATEPOST_LOG_ACCESS": "false", "GATEPOST_METRICS": "false"}
    return replace(made, environment={**made.environment, **off})


def usual(stage: Stage) -> Server:
    """The ceiling without them."""
    made = ceiling(stage)
    python = python_of_peers()
    command = [
        str(python.parent / "granian") if part.endswith("/granian") else part.replace("asginl", "asgi")
        for part in made.command
    ]
    command[-1] = "benchmarks.peers.usual_records.main:app"
    return replace(made, command=command)


def usual_with_records(stage: Stage) -> Server:
    """The ceiling with structlog, prometheus-client and OpenTelemetry."""
    made = usual(stage)
    folder = stage.keys / f"prometheus-{stage.port}"
    folder.mkdir()
    told = {"ACCESS_LOG": str(stage.keys / "usual.log"), "PROMETHEUS_MULTIPROC_DIR": str(folder)}
    return replace(made, environment={**made.environment, **told})


SERVERS: dict[str, Callable[[Stage], Server]] = {
    "gatepost": without_records,
    "gatepost with records": with_records,
    "usual": usual,
    "usual with records": usual_with_records,
}


def main() -> int:
    """Measure and report; 0 where both bounds are kept."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.records", description=__doc__)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--seconds", type=float, default=SECONDS)
    options = parser.parse_args()
    console, (serving, loading) = Console(), cores()
    os.sched_setaffinity(0, {loading})
    costs: dict[str, list[float]] = {name: [] for name in SERVERS}
    with tempfile.TemporaryDirectory(prefix="gatepost-bench-") as name, ExitStack() as stack:
        folder = Path(name)
        keys = Keys.make(folder)
        with console.status("starting PostgreSQL, 100,000 books"):
            shop = stack.enter_context(bookshop(folder / "database", migrate))
        shop.tidy()
        for number in range(options.rounds):
            names = list(SERVERS)
            for each in names[number % len(names) :] + names[: number % len(names)]:
                with console.status(f"round {number + 1}: {each}"):
                    costs[each].append(_cost(each, shop, keys, folder, serving, options.seconds))
    found = {name: statistics.median(each) for name, each in costs.items()}
    for name, cost in found.items():
        console.print(f"{name:24} {cost:6.1f} us", highlight=False)
    ratio = found["gatepost with records"] / found["gatepost"]
    overhead = found["gatepost with records"] - found["gatepost"]
    usual_overhead = found["usual with records"] - found["usual"]
    share = overhead / usual_overhead
    _say(console, f"{ratio:.3f} times a read without records", RATIO_MAX, is_good=ratio <= RATIO_MAX)
    said = f"{overhead:.1f} us, {share:.2f} of the {usual_overhead:.1f} us of the usual ones"
    _say(console, said, OVERHEAD_SHARE_MAX, is_good=share <= OVERHEAD_SHARE_MAX)
    return 0 if ratio <= RATIO_MAX and share <= OVERHEAD_SHARE_MAX else 1


def _cost(name: str, shop: Bookshop, keys: Keys, folder: Path, core: int, seconds: float) -> float:
    """Microseconds of CPU per request, of a server that is started for this."""
    stage = Stage(shop.dsn, folder, free_port())
    server = SERVERS[name](stage)
    token = keys.token(shop.user_id, server.algorithm)
    requests = [request_bytes("GET", f"/api/books/{id}", token) for id in shop.book_ids]
    log = folder / f"{name}.log"
    with Process(server.command, server.environment, core=core, log=log, cwd=ROOT) as process:
        process.wait_until_ready(f"http://127.0.0.1:{stage.port}{server.ready_path}", lambda status: status < 500)
        run_load(stage.port, requests, 200, seconds=WARM_UP_SECONDS)
        before = cpu_seconds(process.pid)
        load = run_load(stage.port, requests, 200, seconds=seconds)
        return (cpu_seconds(process.pid) - before) / len(load.latencies) * 1e6


def _say(console: Console, what: str, most: float, *, is_good: bool) -> None:
    console.print(f"{'reached' if is_good else 'missed'}: {what} (at most {most})", highlight=False)


if __name__ == "__main__":
    sys.exit(main())
