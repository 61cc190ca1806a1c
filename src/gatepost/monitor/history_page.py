"""`/history` of the admin listener: requests, errors, percentiles and seconds in the database, step by step."""

import math
import re
import time
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

from msgspec.structs import asdict

from gatepost.monitor.context import MonitorContext
from gatepost.monitor.history_copies import KEPT_SECONDS
from gatepost.monitor.history_records import STEP_SECONDS, HistoryRecords
from gatepost.monitor.page_table import Page, Request, json_page
from gatepost.monitor.request_sums import NAMES, sums_by_operation, sums_of_all
from gatepost.records.records_database import RecordsAway
from gatepost.records.step_encoding import decoded
from gatepost.records.steps import Gauge, Step

RING_SECONDS = 2 * 3600
"""What is older is read from the longer steps of the database, where it is there."""

SHOWN_STEPS = 120
"""So many steps are shown at most where the request says no length."""
SHOWN_STEPS_MAX = 2000

ALL = "all"

_SPAN = re.compile(r"(\d{1,9})([smhd])")
_UNIT_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
_LENGTHS = (10, 60, 600, 3600, 21_600, 86_400)

_ROWS = """
SELECT data FROM gatepost.history
WHERE step_seconds = $1 AND at >= to_timestamp($2) AND at < to_timestamp($3) AND ($4::text IS NULL OR instance = $4)
ORDER BY at
"""


class Asked(NamedTuple):
    """What a request wants: from when on (seconds since the epoch), in steps of how many seconds, of what."""

    since: float
    step_seconds: int
    operation: str | None
    instance: str | None


class HistoryPage:
    """Serves it: of this instance, of another one, or of `all` together."""

    def __init__(self, context: MonitorContext, records: HistoryRecords) -> None:
        self._context = context
        self._instance = context.monitored.instance
        self._records = records
        context.pages.add("GET", "/history", self._page)

    def _page(self, request: Request) -> Page:
        now = time.time()
        try:
            asked = _asked(request.query, now)
        except ValueError as error:
            return json_page(422, {"detail": str(error)})
        is_own = asked.instance in {None, self._instance}
        try:
            steps, source = self._own(asked, now) if is_own else (self._of_others(asked, now), "database")
        except (RecordsAway, TimeoutError) as error:
            return json_page(503, {"detail": str(error) or "The database does not respond in time."})
        return json_page(
            200,
            {
                "instance": asked.instance or self._instance,
                "operation": asked.operation,
                "since": shown_time(asked.since),
                "step_seconds": asked.step_seconds,
                "from": source,
                "steps": _shown(steps, asked),
            },
        )

    def _own(self, asked: Asked, now: float) -> tuple[list[Step], str]:
        """From the ring, and what is older from the database, where it is there."""
        begin, older, source = asked.since, [], "ring"
        if now - asked.since > RING_SECONDS and asked.step_seconds > STEP_SECONDS:
            try:
                older = self._of_others(asked._replace(instance=self._instance), now)
            except (RecordsAway, TimeoutError):
                older = []
            if older:
                begin, source = max(step.until for step in older), "database"
        newer = [
            step for step in self._records.steps(begin, math.inf, NAMES | _gauges_of(asked)) if step.middle > begin
        ]
        return [*older, *newer, self._records.unfinished()], source

    def _of_others(self, asked: Asked, now: float) -> list[Step]:
        fits = [
            length
            for length, kept in KEPT_SECONDS.items()
            if length <= asked.step_seconds and now - asked.since <= kept
        ]
        length = max(fits, default=max(length for length in KEPT_SECONDS if length <= asked.step_seconds))
        name = None if asked.instance == ALL else asked.instance

        async def read() -> Sequence[Any]:
            async with self._context.database.connection() as connection:
                rows: Sequence[Any] = await connection.fetch(_ROWS, length, asked.since, now, name)
                return rows

        names = NAMES | _gauges_of(asked)
        return [step for (data,) in self._context.wait_for(read()) if (step := _found(data, names)) is not None]


def shown_time(seconds: float) -> str:
    """A moment as RFC 3339."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def span_seconds(text: str, name: str) -> int:
    """The seconds of `90s`, `30m`, `6h` or `7d`. Raises ValueError."""
    match = _SPAN.fullmatch(text)
    if match is None:
        raise ValueError(f"{name}={text} is no span of time: write 90s, 30m, 6h or 7d.")
    return int(match[1]) * _UNIT_SECONDS[match[2]]


def _asked(query: Mapping[str, str], now: float) -> Asked:
    given = query.get("since", "1h")
    if _SPAN.fullmatch(given):
        since = now - span_seconds(given, "since")
    else:
        try:
            since = datetime.fromisoformat(given).astimezone(UTC).timestamp()
        except (ValueError, OverflowError):
            raise ValueError(f"since={given} is no moment: write 90s, 6h, 7d or 2026-11-30T20:15Z.") from None
    since = max(since, now - max(KEPT_SECONDS.values()))
    if "step" in query:
        step = span_seconds(query["step"], "step")
        if step < STEP_SECONDS or step % STEP_SECONDS:
            raise ValueError(f"step={query['step']} is no multiple of {STEP_SECONDS} s.")
    else:
        step = next((each for each in _LENGTHS if (now - since) / each <= SHOWN_STEPS), _LENGTHS[-1])
    if (now - since) / step > SHOWN_STEPS_MAX:
        raise ValueError(f"These are more than {SHOWN_STEPS_MAX} steps: ask for longer ones, such as step=10m.")
    return Asked(since, step, query.get("operation"), query.get("instance"))


_GAUGES = frozenset(
    {
        "gatepost_requests_in_flight", "gatepost_requests_waiting", "gatepost_pool_connections_in_use",
        "gatepost_pool_waiting", "gatepost_worker_ready", "gatepost_event_loop_lag_seconds",
        "gatepost_resident_memory_bytes",
    }
)  # fmt: skip


def _gauges_of(asked: Asked) -> frozenset[str]:
    """Those that are shown: of an operation alone there are none."""
    return _GAUGES if asked.operation is None else frozenset()


def _found(data: bytes, names: frozenset[str]) -> Step | None:
    try:
        return decoded(data, names)
    except ValueError:  # of a version that comes after this one
        return None


def _shown(steps: Iterable[Step], asked: Asked) -> list[dict[str, Any]]:
    parts: defaultdict[float, list[Step]] = defaultdict(list)
    for step in steps:
        parts[step.middle // asked.step_seconds * asked.step_seconds].append(step)
    return [_shown_part(at, parts[at], asked) for at in sorted(parts)]


def _shown_part(at: float, steps: list[Step], asked: Asked) -> dict[str, Any]:
    figures = sums_of_all(sums_by_operation(steps, asked.operation)).figures()
    shown = {
        "at": shown_time(at),
        "covered_seconds": round(sum(step.until - step.since for step in steps), 3),
        **asdict(figures),
    }
    gauges: dict[str, Gauge] = {}
    for step in steps:
        for name in _gauges_of(asked):
            if (seen := step.gauges.get(name, {}).get(())) is not None:
                gauges[name] = seen if name not in gauges else gauges[name].plus(seen)
    if gauges:
        shown["gauges"] = {
            name.removeprefix("gatepost_"): {"mean": round(seen.total / seen.samples, 6), "most": seen.most}
            for name, seen in sorted(gauges.items())
        }
    return shown
