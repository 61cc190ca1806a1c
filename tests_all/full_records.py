"""Records of an instance that has been busy for a while, as many as each store keeps.

`write_records` has the monitor's own classes write them into the folders of an instance that is about to start;
`full_database` and `send_requests` add what only a running one can have. What each store keeps at most stands in
`FULL`: no page of the console can have more rows than that.
"""

import asyncio
import contextlib
import http.client
import itertools
import linecache
import math
import random
import time
from collections.abc import AsyncGenerator, Iterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import asyncpg  # type: ignore[import-untyped]

from gatepost.alerting.alert_state import AlertState, save_state
from gatepost.alerting.alerts import ALERTS_MAX, Alerts, Transition
from gatepost.alerting.deliveries import DELIVERIES_MAX, Delivery
from gatepost.alerting.findings import Finding
from gatepost.alerting.messages import new_id
from gatepost.events import Events, RequestFailed, RequestFinished
from gatepost.logging.access import is_error, json_lines
from gatepost.logging.files import LogFiles
from gatepost.logging.lines import kind_of
from gatepost.metrics import families
from gatepost.metrics.buckets import bucket_of
from gatepost.metrics.region import CLIENT_ENTRIES, Labels
from gatepost.monitor.history_records import STEP_SECONDS
from gatepost.monitor.longer_steps import SLOT_BYTES, LongerSteps
from gatepost.records.changes import CHANGES_MAX, Change, Changes
from gatepost.records.error_groups import GROUPS_MAX, MINUTE_SECONDS, ErrorGroups
from gatepost.records.error_reports import ErrorReporter, ErrorsSeen
from gatepost.records.history import HistoryRing, KeptStep, StepSlots
from gatepost.records.record_files import SIZES, RecordFiles
from gatepost.records.reports import Report
from gatepost.records.slow_statements import STATEMENTS_MAX, KeptStatements, SlowStatement
from gatepost.records.step_fitting import fitted
from gatepost.records.steps import Gauge, Histogram, Step

OPERATIONS = 2_000
"""As many as the metrics of a process have room for, about."""
LINES = 100_000
TABLES = 300
INSTANCES = 5_000
WAITING_SESSIONS = 40
RELEASES = ("4f2a9c1", "9b03d77", "c81e5fa")

FULL = {
    "operations": OPERATIONS,
    "groups of errors": GROUPS_MAX,
    "changes": CHANGES_MAX,
    "alerts": ALERTS_MAX,
    "deliveries": DELIVERIES_MAX,
    "slow statements": STATEMENTS_MAX,
    "clients of a kind": CLIENT_ENTRIES,
    "lines of the log": LINES,
    "instances": INSTANCES,
    "tables": TABLES,
    "sessions that wait": WAITING_SESSIONS,
}
"""How many rows a full instance has of each."""

_STATES = (
    *(
        "open",
        "paid",
        "late",
        "draft",
        "final",
        "daily",
        "monthly",
        "public",
        "hidden",
        "archived",
        "pending",
        "partial",
    ),
    *("gift", "retail", "wholesale", "returned", "bulk", "foreign", "local", "seasonal"),
)
_NOUNS = (
    *("books", "orders", "authors", "invoices", "payments", "shipments", "carts", "customers", "discounts", "reviews"),
    *(
        "editions",
        "publishers",
        "returns",
        "refunds",
        "addresses",
        "coupons",
        "warehouses",
        "stocks",
        "prices",
        "taxes",
    ),
)
_VERBS = ("list", "get", "create", "update", "delete")
_OPERATIONS = [f"{state}_{noun}.{verb}" for verb in _VERBS for noun in _NOUNS for state in _STATES][:OPERATIONS]
_CODES = (
    *("not_found", "unknown_parameter", "invalid_body", "out_of_stock", "conflict", "too_many_requests", "forbidden"),
    *("unauthorized", "version_mismatch", "invalid_cursor", "unknown_field", "missing_reference", "not_unique"),
    *(f"{state}_{noun}_refused" for noun in _NOUNS[:8] for state in _STATES),
)
_EXCEPTIONS = ("ValueError", "KeyError", "TimeoutError", "ZeroDivisionError", "LookupError", "ConnectionError")


def write_records(records: Path, logs: Path, hours: float = 1.0) -> None:
    """Write them: what an instance keeps into its folder `records`, and lines into the files of `logs`."""
    chance, now = random.Random(16), time.time()
    files = RecordFiles(records)
    _write_history(files, chance, now, hours)
    _write_errors(files, chance, now)
    _write_changes(files, chance, now)
    _write_alerts(files, chance, now)
    _write_statements(files, chance, now)
    files.close()
    _write_lines(logs, chance, now, hours)


