"""An incident for the pictures of the console: `python -m tests_all.incident FOLDER` serves an app that has had a calm
day, releases it anew, and then sends it requests of which more and more fail. It prints the address of its console,
and goes on until it is interrupted."""

import argparse
import asyncio
import contextlib
import http.client
import http.server
import math
import random
import threading
import time
from collections.abc import Generator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import asyncpg  # type: ignore[import-untyped]
from benchmarks.console_history import DAY_SECONDS, write_history
from tests_all.test_console import Watched

from gatepost.metrics import families
from gatepost.metrics.buckets import bucket_of
from gatepost.metrics.region import Labels
from gatepost.metrics.sums import Histogram
from gatepost.monitor.history_records import STEP_SECONDS
from gatepost.records.steps import Gauge, Step

INSTANCE = "shop-1"
APP = "shop:app"
RELEASES = ("9b03d77c", "4f2a9c1e")
CALM_SECONDS = 60.0
PAUSE_SECONDS = 0.04


class Usual(NamedTuple):
    """What a calm day has of an operation: requests a second at noon, how long half of them take at most, the share
    of it in the database, and bytes of a response."""

    operation: str
    rate: float
    seconds: float
    database: float
    bytes: int


USUAL = (
    Usual("books.list", 9.0, 0.0042, 0.6, 5_200),
    Usual("books.get", 6.0, 0.0016, 0.5, 420),
    Usual("orders.list", 2.5, 0.0061, 0.7, 3_100),
    Usual("checkout.check_out", 1.6, 0.019, 0.8, 90),
    Usual("checkout.quote", 3.2, 0.0011, 0.0, 70),
    Usual("books.create", 0.3, 0.0088, 0.75, 380),
)


def usual_step(since: float, chance: random.Random) -> Step:
    step = Step(since, since + STEP_SECONDS)
    hour = since % DAY_SECONDS / 3600
    rush = 0.35 + 0.65 * math.sin(math.pi * hour / 24) ** 2 + 0.08 * math.sin(since / 900)
    for usual in USUAL:
        requests = max(0, round(chance.gauss(usual.rate * rush * STEP_SECONDS, 4)))
        refused = sum(chance.random() < 0.01 for _ in range(requests))
        for status, count in (("2xx", requests - refused), ("4xx", refused)):
            if count:
                _add(step, usual, status, [chance.lognormvariate(math.log(usual.seconds), 0.55) for _ in range(count)])
    in_use = round(3 * rush + chance.random() * 1.5)
    for family, value in (
        (families.IN_FLIGHT, in_use + 1.0),
        (families.POOL_IN_USE, float(in_use)),
        (families.POOL_LIMIT, 10.0),
        (families.MEMORY, 1.2e8),
    ):
        step.gauges[family.name] = {(): Gauge(1, value, value)}
    lines = (("category", "access"), ("level", "info"))
    step.counters[families.LOG_LINES.name] = {lines: float(round(23 * rush * STEP_SECONDS))}
    return step


def _add(step: Step, usual: Usual, status: str, seconds: Sequence[float]) -> None:
    labels: Labels = ("operation", usual.operation), ("class", status)
    counts: dict[int, int] = {}
    for each in seconds:
        counts[bucket_of(each)] = counts.get(bucket_of(each), 0) + 1
    step.histograms.setdefault(families.REQUEST_SECONDS.name, {})[labels] = Histogram(counts, sum(seconds))
    for family, value in (
        (families.REQUEST_DATABASE_SECONDS, sum(seconds) * usual.database),
        (families.RESPONSE_BYTES, float(usual.bytes * len(seconds))),
    ):
        step.counters.setdefault(family.name, {})[labels] = value
    if status == "4xx":
        step.counters.setdefault(families.REFUSALS.name, {})[(("code", "unknown_parameter"),)] = float(len(seconds))
    elif usual.database:
        statement: Labels = (("statement", usual.operation),)
        for family, value in (
            (families.STATEMENTS, float(len(seconds))),
            (families.STATEMENT_SECONDS, sum(seconds) * usual.database),
            (families.STATEMENT_ROWS, 12.0 * len(seconds)),
        ):
            step.counters.setdefault(family.name, {})[statement] = value


