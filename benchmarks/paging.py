"""A page of 50 at depth 100,000 by cursor, sorted by price, against the first page: within 20 %."""

import argparse
import json
import statistics
import sys
import urllib.request
from urllib.parse import quote

from rich.console import Console

from benchmarks.load import run_load
from benchmarks.process import cpu_seconds
from benchmarks.run import single
from benchmarks.servers import SERVERS
from benchmarks.works import PAGE_SIZE, request_bytes

FIRST = f"/api/books?sort=-price&limit={PAGE_SIZE}"
DEPTH = 100_000
ROUNDS = 21
SECONDS = 0.3
RATIO_MAX = 1.2


def walk(port: int, token: str) -> tuple[str, int]:
    """Follow `page.next` to the deepest whole page; its target, and the number of rows before it."""
    target, deepest, rows = FIRST, FIRST, 0
    while True:
        request = urllib.request.Request(
            f"http://127.0.0.1:{port}{target}", headers={"Authorization": f"Bearer {token}"}
        )
        with urllib.request.urlopen(request, timeout=10) as response:
            page = json.load(response)
        if len(page["data"]) < PAGE_SIZE or rows >= DEPTH:
            return deepest, max(0, rows - PAGE_SIZE)
        deepest, rows = target, rows + PAGE_SIZE
        if page["page"]["next"] is None:
            return deepest, rows - PAGE_SIZE
        target = f"{FIRST}&after={quote(page['page']['next'], safe='')}"


def main() -> int:
    """Walk, then measure both pages by turns; 0 where the deep one is within the bound."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.paging", description=__doc__)
    servers = [name for name in SERVERS if not name.startswith("ceiling")]
    parser.add_argument("--server", choices=servers, default="gatepost")
    options = parser.parse_args()
    console = Console()
    with single(options.server, console) as (entrant, shop):
        with console.status("walking to the last page"):
            deep, depth = walk(entrant.port, entrant.token)
        samples: dict[str, list[tuple[float, float]]] = {FIRST: [], deep: []}
        for _ in range(ROUNDS):
            for target, found in samples.items():
                before = cpu_seconds(entrant.process.pid) + cpu_seconds(shop.pid)
                load = run_load(entrant.port, [request_bytes("GET", target, entrant.token)] * 16, 200, seconds=SECONDS)
                cpu = cpu_seconds(entrant.process.pid) + cpu_seconds(shop.pid) - before
                found.append((load.percentile_ms(50), cpu / len(load.latencies) * 1e6))
    times, costs = (
        [statistics.median(column) for column in columns] for columns in _columns(samples[FIRST], samples[deep])
    )
    for name, time, cost in zip(("first page", f"behind {depth:,} rows"), times, costs, strict=True):
        console.print(f"{name:22} p50 {time:6.2f} ms   CPU of server and database {cost:6.0f} us")
    ratio = times[1] / times[0]
    console.print(
        f"{'reached' if ratio <= RATIO_MAX else 'missed'}: {ratio:.2f} times the first (at most {RATIO_MAX})."
    )
    return 0 if ratio <= RATIO_MAX else 1


def _columns(*samples: list[tuple[float, float]]) -> tuple[list[list[float]], list[list[float]]]:
    """The latencies of each page, and the CPU of each page."""
    return [[time for time, _ in found] for found in samples], [[cost for _, cost in found] for found in samples]


if __name__ == "__main__":
    sys.exit(main())
