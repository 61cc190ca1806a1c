"""`Recorder`: what each event adds to the series of its process.

Beside the request path: two events come with each request, so their places in memory are looked up by one dictionary
each, and the rest is additions. Series appear at the first use, with labels of which there is a bounded number.
"""

import os
import struct
import threading
import time
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable
from operator import attrgetter
from typing import Any

import msgspec

from gatepost import events
from gatepost.events import CountStatement, Events
from gatepost.metrics import families
from gatepost.metrics.buckets import BUCKETS, EDGES
from gatepost.metrics.clients import BATCH, ClientCounter
from gatepost.metrics.families import Family
from gatepost.metrics.region import Region
from gatepost.metrics.slowest import WINDOW_SECONDS, SlowestRequests

NAMES_MAX = 500
"""So many different codes, and so many statements, have series of their own; the others share one."""

OTHER = "other"

_BY_CODE = {4: families.REQUEST_REFUSALS, 5: families.FAILURES}
"""What counts responses by operation and code, by the class of their status."""

_CLASSES = tuple(f"{number}xx" for number in range(10))

CountRequest = Callable[[events.RequestFinished], None]

Add = Callable[[Family, tuple[str, ...], float], None]
"""Adds to the counter of a family with these values of its labels."""

_REQUEST_FAMILIES = (
    families.REQUEST_SECONDS,
    families.REQUEST_DATABASE_SECONDS,
    families.REQUEST_POOL_WAIT_SECONDS,
    families.RESPONSE_BYTES,
)
_request_totals = struct.Struct("<4d")  # the sum of the histogram, and the three behind it

_STATEMENT_FAMILIES = (
    families.STATEMENTS,
    families.STATEMENT_SECONDS,
    families.STATEMENT_ROWS,
    families.STATEMENT_FAILURES,
)
_statement_totals = struct.Struct("<3d")  # all but the failures