def _write_history(files: RecordFiles, chance: random.Random, now: float, hours: float) -> None:
    ring = HistoryRing(files.descriptor("history"), SIZES["history"])
    end = now // STEP_SECONDS * STEP_SECONDS
    steps = int(hours * 3600 / STEP_SECONDS)
    for number in range(steps):
        since = end - (steps - number) * STEP_SECONDS
        step = _step(since, chance, number)
        ring.write(KeptStep(number + 1, step.since, step.until, fitted(step, ring.data_bytes_max)))
    longer = LongerSteps(ring, StepSlots(files.descriptor("history_longer"), SIZES["history_longer"], SLOT_BYTES))
    while longer.make_next():
        pass


def _step(since: float, chance: random.Random, number: int) -> Step:
    """A step of some of the operations: always the busiest, and others in turn, so that together all are there."""
    step = Step(since, since + STEP_SECONDS)
    rush = 1.0 + 0.6 * math.sin(since / 900) + 0.4 * math.sin(since / 211)
    others = [_OPERATIONS[(number * 12 + place) % OPERATIONS] for place in range(12)]
    for place, operation in enumerate(dict.fromkeys([*_OPERATIONS[:12], *others])):
        _add_operation(step, operation, chance, max(1, round(rush * (90 / (place + 1) if place < 12 else 2))))
    codes = chance.sample(_CODES, 6)
    step.counters[families.REFUSALS.name] = {(("code", code),): float(chance.randrange(1, 9)) for code in codes}
    step.counters[families.LOG_LINES.name] = {
        (("category", "access"), ("level", "info")): float(round(300 * rush)),
        (("category", "access"), ("level", "error")): float(chance.randrange(0, 4)),
        (("category", "security"), ("level", "warning")): float(chance.randrange(0, 6)),
    }
    in_use = min(10.0, round(4 * rush) + chance.randrange(0, 3))
    for family, value in (
        (families.IN_FLIGHT, in_use + 2),
        (families.POOL_IN_USE, in_use),
        (families.POOL_LIMIT, 10.0),
        (families.POOL_WAITING, float(in_use > 9) * chance.randrange(1, 5)),
        (families.MEMORY, 2.1e8 + 1e6 * rush),
    ):
        step.gauges[family.name] = {(): Gauge(1, value, value)}
    return step


