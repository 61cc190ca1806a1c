"""What the admin listener responds to which path: metrics, and the probes with what they depend on."""

import logging
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Annotated, Any, NamedTuple

import msgspec

from gatepost.events import Events, LogLevelChanged
from gatepost.logging.levels import LEVEL_NAMES, LevelTable, level_number
from gatepost.logging.lines import CATEGORIES, Category
from gatepost.metrics.exposition import OPEN_METRICS, TEXT, exposed, sums
from gatepost.metrics.memory import MetricsMemory
from gatepost.monitor.workers import Worker, workers_in

JSON = "application/json"
LEVEL_SECONDS_MAX = 7 * 86_400.0


class Page(NamedTuple):
    """A response."""

    status: int
    content_type: str
    body: bytes


class Request(NamedTuple):
    """What is asked, and by whom: `operator` says it in words."""

    method: str
    path: str
    accept: str
    body: bytes
    operator: str


class LevelChange(msgspec.Struct, forbid_unknown_fields=True):
    """The body that changes a level, for `seconds`; without a level it is again that of the settings."""

    level: str | None
    seconds: Annotated[float, msgspec.Meta(gt=0, le=LEVEL_SECONDS_MAX)] = 3600.0


class Pages:
    """The pages of one instance. `levels` are what operators change of its log, `events` get what they do."""

    def __init__(self, memory: MetricsMemory, levels: LevelTable, events: Events) -> None:
        self._memory = memory
        self._levels = levels
        self._events = events
        self._has_started = False
        self._pages: Mapping[str, Callable[[str], Page]] = {
            "/metrics": self._metrics,
            "/livez": self._livez,
            "/readyz": self._readyz,
            "/startupz": self._startupz,
            "/logs/levels": self._log_levels,
        }

    def find(self, request: Request) -> Page:
        """The response to a request."""
        base, _, category = request.path.rpartition("/")
        if base == "/logs/levels" and category in CATEGORIES and request.method == "PUT":
            return self._change_level(category, request)
        page = self._pages.get(request.path)
        if page is None:
            return _json(404, {"detail": f"There is nothing at {request.path}.", "paths": list(self._pages)})
        if request.method not in {"GET", "HEAD"}:
            return _json(405, {"detail": f"{request.path} is only read."})
        return page(request.accept)

    def _metrics(self, accept: str) -> Page:
        is_open_metrics = "application/openmetrics-text" in accept
        with self._memory.regions() as regions:
            found = sums(regions)
        body = exposed(found, is_open_metrics=is_open_metrics)
        return Page(200, OPEN_METRICS if is_open_metrics else TEXT, body)

    def _livez(self, accept: str) -> Page:
        """200 while every worker's event loop runs. At the start there is none, later that is a failure."""
        workers = workers_in(self._memory)
        self._has_started = self._has_started or any(worker.is_ready for worker in workers)
        has_workers = bool(workers) or not self._has_started
        return self._state(workers, is_well=has_workers and all(worker.is_alive for worker in workers))

    def _readyz(self, accept: str) -> Page:
        """200 while a worker is ready."""
        workers = workers_in(self._memory)
        return self._state(workers, is_well=any(worker.is_ready and worker.is_alive for worker in workers))

    def _startupz(self, accept: str) -> Page:
        """200 from the moment that a worker has been ready."""
        workers = workers_in(self._memory)
        self._has_started = self._has_started or any(worker.is_ready for worker in workers)
        return self._state(workers, is_well=self._has_started)

    def _log_levels(self, accept: str) -> Page:
        """What operators have changed, and until when."""
        changes = self._levels.changes()
        found = {
            category: {
                "level": logging.getLevelName(change.level).lower(),
                "until": datetime.fromtimestamp(change.until, UTC).isoformat(timespec="seconds"),
            }
            for category, change in changes.items()
        }
        return _json(200, {"changed": found})

    def _change_level(self, category: Category, request: Request) -> Page:
        try:
            change = msgspec.json.decode(request.body, type=LevelChange)
        except msgspec.DecodeError as error:
            return _json(422, {"detail": f"{error}."})
        if change.level is None:
            self._levels.reset(category)
        elif change.level in LEVEL_NAMES:
            self._levels.set(category, level_number(change.level), change.seconds)
        else:
            return _json(422, {"detail": f"There is no level {change.level!r}.", "levels": LEVEL_NAMES})
        self._events.emit(LogLevelChanged(category, change.level, change.seconds, request.operator))
        return self._log_levels("")

    @staticmethod
    def _state(workers: list[Worker], *, is_well: bool) -> Page:
        body = {"status": "ok" if is_well else "unavailable", "workers": [worker._asdict() for worker in workers]}
        return _json(200 if is_well else 503, body)


def _json(status: int, body: Any) -> Page:
    return Page(status, JSON, msgspec.json.encode(body) + b"\n")
