"""Resident memory of Gatepost's worker over many requests: at most 110 MiB, and flat.

`python -m benchmarks.memory` reads rows and pages by turns, a million requests. `--shapes` asks for pages of random
shapes instead (fields, filters, orders, expansions), 60,000 requests of which hardly two are alike.
"""

import argparse
import random
import sys
from collections.abc import Sequence

from rich.console import Console

from benchmarks.database import Bookshop
from benchmarks.load import run_load
from benchmarks.measure import Entrant
from benchmarks.process import resident_mib
from benchmarks.run import single
from benchmarks.works import request_bytes

REQUESTS = 1_000_000
SHAPED_REQUESTS = 60_000
SHAPED_CONNECTIONS = 4
"""A new shape is compiled, which takes milliseconds: with more, a busy machine's server would refuse some."""
STEPS = 20
MIB_MAX = 110.0
# Python's allocator breathes: less than this between a tenth of the way and the end is flat.
GROWTH_MIB_MAX = 3.0
SECONDS_MAX = 3600.0


FIELDS = ("id", "title", "price", "stock", "author_id", "created_at", "updated_at", "version")
FILTERS = {
    "price": ("", "ne", "lt", "lte", "gt", "gte", "in"),
    "title": ("", "ne", "lt", "gt", "contains", "starts_with"),
    "author.name": ("", "ne", "lt", "gt"),
}
OPERANDS = {"price": "50", "title": "Book", "author.name": "Le Guin"}
ORDERS = ("price", "-price", "title", "-title", "price,title", "title,-price", "-price,-title", "-title,price")


def shaped_target(chance: random.Random, book_ids: Sequence[object]) -> str:
    """A page of a random shape. Of one row, so that PostgreSQL is not what the run waits for."""
    fields = ",".join(chance.sample(FIELDS, chance.randint(1, len(FIELDS))))
    parts = [f"id={chance.choice(book_ids)}", f"fields={fields}", "limit=5"]
    for name, operators in FILTERS.items():
        for operator in chance.sample(operators, chance.randint(0, 2)):
            key = f"{name}[{operator}]" if operator else name
            parts.append(f"{key}={OPERANDS[name].replace(' ', '+')}")
    if chance.random() < 0.7:
        parts.append(f"sort={chance.choice(ORDERS)}")
    if chance.random() < 0.4:
        parts.append("expand=author")
    return f"/api/books?{'&'.join(parts)}"


def shaped_step(entrant: Entrant, shop: Bookshop, chance: random.Random) -> None:
    """Pages of random shapes, by strangers."""
    count = SHAPED_REQUESTS // STEPS
    requests = [request_bytes("GET", shaped_target(chance, shop.book_ids), None) for _ in range(count)]
    run_load(entrant.port, requests, 200, seconds=SECONDS_MAX, count=count, connections=SHAPED_CONNECTIONS)


def plain_step(entrant: Entrant, step: int) -> None:
    """Rows, and pages every fourth time."""
    work = entrant.works["page_50" if step % 4 == 3 else "one_row"]
    run_load(entrant.port, work.requests, work.status, seconds=SECONDS_MAX, count=REQUESTS // STEPS)


def main() -> int:
    """Read in steps; 0 where memory stays within its bounds."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shapes", action="store_true", help="pages of random shapes in place of rows and pages")
    is_shaped = parser.parse_args().shapes
    console = Console()
    chance = random.Random(1)
    sizes: list[float] = []
    with single("gatepost", console) as (entrant, shop):
        for step in range(STEPS):
            if is_shaped:
                shaped_step(entrant, shop, chance)
            else:
                plain_step(entrant, step)
            sizes.append(resident_mib(entrant.process.pid))
            done = (step + 1) * (SHAPED_REQUESTS if is_shaped else REQUESTS) // STEPS
            console.print(f"{done:>9,} requests  {sizes[-1]:6.1f} MiB")
    growth = sizes[-1] - sizes[STEPS // 2 if is_shaped else STEPS // 10]
    good = sizes[-1] <= MIB_MAX and growth <= GROWTH_MIB_MAX
    console.print(
        f"{'reached' if good else 'missed'}: {sizes[-1]:.1f} MiB (at most {MIB_MAX:.0f}), grown by {growth:.1f}."
    )
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