class Recorder:
    """Adds the events of a process to its region. `shown_client` is what may be kept of an address: full, network, or
    none."""

    def __init__(self, region: Region, shown_client: str = "full") -> None:
        self._region = region
        self._requests: dict[tuple[str, int], CountRequest] = {}
        self._statements: dict[str, CountStatement] = {}
        self._codes: dict[str, int] = {}
        self._series_by_code: Counter[str] = Counter()
        self._slowest: dict[str, SlowestRequests] = {}
        self._window = 0
        self._clients = ClientCounter(region, shown_client)

    def subscribe(self, events_of_app: Events) -> None:
        """Record the events of the application. Call it before the application is started."""
        events_of_app.subscribe(events.RequestFinished, self._request_subscriber())
        events_of_app.find_counter = self._statement_counter
        events_of_app.subscribe(events.LimitExceeded, self._exceed_limit)
        count_events(self._region, events_of_app)
        failed = self._clients.failed
        events_of_app.subscribe(events.SignInFailed, lambda event: failed.append(event.client))

    def tend(self) -> None:
        """Do what no request has to wait for. Called about once a second, and before the process ends."""
        self._clients.count()
        window = int(time.time() // WINDOW_SECONDS)
        if window != self._window:
            self._window = window
            for slowest in self._slowest.values():
                slowest.begin_window()

    def _request_subscriber(self) -> CountRequest:
        # Called for every request, so what it needs is in the closure.
        known, find_counter, clients = self._requests, self._request_counter, self._clients
        waiting = clients.requests
        keep = waiting.append

        def finish(event: events.RequestFinished) -> None:
            status = event.status
            # A method that does not exist is the mistake of its client, whatever the number of its status.
            key = (event.operation or event.route, status // 100 if status != 501 else 4)
            (known.get(key) or find_counter(key))(event)
            keep(event)
            if event.code is not None:
                self._refuse(event)
            if len(waiting) >= BATCH:
                clients.count()

        return finish

    def _refuse(self, event: events.RequestFinished) -> None:
        self._region.add(self._code_place(event.code or OTHER), 1)
        if event.status < 500:
            self._clients.refused.append(event)

    def _request_counter(self, key: tuple[str, int]) -> CountRequest:
        """What adds a request of an operation and class to its series.

        Called for every request, so the totals are kept in the closure and written to the memory by one call, which
        costs half of adding to the memory: the sum of the histogram and the series made with it are neighbours.
        """
        labels = (key[0], _CLASSES[key[1]])
        region, counts = self._region, self._region.counts
        place = region.place_together(_REQUEST_FAMILIES, labels)
        write = region.writer(_request_totals, place + BUCKETS)
        slowest = self._slowest.get(key[0])
        if slowest is None:
            slowest = self._slowest[key[0]] = SlowestRequests(region, key[0])
        seconds = database = wait = size = 0.0

        def count(event: events.RequestFinished) -> None:
            nonlocal seconds, database, wait, size
            took = event.seconds
            seconds += took
            database += event.database_seconds
            wait += event.pool_wait_seconds
            size += event.bytes
            counts[place + bisect_left(EDGES, took)] += 1
            write(seconds, database, wait, size)
            if took > slowest.above:
                slowest.note(event)

        family = _BY_CODE.get(key[1])
        found = count if family is None else self._counting_codes(count, family, key[0])
        self._requests[key] = found
        return found

    def _counting_codes(self, count: CountRequest, family: Family, operation: str) -> CountRequest:
        places: dict[str, int] = {}

        def count_with_code(event: events.RequestFinished) -> None:
            count(event)
            code = event.code or str(event.status)
            place = places.get(code)
            if place is None:
                place = self._place_by_code(family, operation, code, places)
            self._region.add(place, 1)

        return count_with_code

    def _place_by_code(self, family: Family, operation: str, code: str, places: dict[str, int]) -> int:
        if self._series_by_code[family.name] >= NAMES_MAX:
            return self._region.place(family, (OTHER, OTHER))
        self._series_by_code[family.name] += 1
        found = places[code] = self._region.place(family, (operation, code))
        return found

    def _statement_counter(self, name: str) -> CountStatement:
        """What adds a statement to its series. One without a name is known by its text, which is no label."""
        label = name if " " not in name and len(self._statements) < NAMES_MAX else OTHER
        found = self._statements.get(label)
        if found is None:
            found = self._statements[label] = self._make_statement_counter(label)
        return found

    def _make_statement_counter(self, label: str) -> CountStatement:
        start = self._region.place_together(_STATEMENT_FAMILIES, (label,))
        failures, values = start + len(_STATEMENT_FAMILIES) - 1, self._region.values
        write = self._region.writer(_statement_totals, start)
        runs = nanoseconds = rows = 0

        def count(took: int, got: int | None) -> None:
            nonlocal runs, nanoseconds, rows
            runs += 1
            nanoseconds += took
            if got is None:
                values[failures] += 1
            else:
                rows += got
            write(runs, nanoseconds * 1e-9, rows)

        return count

    def _code_place(self, code: str) -> int:
        found = self._codes.get(code)
        if found is None:
            if len(self._codes) >= NAMES_MAX:
                code = OTHER
            found = self._codes[code] = self._region.place(families.REFUSALS, (code,))
        return found

    def _exceed_limit(self, event: events.LimitExceeded) -> None:
        self._region.add(self._region.place(families.LIMIT_REFUSALS, (event.limit,)), 1)


def count_events(region: Region, events_of_process: Events, add: Add | None = None) -> None:
    """Count what is rare, in the region of a process that may serve nothing; by `add` where events come from several
    threads."""

    def add_here(family: Family, values: tuple[str, ...], amount: float) -> None:
        region.add(region.place(family, values), amount)

    for event, family, values in _COUNTED:
        events_of_process.subscribe(event, _adding(add or add_here, family, values, lambda event: 1))
    for event, family, amount in _AMOUNTS:
        events_of_process.subscribe(event, _adding(add or add_here, family, (), amount))


def adder(region: Region) -> Add:
    """What adds to a counter of this process, from any thread."""
    lock, pid = threading.Lock(), os.getpid()

    def add(family: Family, values: tuple[str, ...], amount: float) -> None:
        if os.getpid() != pid:
            return  # a process that was forked, and has none of its own yet: the region is its parent's
        with lock:
            region.add(region.place(family, values), amount)

    return add


def line_counter(add: Add) -> Callable[[str, str], None]:
    """What counts a line of the log, of a category and level."""
    return lambda category, level: add(families.LOG_LINES, (category, level), 1)


def loss_counter(add: Add) -> Callable[[], None]:
    """What counts a report that the monitor does not get."""
    return lambda: add(families.REPORTS_LOST, (), 1)


def _adding(add: Add, family: Family, values: tuple[str, ...], amount: Callable[[Any], float]) -> Callable[[Any], None]:
    return lambda event: add(family, values, amount(event))


_COUNTED: tuple[tuple[type[msgspec.Struct], Family, tuple[str, ...]], ...] = (
    (events.LoadShed, families.SHED, ()),
    (events.SignInSucceeded, families.SIGN_INS, ("succeeded",)),
    (events.SignInFailed, families.SIGN_INS, ("failed",)),
    (events.TransactionRetried, families.RETRIES, ()),
    (events.ConnectionOpened, families.CONNECTIONS_OPENED, ()),
    (events.DatabaseLost, families.OUTAGES, ()),
    (events.DatabaseRestored, families.RECONNECTS, ()),
    (events.BucketsLost, families.BUCKETS_OUTAGES, ()),
    (events.DrainBegan, families.DRAINS, ()),
    (events.RequestFailed, families.UNKNOWN_ERRORS, ()),
    (events.TaskFailed, families.UNKNOWN_ERRORS, ()),
    (events.AfterCommitFailed, families.UNKNOWN_ERRORS, ()),
    (events.AfterResponseFailed, families.UNKNOWN_ERRORS, ()),
    (events.WorkerDied, families.WORKER_DEATHS, ()),
)
"""What each event adds one to."""

_AMOUNTS: tuple[tuple[type[msgspec.Struct], Family, Callable[[Any], float]], ...] = (
    (events.DatabaseRestored, families.OUTAGE_SECONDS, attrgetter("seconds")),
    (events.BucketsRestored, families.BUCKETS_OUTAGE_SECONDS, attrgetter("seconds")),
    (events.ErrorsLeftOut, families.ERRORS_LEFT_OUT, attrgetter("count")),
)
"""What each event adds as much to as it says."""
