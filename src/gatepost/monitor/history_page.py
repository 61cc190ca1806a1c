"""`/history` of the admin listener: requests, errors, percentiles and seconds in the database, step by step."""

import contextlib
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

from msgspec.structs import asdict

from gatepost.bounded_cache import BoundedCache
from gatepost.metrics import families
from gatepost.moments import shown_moment
from gatepost.monitor.context import MonitorContext
from gatepost.monitor.history_copies import KEPT_SECONDS
from gatepost.monitor.history_records import STEP_SECONDS, HistoryRecords
from gatepost.monitor.interval_sums import IntervalSums, kept_lengths
from gatepost.monitor.longer_steps import LONGER_SECONDS
from gatepost.monitor.page_table import Page, Request, json_page
from gatepost.monitor.query_values import duration_asked, moment_asked, text
from gatepost.monitor.request_sums import RequestSums
from gatepost.records.records_database import RecordsAway
from gatepost.records.step_decoding import OpenedStep, opened
from gatepost.records.steps import Gauge

RING_SECONDS = 2 * 3600
"""What is older is read from the longer steps of the database, where it is there, unless those of the ring serve."""

SHOWN_STEPS = 120
"""So many steps are shown at most where the request says no length."""
SHOWN_STEPS_MAX = 2000

ALL = "all"

GAUGES = (
    families.IN_FLIGHT.name,
    families.WAITING.name,
    families.POOL_IN_USE.name,
    families.POOL_LIMIT.name,
    families.POOL_WAITING.name,
    families.READY.name,
    families.LOOP_LAG.name,
    families.MEMORY.name,
)
"""Those that are shown of the whole instance."""

KEPT_MAX = 512
"""Steps that are kept once they are over, of all requests, or of one of the operations that were asked for last."""
OPERATIONS_MAX = 8

_LENGTHS = (10, 60, 600, 3600, 21_600, 86_400)

_ROWS = """
SELECT data FROM gatepost.history
WHERE step_seconds = $1 AND at >= to_timestamp($2) AND at < to_timestamp($3) AND ($4::text IS NULL OR instance = $4)
ORDER BY at
"""


class Asked(NamedTuple):
    """What a request wants: between which moments (seconds since the epoch), in steps of how many seconds, of what."""

    since: float
    until: float
    step_seconds: int
    operation: str | None
    instance: str | None


