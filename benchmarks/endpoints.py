"""Own endpoints and DTOs: CPU of the server per request against the derived read, and against a hand-written ceiling;
and the CPU of a start with 200 resources and 400 endpoints. In interleaved rounds; medians count."""

import dataclasses
import statistics
import subprocess
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass

from rich.console import Console

from benchmarks.costs import Place, Served, opened_shop, parser, served
from benchmarks.run import cores
from benchmarks.servers import ROOT, ceiling, gatepost
from benchmarks.works import page_target, request_bytes

ROUNDS = 9
SECONDS = 1.0
START_SECONDS_MAX = 2.5
STARTS = 3


@dataclass
class Measured:
    """One kind of request to one server, with the CPU of each round in microseconds per request."""

    served: Served
    requests: Sequence[bytes]
    costs: list[float] = dataclasses.field(default_factory=list[float])

    def measure(self, seconds: float) -> None:
        """One round."""
        self.costs.append(self.served.cost(self.requests, seconds))


RATIOS = [
    ("a row of the path, handed back", "again", "derived", 1.15),
    ("a SELECT of its own", "chosen", "derived", 1.6),
    ("a page of 50 DTOs, and its ceiling", "cards", "ceiling", 1.3),
]
"""What is measured, against what, and the largest ratio."""


def main() -> int:
    """Measure and report; 0 where every ratio is within its bound."""
    options = parser("endpoints", __doc__, rounds=ROUNDS, seconds=SECONDS).parse_args()
    console = Console()
    with opened_shop(console, *cores()) as place, ExitStack() as stack:
        measured = _start(place, stack)
        place.shop.tidy()
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


def _start(place: Place, stack: ExitStack) -> dict[str, Measured]:
    """The servers, and what is asked of each."""
    own = stack.enter_context(served(place, gatepost, "benchmarks.endpoints_app:app"))
    cards = stack.enter_context(served(place, gatepost, "benchmarks.endpoints_app:cards"))
    bare = stack.enter_context(served(place, ceiling, "benchmarks.dto_ceiling:app"))
    shop, keys = place.shop, place.keys
    token, plain = keys.token(shop.user_id, "gatepost"), keys.token(shop.user_id)
    paths = {"derived": "/api/books/{}", "again": "/api/books/{}/again", "chosen": "/api/books/chosen?id={}"}
    found = {
        name: Measured(own, [request_bytes("GET", path.format(id), token) for id in shop.book_ids])
        for name, path in paths.items()
    }
    pages = [page_target(price) for price in shop.prices]
    found["cards"] = Measured(cards, [request_bytes("GET", page, token) for page in pages])
    found["ceiling"] = Measured(bare, [request_bytes("GET", page, plain) for page in pages])
    return found


def _start_seconds() -> float:
    """The CPU time of a process that declares and composes a large app."""
    command = [sys.executable, "-m", "benchmarks.large_app"]
    return float(subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT).stdout)


if __name__ == "__main__":
    sys.exit(main())
