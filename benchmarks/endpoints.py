"""Own endpoints and DTOs: CPU of the server per request against the derived read, and against a hand-written ceiling;
and the CPU of a start with 200 resources and 400 endpoints. In interleaved rounds; medians count."""

import argparse
import dataclasses
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from benchmarks.database import Bookshop, bookshop
from benchmarks.load import run_load
from benchmarks.process import Process, cpu_seconds, free_port
from benchmarks.run import cores
from benchmarks.servers import ROOT, Server, Stage, ceiling, gatepost, migrate
from benchmarks.tokens import Keys
from benchmarks.works import page_target, request_bytes

ROUNDS = 9
SECONDS = 1.0
START_SECONDS_MAX = 2.5
STARTS = 3


@dataclass
class Measured:
    """One kind of request to one server, with the CPU of each round in microseconds per request."""

    process: Process
    port: int
    requests: Sequence[bytes]
    costs: list[float] = dataclasses.field(default_factory=list[float])

    def measure(self, seconds: float) -> None:
        """One round."""
        before = cpu_seconds(self.process.pid)
        load = run_load(self.port, self.requests, 200, seconds=seconds)
        self.costs.append((cpu_seconds(self.process.pid) - before) / len(load.latencies) * 1e6)


RATIOS = [
    ("a row of the path, handed back", "again", "derived", 1.15),
    ("a SELECT of its own", "chosen", "derived", 1.6),
    ("a page of 50 DTOs, and its ceiling", "cards", "ceiling", 1.3),
]
"""What is measured, against what, and the largest ratio."""


def main() -> int:
    """Measure and report; 0 where every ratio is within its bound."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.endpoints", description=__doc__)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--seconds", type=float, default=SECONDS)
    options = parser.parse_args()
    console, (serving, loading) = Console(), cores()
    os.sched_setaffinity(0, {loading})
    with tempfile.TemporaryDirectory(prefix="gatepost-bench-") as name, ExitStack() as stack:
        folder = Path(name)
        keys = Keys.make(folder)
        with console.status("starting PostgreSQL, 100,000 books"):
            shop = stack.enter_context(bookshop(folder / "database", migrate))
        measured = _start(shop, keys, folder, stack, serving)
        shop.tidy()
        for number in range(options.rounds):
            with console.status(f"round {number + 1}"):
                for each in measured.values():
                    each.measure(options.seconds)
    costs = {name: statistics.median(each.costs) for name, each in measured.items()}
    verdicts = [(name, costs[one], costs[other], costs[one] / costs[other], most) for name, one, other, most in RATIOS]
    for name, cost, other, ratio, most in verdicts:
        word = "reached" if ratio <= most else "missed"
        console.print(
            f"{name:36} {cost:6.1f} us  {other:6.1f} us  {word}: {ratio:.2f} (at most {most})", highlight=False
        )
    start = statistics.median(_start_seconds() for _ in range(STARTS))
    word = "reached" if start <= START_SECONDS_MAX else "missed"
    console.print(f"{word}: {start:.2f} s to compose 200 resources with 400 endpoints (at most {START_SECONDS_MAX})")
    is_good = start <= START_SECONDS_MAX and all(ratio <= most for _, _, _, ratio, most in verdicts)
    return 0 if is_good else 1


def _start(shop: Bookshop, keys: Keys, folder: Path, stack: ExitStack, core: int) -> dict[str, Measured]:
    """The servers, and what is asked of each."""

    def start(server: Callable[[Stage], Server], app: str) -> tuple[Process, int]:
        stage = Stage(shop.dsn, folder, free_port())
        made = server(stage)
        command = [app if ":" in part and "." in part else part for part in made.command]
        log = folder / f"{app}.log"
        process = stack.enter_context(Process(command, made.environment, core=core, log=log, cwd=ROOT))
        process.wait_until_ready(f"http://127.0.0.1:{stage.port}{made.ready_path}", lambda status: status < 500)
        return process, stage.port

    own = start(gatepost, "benchmarks.endpoints_app:app")
    cards = start(gatepost, "benchmarks.endpoints_app:cards")
    bare = start(ceiling, "benchmarks.dto_ceiling:app")
    token, plain = keys.token(shop.user_id, "gatepost"), keys.token(shop.user_id)
    paths = {"derived": "/api/books/{}", "again": "/api/books/{}/again", "chosen": "/api/books/chosen?id={}"}
    found = {
        name: Measured(*own, [request_bytes("GET", path.format(id), token) for id in shop.book_ids])
        for name, path in paths.items()
    }
    pages = [page_target(price) for price in shop.prices]
    found["cards"] = Measured(*cards, [request_bytes("GET", page, token) for page in pages])
    found["ceiling"] = Measured(*bare, [request_bytes("GET", page, plain) for page in pages])
    return found


def _start_seconds() -> float:
    """The CPU time of a process that declares and composes a large app."""
    command = [sys.executable, "-m", "benchmarks.large_app"]
    return float(subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT).stdout)


if __name__ == "__main__":
    sys.exit(main())
