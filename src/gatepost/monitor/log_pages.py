"""`/logs` of the admin listener: lines of the log files, page by page, and how many there were of each level.

The same lines as `gatepost logs --json` prints. Their counts are those of the history, which knows of lines whose files
are gone, and of those that were lost.
"""

import time
from collections import Counter, defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from gatepost.logging.levels import LEVEL_NAMES
from gatepost.logging.lines import CATEGORIES
from gatepost.logging.paged_reading import LogPlace, read_page
from gatepost.logging.reading import LEVELS, LineFilter, fields_of
from gatepost.metrics import families
from gatepost.moments import shown_moment
from gatepost.monitor.context import MonitorContext
from gatepost.monitor.history_records import STEP_SECONDS, HistoryRecords
from gatepost.monitor.interval_sums import IntervalSums, kept_lengths
from gatepost.monitor.longer_steps import LONGER_SECONDS
from gatepost.monitor.page_table import Page, Request, json_page
from gatepost.monitor.query_values import moment_asked, one_of, shown, text, whole_number
from gatepost.records.step_decoding import OpenedStep

COUNT = 200
COUNT_MAX = 1000
HISTOGRAM_STEPS = 60
KEPT_MAX = 512
"""Intervals whose counts are kept, a few numbers each."""
NDJSON = "application/x-ndjson"

_NAMES = ("category", "level", "route", "actor", "request", "client", "code", "since", "count", "before", "after")


class _Asked(NamedTuple):
    wanted: LineFilter
    lines_max: int
    before: LogPlace | None
    after: LogPlace | None


class LineCounts:
    """How many lines there were, by category and level, and how many were lost."""

    def __init__(self) -> None:
        self.lines: Counter[tuple[str, ...]] = Counter()
        self.lost = 0

    def add_step(self, step: OpenedStep) -> None:
        """Add a step of the history."""
        for labels, value in step.counters(families.LOG_LINES.name):
            self.lines[labels] += round(value)
        self.lost += round(step.total(families.LOG_LINES_LOST.name))

    def add(self, other: "LineCounts") -> None:
        """Add those of another while."""
        self.lines.update(other.lines)
        self.lost += other.lost


class LogPages:
    """Serves them. Files are read in the thread of the request, a few MiB at most."""

    def __init__(self, context: MonitorContext, history: HistoryRecords) -> None:
        folder = context.monitored.settings.log.folder
        self._folder = None if folder is None else Path(folder)
        self._memory = context.monitored.memory
        self._history = history
        self._counts = IntervalSums(history.ring, LineCounts, KEPT_MAX, history.longer)
        context.pages.add("GET", "/logs", self._page)
        context.pages.add("GET", "/logs/histogram", self._histogram)

    def _page(self, request: Request) -> Page:
        if self._folder is None:
            hint = "Set GATEPOST_LOG_FOLDER, and the server writes them."
            return json_page(404, {"detail": f"This server writes no log files. {hint}"})
        try:
            asked = _asked(request.query, time.time())
        except ValueError as error:
            return json_page(422, {"detail": str(error)})
        try:
            found = read_page(self._folder, asked.wanted, asked.lines_max, before=asked.before, after=asked.after)
        except OSError as error:
            return json_page(503, {"detail": f"{error.filename} cannot be read: {error.strerror}."})
        before = None if found.before is None else str(found.before)
        if NDJSON in request.accept:
            headers = {} if before is None else {"gatepost-before": before}
            return Page(200, NDJSON, b"".join(found.lines), headers)
        lines = [_shown(line) for line in found.lines]
        return json_page(200, {"lines": lines, "before": before, "newest": str(found.newest)})

    def _histogram(self, request: Request) -> Page:
        now = time.time()
        try:
            since = moment_asked(request.query, "since", "1h", now)
            category = one_of(request.query, "category", CATEGORIES)
        except ValueError as error:
            return json_page(422, {"detail": str(error)})
        since = max(since, now - 86_400)
        step = _step_of(now - since)
        counts: defaultdict[float, defaultdict[str, int]] = defaultdict(lambda: defaultdict(int))
        lost: defaultdict[float, int] = defaultdict(int)
        latest, unfinished = self._history.opened_unfinished(), LineCounts()
        unfinished.add_step(latest)
        for begin, found in (*self._counts.between(since, now, kept_lengths(step)), (latest.middle, unfinished)):
            at = begin // step * step
            for (line_category, level), value in found.lines.items():
                if category is None or line_category == category:
                    counts[at][level] += value
            lost[at] += found.lost
        steps = [{"at": shown_moment(at), "levels": counts[at], "lost": lost[at]} for at in sorted({*counts, *lost})]
        return json_page(
            200, {"since": shown_moment(since), "step_seconds": step, "category": category, "steps": steps}
        )


def _step_of(seconds: float) -> int:
    """About HISTOGRAM_STEPS of these are so many seconds; long ones are put together of the ring's longer steps."""
    length = seconds / HISTOGRAM_STEPS
    unit = LONGER_SECONDS if length >= LONGER_SECONDS else STEP_SECONDS
    return max(1, round(length / unit)) * unit


def _shown(line: bytes) -> dict[str, Any]:
    fields = fields_of(line)
    return {"raw": line.decode(errors="backslashreplace").rstrip("\n")} if fields is None else fields


def _asked(query: Mapping[str, str], now: float) -> _Asked:
    for name in query:
        if name not in _NAMES:
            raise ValueError(f"There is no parameter {shown(name)}: there are {', '.join(_NAMES)}.")
    count = whole_number(query, "count", COUNT, 1, COUNT_MAX)
    since = None if "since" not in query else shown_moment(moment_asked(query, "since", "", now))
    wanted = LineFilter(
        one_of(query, "category", CATEGORIES),
        one_of(query, "level", (*LEVEL_NAMES, LEVELS[-1])),
        text(query, "route"),
        text(query, "actor"),
        text(query, "request"),
        text(query, "client"),
        since,
        text(query, "code"),
    )
    return _Asked(wanted, count, _place(query.get("before")), _place(query.get("after")))


def _place(given: str | None) -> LogPlace | None:
    return None if given is None else LogPlace.parse(given)