class Clients(threading.Thread):
    """Clients behind a proxy. After CALM_SECONDS, some orders are of copies that nobody has, or fail, or wait."""

    def __init__(self, port: int) -> None:
        super().__init__(daemon=True)
        self.over = threading.Event()
        self._port = port
        self._began = time.monotonic()

    def run(self) -> None:
        """Ask for one after the other."""
        chance = random.Random(9)
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=30)
        while not self.over.wait(PAUSE_SECONDS * chance.random() * 2):
            method, target, body = self._next(chance)
            address = f"203.0.113.{int(chance.paretovariate(0.7)) % 250 + 1}"
            headers = {"x-forwarded-for": address, "content-type": "application/json"}
            with contextlib.suppress(OSError, http.client.HTTPException):
                connection.request(method, target, body, headers)
                connection.getresponse().read()

    def _next(self, chance: random.Random) -> tuple[str, str, str | None]:
        is_calm = time.monotonic() - self._began < CALM_SECONDS
        kind = chance.random()
        if kind < 0.38:
            return "GET", f"/api/books?page[size]={chance.choice([10, 20, 50])}" if kind < 0.01 else "/api/books", None
        if kind < 0.6:
            return "GET", "/api/checkout/quote", None
        if kind < 0.75:
            return "GET", "/api/orders", None
        if kind < 0.8:
            return "POST", "/api/books", '{"title": "The Dispossessed", "price": 12.5}'
        if kind < 0.81:
            return "POST", "/api/auth/login", '{"email": "root@example.com", "password": "admin"}'
        copies = 1 if is_calm else chance.choices([1, 13, 200], [86, 9, 5])[0]
        wait = chance.lognormvariate(-4.2, 0.6 if is_calm else 1.1)
        return "POST", f"/api/checkout?copies={copies}&wait={min(4.0, wait):.4f}", None


class Receiver(http.server.BaseHTTPRequestHandler):
    """Takes what a webhook sends, after it has refused it once."""

    refused = 0

    def do_POST(self) -> None:
        """One message."""
        self.rfile.read(int(self.headers.get("content-length", 0)))
        Receiver.refused += 1
        self.send_response(500 if Receiver.refused == 1 else 204)
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing."""


@contextlib.contextmanager
def receiver() -> Generator[str]:
    """The address of one."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Receiver) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/alerts"
        server.shutdown()


async def hold_locks(socket: Path) -> None:
    """Sessions that wait for one that is idle in its transaction, until it is cancelled."""
    sessions = [await asyncpg.connect(host=str(socket), user="gatepost", database="gatepost") for _ in range(3)]
    lock = "BEGIN; LOCK TABLE gatepost.alert_claims IN SHARE ROW EXCLUSIVE MODE"
    await sessions[0].execute(lock)
    try:
        await asyncio.gather(*(each.execute(lock) for each in sessions[1:]))
    finally:
        for each in sessions:
            each.terminate()


def release_before(folder: Path, settings: dict[str, str]) -> None:
    """Serve the release before for a moment: the next one is a change."""
    before = Watched(folder, APP, **{**settings, "GATEPOST_RELEASE": RELEASES[0]})
    before.close()
    (folder / "admin.sock").unlink(missing_ok=True)


def main() -> None:
    """Serve until interrupted."""
    parser = argparse.ArgumentParser(prog="python -m tests_all.incident", description=__doc__)
    parser.add_argument("folder", type=Path, help="an empty folder for the app and its data: pictures show its name")
    folder: Path = parser.parse_args().folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "shop.py").write_text(Path(__file__).with_name("console_app.py").read_text())
    with receiver() as address:
        settings = {
            "GATEPOST_INSTANCE": INSTANCE,
            "GATEPOST_TRUSTED_PROXIES": "127.0.0.1",
            "GATEPOST_ALERT_WEBHOOK_URL": address,
            "GATEPOST_ALERT_WEBHOOK_SECRET": f"whsec_{'c2VjcmV0' * 4}",
        }
        release_before(folder, settings)
        records: Any = folder / ".gatepost" / "records" / INSTANCE
        for file in records.glob("history*"):
            file.unlink()
        write_history(records, random.Random(4), usual_step)
        watched = Watched(folder, APP, **{**settings, "GATEPOST_RELEASE": RELEASES[1]})
        clients = Clients(watched.port)
        clients.start()
        print(watched.once, flush=True)
        try:
            asyncio.run(hold_locks(folder / ".gatepost" / "postgresql" / "socket"))
        except KeyboardInterrupt:
            pass
        finally:
            clients.over.set()
            watched.close()


if __name__ == "__main__":
    main()
