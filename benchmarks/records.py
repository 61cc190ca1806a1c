"""What records cost: CPU of a one-row read with access lines to files, metrics and history against without, beside an
ASGI function with structlog, prometheus-client and OpenTelemetry wired the usual way. Interleaved; medians count."""

import statistics
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

from rich.console import Console

from benchmarks.costs import Place, opened_shop, parser, served
from benchmarks.report import RESULTS, write_records
from benchmarks.run import cores
from benchmarks.servers import Server, Stage, ceiling, gatepost, python_of_peers
from benchmarks.works import request_bytes

ROUNDS = 4
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


def measure(console: Console, place: Place, *, rounds: int, seconds: float) -> dict[str, float]:
    """The CPU of each server in microseconds per request: medians over the rounds, each of new processes."""
    costs: dict[str, list[float]] = {name: [] for name in SERVERS}
    for number in range(rounds):
        names = list(SERVERS)
        for each in names[number % len(names) :] + names[: number % len(names)]:
            with console.status(f"records, round {number + 1}: {each}"), served(place, SERVERS[each]) as server:
                token = place.keys.token(place.shop.user_id, server.made.algorithm)
                requests = [request_bytes("GET", f"/api/books/{id}", token) for id in place.shop.book_ids]
                server.cost(requests, WARM_UP_SECONDS)
                costs[each].append(server.cost(requests, seconds))
    return {name: round(statistics.median(each), 1) for name, each in costs.items()}


def report(console: Console, found: Mapping[str, float]) -> None:
    """Print them, and whether both bounds are kept."""
    for name, cost in found.items():
        console.print(f"{name:24} {cost:6.1f} us", highlight=False)
    ratio = found["gatepost with records"] / found["gatepost"]
    overhead = found["gatepost with records"] - found["gatepost"]
    usual_overhead = found["usual with records"] - found["usual"]
    share = overhead / usual_overhead
    _say(console, f"{ratio:.3f} times a read without records", RATIO_MAX, is_good=ratio <= RATIO_MAX)
    said = f"{overhead:.1f} us, {share:.2f} of the {usual_overhead:.1f} us of the usual ones"
    _say(console, said, OVERHEAD_SHARE_MAX, is_good=share <= OVERHEAD_SHARE_MAX)


def main() -> int:
    """Measure, report, and write what was found beside the other results. A missed bound is a result, not a failure."""
    made = parser("records", __doc__, rounds=ROUNDS, seconds=SECONDS)
    made.add_argument("--json", default=str(RESULTS), help="where they go, - for nowhere (default: results.json)")
    options = made.parse_args()
    console = Console()
    with opened_shop(console, *cores()) as place:
        found = measure(console, place, rounds=options.rounds, seconds=options.seconds)
    if options.json != "-":
        write_records(Path(options.json), found, options.rounds)
    report(console, found)
    return 0


def _say(console: Console, what: str, most: float, *, is_good: bool) -> None:
    console.print(f"{'reached' if is_good else 'missed'}: {what} (at most {most})", highlight=False)


if __name__ == "__main__":
    sys.exit(main())