def _add_operation(step: Step, operation: str, chance: random.Random, requests: int) -> None:
    is_slow = operation.endswith((".create", ".update")) or chance.random() < 0.1
    middle = 0.012 if is_slow else 0.003
    seconds = [chance.lognormvariate(math.log(middle), 0.7) for _ in range(min(requests, 5))]
    each = max(1, requests // len(seconds))
    fails = chance.random() < 0.02
    labels: Labels = ("operation", operation), ("class", "5xx" if fails else "4xx" if chance.random() < 0.04 else "2xx")
    counts: dict[int, int] = {}
    for one in seconds:
        counts[bucket_of(one)] = counts.get(bucket_of(one), 0) + each
    total = sum(seconds) * each
    step.histograms.setdefault(families.REQUEST_SECONDS.name, {})[labels] = Histogram(counts, total)
    statement: Labels = (("statement", operation),)
    for family, key, value in (
        (families.REQUEST_DATABASE_SECONDS, labels, total * 0.6),
        (families.RESPONSE_BYTES, labels, float(requests * chance.randrange(400, 9_000))),
        (families.STATEMENTS, statement, float(requests)),
        (families.STATEMENT_SECONDS, statement, total * 0.6),
        (families.STATEMENT_ROWS, statement, float(requests * chance.randrange(1, 30))),
    ):
        step.counters.setdefault(family.name, {})[key] = value


def _write_errors(files: RecordFiles, chance: random.Random, now: float) -> None:
    """Errors that were really raised, told as a worker tells them."""
    minutes = itertools.count()
    groups = ErrorGroups(files.snapshot("errors"), clock=lambda: next(minutes) * MINUTE_SECONDS)
    seen: list[ErrorsSeen] = []

    def send(report: Report) -> None:
        assert isinstance(report, ErrorsSeen)
        seen.append(report)

    events = Events()
    ErrorReporter(send, RELEASES[0]).subscribe(events)
    for number, (operation, error) in enumerate(_errors()):
        noun, verb = operation.split(".")
        method, route = ("GET" if verb in {"list", "get"} else "POST"), f"/api/{noun.replace('_', '-')}"
        events.emit(RequestFailed(f"{number:032x}", method, route, operation, f"user-{number % 90}", error))
        found = seen.pop()
        at = now - (GROUPS_MAX - number) * 37.0 - chance.random() * 30
        found.last_at = at
        if found.sample is not None:
            found.sample.at, found.sample.release = at, RELEASES[number % len(RELEASES)]
        groups.add(found)
        for _ in range(number % 2):
            found.count, found.sample = chance.randrange(1, 40), None
            groups.add(found)
    for group in groups.all()[::9]:
        groups.resolve(group.fingerprint, now)
    groups.save()


def _errors() -> Iterator[tuple[str, Exception]]:
    """GROUPS_MAX of them, each raised by another function."""
    for number in range(GROUPS_MAX):
        operation = _OPERATIONS[number]
        resource, verb = operation.split(".")
        name, file = f"{verb}_{resource}", f"shop/{resource.split('_')[-1]}.py"
        kind = _EXCEPTIONS[number % len(_EXCEPTIONS)]
        text = f"def {name}(row):\n    raise {kind}('the {resource.replace('_', ' ')} have no ' + row)\n"
        linecache.cache[file] = (len(text), None, text.splitlines(keepends=True), file)
        space: dict[str, Any] = {"__name__": file.removesuffix(".py").replace("/", ".")}
        exec(compile(text, file, "exec"), space)  # noqa: S102 - its own text
        try:
            space[name]("price")
        except Exception as error:
            yield operation, error


def _write_changes(files: RecordFiles, chance: random.Random, now: float) -> None:
    changes = Changes(files.snapshot("changes"))
    kinds: Sequence[tuple[Any, str]] = (
        ("operator", "uid 1000 filled the buckets of address 192.0.2.7."),
        ("error", "A new kind of error: KeyError in `shop/orders.py`."),
        ("alert", "Fires `checkout:page`: 2.1 % of requests are bad, and 1 % may be."),
        ("stop", "The server stops: SIGTERM."),
        ("level", "The level of access lines is debug for 10 min."),
        ("reload", "The server reloads: new workers take the place of the old ones."),
        ("database", "The database is there again, after 12 s."),
    )
    for number in range(CHANGES_MAX):
        kind, summary = kinds[chance.randrange(len(kinds))]
        subject = None
        if number % 90 == 0:
            subject = RELEASES[number // 90 % len(RELEASES)]
            kind, summary = "release", f"Release `{subject}` took the place of `{RELEASES[number // 90 % 2]}`."
        # More and more often: the last hour has most of them.
        at = now - 30 * 86_400 * (1 - number / CHANGES_MAX) ** 6 - 5 * (CHANGES_MAX - number)
        changes.add(Change(kind, summary, at, number, "uid 1000" if kind == "operator" else None, subject))


def _write_alerts(files: RecordFiles, chance: random.Random, now: float) -> None:
    clock = [now - ALERTS_MAX * 3600.0]
    told: list[Transition] = []
    alerts = Alerts(told.append, clock=lambda: clock[0], elapsed=lambda: clock[0])
    names = ("disk:logs", "pool", "database:away", "workers", "event_loop", "clock")
    for number in range(ALERTS_MAX):
        name = names[number % len(names)]
        sentence = f"{name.partition(':')[0].capitalize()}: {chance.randrange(81, 99)} % of it are used."
        for holds in (True, False, False):
            alerts.look([Finding(name, "ticket", holds, sentence, "gatepost top", 0.0, 30.0)])
            clock[0] += chance.uniform(200, 1_800)
    deliveries = [
        Delivery(
            new_id(), ("mail", "webhook")[number % 2], each.alert.id, each.alert.name, None, each.alert.since,
            state="failed" if number % 11 == 0 else "delivered", attempts=chance.randrange(1, 4),
            ended_at=each.alert.since + 2, outcome="500 Internal Server Error" if number % 11 == 0 else "250 OK",
            is_copied=True,
        )
        for number, each in enumerate(told[-DELIVERIES_MAX:])
    ]  # fmt: skip
    save_state(files.snapshot("alerts"), AlertState(alerts=alerts.saved(), deliveries=deliveries))


def _write_statements(files: RecordFiles, chance: random.Random, now: float) -> None:
    statements = KeptStatements(files.snapshot("statements"))
    for number in range(STATEMENTS_MAX):
        name = _OPERATIONS[number]
        table = name.split(".")[0]
        sql = f"SELECT id, title, price, stock FROM {table} WHERE author_id = $1 AND price < $2 ORDER BY title LIMIT 50"
        count = chance.randrange(1, 400)
        statements.add(SlowStatement(name, sql, chance.lognormvariate(-0.4, 0.5), count, now - 10 * number))
    for kept in statements.all():
        kept.plan, kept.explained_at = f"Seq Scan on {kept.name.split('.')[0]}  (cost=0.00..4211.00 rows=50)", now
    statements.save()


def _write_lines(folder: Path, chance: random.Random, now: float, hours: float) -> None:
    """Access lines, as the writer of a worker makes them."""
    files = LogFiles(folder, 1 << 30)
    files.check()
    render = json_lines()
    batch: list[tuple[int, bytes]] = []
    for number in range(LINES):
        operation = _OPERATIONS[int(chance.random() ** 3 * OPERATIONS)]
        resource, verb = operation.split(".")
        path = f"/api/{resource.replace('_', '-')}"
        status, code = chance.choices(
            [(200, None), (201, None), (404, "not_found"), (422, "invalid_body"), (500, "internal_error")],
            [80, 10, 6, 3, 1],
        )[0]
        method = {"list": "GET", "get": "GET", "create": "POST", "update": "PATCH", "delete": "DELETE"}[verb]
        event = RequestFinished(
            f"{number:032x}", method, path, path, operation, status, round(chance.lognormvariate(-5, 0.8), 6),
            0.002, 0.0, 3, 1_200, f"192.0.2.{number % 250}", None, code,
        )  # fmt: skip
        error = is_error(event)
        at = now - hours * 3600 * (1 - number / LINES)
        batch.append((kind_of("access", is_error=error), render(at, event)))
        if len(batch) == 5_000:
            files.put(batch)
            batch.clear()
    files.put(batch)


def send_requests(port: int) -> None:
    """Requests of more addresses than the tables of clients have room for: behind a proxy, which is trusted."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    for number in range(CLIENT_ENTRIES + 100):
        address = f"198.51.{number % 256}.{number // 2 % 250 + 1}"
        for _ in range(1 + 40 // (number + 1)):
            path = "/api/books" if number % 5 else "/api/books?nope=1"
            connection.request("GET", path, headers={"x-forwarded-for": address})
            connection.getresponse().read()
    connection.close()


@asynccontextmanager
async def full_database(socket: Path) -> AsyncGenerator[None]:
    """Tables and instances in the database behind this socket, and while the block lasts sessions that wait."""
    async with contextlib.AsyncExitStack() as stack:

        async def connected() -> Any:
            found = await asyncpg.connect(host=str(socket), user="gatepost", database="gatepost")
            stack.push_async_callback(found.close)
            return found

        first = await connected()
        await first.execute("CREATE SCHEMA shop")
        for number in range(TABLES):
            state, noun = _STATES[number % len(_STATES)], _NOUNS[number // len(_STATES) % len(_NOUNS)]
            await first.execute(
                f"CREATE TABLE shop.{state}_{noun} AS SELECT n AS id, repeat('x', 40) AS title "
                f"FROM generate_series(1, {20 + 40 * (number % 37)}) n"
            )
        await first.execute("ANALYZE")
        await first.execute(
            "INSERT INTO gatepost.instances (name, admin_address, release, version, started_at, beat_at, stopped_at) "
            "SELECT 'shop-' || substr(md5(n::text), 1, 10), NULL, $1, '0.0.1', "
            "now() - (n + 7) * interval '9 min', now() - n * interval '9 min', now() - n * interval '9 min' "
            "FROM generate_series(1, $2::int) n",
            RELEASES[0],
            INSTANCES,
        )
        await first.execute("BEGIN; LOCK TABLE shop.open_books")
        waiting: list[asyncio.Task[Any]] = []
        for number in range(WAITING_SESSIONS):
            session = await connected()
            table = "shop.open_books" if number % 4 else "shop.paid_books, shop.open_books"
            waiting.append(asyncio.create_task(session.execute(f"BEGIN; LOCK TABLE {table}")))
            await asyncio.sleep(0)
        try:
            yield
        finally:
            for task in waiting:
                task.cancel()
            await asyncio.gather(*waiting, return_exceptions=True)