class HistoryPage:
    """Serves it: of this instance, of another one, or of `all` together."""

    def __init__(self, context: MonitorContext, records: HistoryRecords) -> None:
        self._context = context
        self._instance = context.monitored.instance
        self._records = records
        self._parts: BoundedCache[str | None, IntervalSums[Part]] = BoundedCache(OPERATIONS_MAX)
        context.pages.add("GET", "/history", self._page)

    def _page(self, request: Request) -> Page:
        now = time.time()
        try:
            asked = _asked(request.query, now)
        except ValueError as error:
            return json_page(422, {"detail": str(error)})
        is_own = asked.instance in {None, self._instance}
        parts: defaultdict[float, Part] = defaultdict(partial(Part, asked.operation))
        source = "ring" if is_own else "database"
        try:
            if is_own:
                source = self._add_own(parts, asked, now)
            else:
                self._add_rows(parts, asked, now)
        except (RecordsAway, TimeoutError) as error:
            return json_page(503, {"detail": str(error) or "The database does not respond in time."})
        return json_page(
            200,
            {
                "instance": asked.instance or self._instance,
                "operation": asked.operation,
                "since": shown_moment(asked.since),
                "step_seconds": asked.step_seconds,
                "from": source,
                "steps": [{"at": shown_moment(at), **parts[at].shown()} for at in sorted(parts)],
            },
        )

    def _add_own(self, parts: "defaultdict[float, Part]", asked: Asked, now: float) -> str:
        """From the ring, and what is older from the database, where it is there."""
        begin = asked.since
        if now - asked.since > RING_SECONDS and asked.step_seconds > STEP_SECONDS and not self._is_in_ring(asked):
            with contextlib.suppress(RecordsAway, TimeoutError):
                begin = self._add_rows(parts, asked._replace(instance=self._instance), now) or begin
        length = asked.step_seconds
        for at, part in self._parts_of(asked.operation).between(begin, asked.until, kept_lengths(length)):
            parts[at // length * length].add(part)
        if asked.until >= now:
            _add(parts, asked, self._records.opened_unfinished())
        return "ring" if begin == asked.since else "database"

    def _is_in_ring(self, asked: Asked) -> bool:
        """Whether the ring has all of it, in longer steps as well."""
        oldest = self._records.ring.read(self._records.ring.first)
        return asked.step_seconds % LONGER_SECONDS == 0 and oldest is not None and oldest.since <= asked.since

    def _parts_of(self, operation: str | None) -> "IntervalSums[Part]":
        found = self._parts.get(operation)
        if found is None:
            found = IntervalSums(self._records.ring, partial(Part, operation), KEPT_MAX, self._records.longer)
            self._parts[operation] = found
        return found

    def _add_rows(self, parts: "defaultdict[float, Part]", asked: Asked, now: float) -> float | None:
        """From the database; when the last of the steps ended."""
        lengths = [length for length in KEPT_SECONDS if length <= asked.step_seconds]
        length = max([each for each in lengths if now - asked.since <= KEPT_SECONDS[each]] or lengths)
        name = None if asked.instance == ALL else asked.instance

        async def read() -> Sequence[Any]:
            async with self._context.database.connection("history") as connection:
                rows: Sequence[Any] = await connection.fetch(_ROWS, length, asked.since, asked.until, name)
                return rows

        return max((_add_row(parts, asked, data) for (data,) in self._context.wait_for(read())), default=None)


class Part:
    """A step that is shown: all those of the history that are within it, or what they have of one operation."""

    def __init__(self, operation: str | None) -> None:
        self._operation = operation
        self._requests = RequestSums()
        self._gauges: dict[str, Gauge] = {}
        self.covered_seconds = 0.0

    def add_step(self, step: OpenedStep) -> None:
        """Add a step of the history."""
        self.covered_seconds += step.until - step.since
        self._requests.add_step(step, self._operation)
        for name in GAUGES if self._operation is None else ():
            for _, seen in step.gauges(name):
                self._add_gauge(name, seen)

    def add(self, other: "Part") -> None:
        """Add all of another one."""
        self.covered_seconds += other.covered_seconds
        self._requests.add(other._requests)
        for name, seen in other._gauges.items():
            self._add_gauge(name, seen)

    def _add_gauge(self, name: str, seen: Gauge) -> None:
        known = self._gauges.get(name)
        self._gauges[name] = seen if known is None else known.plus(seen)

    def shown(self) -> dict[str, Any]:
        """As JSON."""
        shown = {"covered_seconds": round(self.covered_seconds, 3), **asdict(self._requests.figures())}
        if self._gauges:
            shown["gauges"] = {
                name.removeprefix("gatepost_"): {"mean": round(seen.total / seen.samples, 6), "most": seen.most}
                for name, seen in sorted(self._gauges.items())
            }
        return shown


def _add_row(parts: "defaultdict[float, Part]", asked: Asked, data: bytes) -> float:
    """Add a step of the database to the part that it belongs to; its end."""
    try:
        step = opened(data)
    except ValueError:  # of a version that comes after this one
        return 0.0
    _add(parts, asked, step)
    return step.until


def _add(parts: "defaultdict[float, Part]", asked: Asked, step: OpenedStep) -> None:
    parts[step.middle // asked.step_seconds * asked.step_seconds].add_step(step)


def _asked(query: Mapping[str, str], now: float) -> Asked:
    since = max(moment_asked(query, "since", "1h", now), now - max(KEPT_SECONDS.values()))
    until = moment_asked(query, "until", "0s", now)
    if until <= since:
        raise ValueError("until is not after since.")
    step = duration_asked(query, "step")
    if step is None:
        step = next((each for each in _LENGTHS if (until - since) / each <= SHOWN_STEPS), _LENGTHS[-1])
    elif step < STEP_SECONDS or step % STEP_SECONDS:
        raise ValueError(f"step={query['step']} is not a multiple of {STEP_SECONDS} s.")
    if (until - since) / step > SHOWN_STEPS_MAX:
        raise ValueError(f"These are more than {SHOWN_STEPS_MAX} steps: ask for longer ones, such as step=10m.")
    return Asked(since, until, step, text(query, "operation"), text(query, "instance"))
