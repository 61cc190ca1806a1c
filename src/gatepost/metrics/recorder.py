"""`Recorder`: what each event adds to the series of its process.

Beside the request path: two events come with each request, so their places in memory are looked up by one dictionary
each, and the rest is additions. Series appear at the first use, with labels of which there is a bounded number.
"""

from collections.abc import Callable
from typing import Any

import msgspec

from gatepost import events
from gatepost.events import Events
from gatepost.metrics import families
from gatepost.metrics.families import Family
from gatepost.metrics.region import Region

NAMES_MAX = 500
"""So many different codes, and so many statements, have series of their own; the others share one."""

OTHER = "other"

_CLASSES = tuple(f"{number}xx" for number in range(10))


class Recorder:
    """Adds the events of a process to its region."""

    def __init__(self, region: Region) -> None:
        self._region = region
        self._requests: dict[tuple[str, int], tuple[int, int, int, int]] = {}
        self._statements: dict[str, tuple[int, int, int, int]] = {}
        self._codes: dict[str, int] = {}

    def subscribe(self, events_of_app: Events) -> None:
        """Record the events of the application. Call it before the application is started."""
        events_of_app.subscribe(events.RequestFinished, self._finish_request)
        events_of_app.subscribe(events.StatementFinished, self._finish_statement)
        events_of_app.subscribe(events.LimitExceeded, self._exceed_limit)
        events_of_app.subscribe(events.DatabaseRestored, self._restore_database)
        for event, family, values in _COUNTED:
            events_of_app.subscribe(event, self._counting(family, values))

    def _finish_request(self, event: events.RequestFinished) -> None:
        # A method that does not exist is the mistake of its client, whatever the number of its status.
        key = (event.operation or event.route, event.status // 100 if event.status != 501 else 4)
        places = self._requests.get(key) or self._request_places(key)
        region = self._region
        duration, database, wait, size = places
        region.observe(duration, event.seconds)
        region.add(database, event.database_seconds)
        region.add(wait, event.pool_wait_seconds)
        region.add(size, event.bytes)
        if event.code is not None:
            region.add(self._code_place(event.code), 1)

    def _request_places(self, key: tuple[str, int]) -> tuple[int, int, int, int]:
        labels = (key[0], _CLASSES[key[1]])
        place = self._region.place
        found = self._requests[key] = (
            place(families.REQUEST_SECONDS, labels),
            place(families.REQUEST_DATABASE_SECONDS, labels),
            place(families.REQUEST_POOL_WAIT_SECONDS, labels),
            place(families.RESPONSE_BYTES, labels),
        )
        return found

    def _finish_statement(self, event: events.StatementFinished) -> None:
        places = self._statements.get(event.name) or self._statement_places(event.name)
        region = self._region
        count, failures, seconds, rows = places
        region.add(count, 1)
        region.add(seconds, event.seconds)
        if event.rows is None:
            region.add(failures, 1)
        else:
            region.add(rows, event.rows)

    def _statement_places(self, name: str) -> tuple[int, int, int, int]:
        # One without a name is known by its text: no label for a metric.
        label = name if " " not in name and len(self._statements) < NAMES_MAX else OTHER
        place = self._region.place
        found = (
            place(families.STATEMENTS, (label,)),
            place(families.STATEMENT_FAILURES, (label,)),
            place(families.STATEMENT_SECONDS, (label,)),
            place(families.STATEMENT_ROWS, (label,)),
        )
        if len(self._statements) < 2 * NAMES_MAX:
            self._statements[name] = found
        return found

    def _code_place(self, code: str) -> int:
        found = self._codes.get(code)
        if found is None:
            if len(self._codes) >= NAMES_MAX:
                code = OTHER
            found = self._codes[code] = self._region.place(families.REFUSALS, (code,))
        return found

    def _exceed_limit(self, event: events.LimitExceeded) -> None:
        self._region.add(self._region.place(families.LIMIT_REFUSALS, (event.limit,)), 1)

    def _restore_database(self, event: events.DatabaseRestored) -> None:
        self._region.add(self._region.place(families.OUTAGE_SECONDS, ()), event.seconds)

    def _counting(self, family: Family, values: tuple[str, ...]) -> Callable[[Any], None]:
        region = self._region

        def count(event: msgspec.Struct) -> None:
            region.add(region.place(family, values), 1)

        return count


_COUNTED: tuple[tuple[type[msgspec.Struct], Family, tuple[str, ...]], ...] = (
    (events.LoadShed, families.SHED, ()),
    (events.SignInSucceeded, families.SIGN_INS, ("succeeded",)),
    (events.SignInFailed, families.SIGN_INS, ("failed",)),
    (events.TransactionRetried, families.RETRIES, ()),
    (events.ConnectionOpened, families.CONNECTIONS_OPENED, ()),
    (events.DatabaseLost, families.OUTAGES, ()),
    (events.RequestFailed, families.UNKNOWN_ERRORS, ()),
    (events.TaskFailed, families.UNKNOWN_ERRORS, ()),
    (events.AfterCommitFailed, families.UNKNOWN_ERRORS, ()),
    (events.AfterResponseFailed, families.UNKNOWN_ERRORS, ()),
    (events.WorkerDied, families.WORKER_DEATHS, ()),
)
"""What each event adds one to."""
