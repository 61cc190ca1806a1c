"""What the admin listener responds to which path: metrics, and the probes with what they depend on."""

import logging
from collections.abc import Callable, Sequence
from typing import Annotated

import msgspec

from gatepost.events import LogLevelChanged
from gatepost.logging.levels import LEVEL_NAMES, level_number
from gatepost.logging.lines import CATEGORIES, Category
from gatepost.metrics.exposition import OPEN_METRICS, TEXT, Exposition
from gatepost.metrics.sums import Numbers
from gatepost.moments import shown_moment
from gatepost.monitor.clients import ORDERS, ClientOrder, busiest_clients
from gatepost.monitor.context import MonitorContext
from gatepost.monitor.host import HostReadings
from gatepost.monitor.operations import operations_in
from gatepost.monitor.page_table import Page, Request, json_page
from gatepost.monitor.query_values import one_of
from gatepost.monitor.workers import Worker, workers_in

LEVEL_SECONDS_MAX = 7 * 86_400.0


class LevelChange(msgspec.Struct, forbid_unknown_fields=True):
    """The body that changes a level, for `seconds`; without a level it is again that of the settings."""

    level: str | None
    seconds: Annotated[float, msgspec.Meta(gt=0, le=LEVEL_SECONDS_MAX)] = 3600.0


def add_pages(context: MonitorContext, readings: Sequence[Callable[[], Numbers]] = ()) -> None:
    """Serve them. `readings` are metrics that no process counts, besides those of the host."""
    pages = Pages(context, readings)
    for path, respond in (
        ("/metrics", pages.metrics),
        ("/livez", pages.livez),
        ("/readyz", pages.readyz),
        ("/startupz", pages.startupz),
        ("/operations", pages.operations),
        ("/clients", pages.clients),
        ("/logs/levels", pages.log_levels),
    ):
        context.pages.add("GET", path, respond)
    context.pages.add("PUT", "/logs/levels/", pages.change_level)


class Pages:
    """What does not need a part of its own."""

    def __init__(self, context: MonitorContext, readings: Sequence[Callable[[], Numbers]]) -> None:
        self._memory = context.monitored.memory
        self._levels = context.monitored.levels
        self._events = context.events
        self._exposition = Exposition()
        host = HostReadings(context.monitored.settings, lambda: context.monitored.release)
        self._readings = (host.read, *readings)
        self._has_started = False

    def metrics(self, request: Request) -> Page:
        """What Prometheus reads."""
        is_open_metrics = "application/openmetrics-text" in request.accept
        more = {name: series for read in self._readings for name, series in read().items()}
        with self._memory.regions() as regions:
            body = self._exposition.page(regions, more, is_open_metrics=is_open_metrics)
        return Page(200, OPEN_METRICS if is_open_metrics else TEXT, body)

    def operations(self, request: Request) -> Page:
        """What each operation costs."""
        return json_page(200, {"operations": operations_in(self._memory)})

    def clients(self, request: Request) -> Page:
        """Who sends the most, or is refused most, or fails most to sign in, as `?by=` says."""
        try:
            order: ClientOrder = one_of(request.query, "by", ORDERS) or ORDERS[0]
        except ValueError as error:
            return json_page(422, {"detail": str(error)})
        return json_page(200, busiest_clients(self._memory, order))

    def livez(self, request: Request) -> Page:
        """200 while every worker's event loop runs. At the start there is none, later that is a failure."""
        workers = workers_in(self._memory)
        self._has_started = self._has_started or any(worker.is_ready for worker in workers)
        has_workers = bool(workers) or not self._has_started
        return self._state(workers, is_well=has_workers and all(worker.is_alive for worker in workers))

    def readyz(self, request: Request) -> Page:
        """200 while a worker is ready."""
        workers = workers_in(self._memory)
        return self._state(workers, is_well=any(worker.is_ready and worker.is_alive for worker in workers))

    def startupz(self, request: Request) -> Page:
        """200 from the moment that a worker has been ready."""
        workers = workers_in(self._memory)
        self._has_started = self._has_started or any(worker.is_ready for worker in workers)
        return self._state(workers, is_well=self._has_started)

    def log_levels(self, request: Request) -> Page:
        """What operators have changed, and until when."""
        changes = self._levels.changes()
        found = {
            category: {
                "level": logging.getLevelName(change.level).lower(),
                "until": shown_moment(change.until),
            }
            for category, change in changes.items()
        }
        return json_page(200, {"changed": found})

    def change_level(self, request: Request) -> Page:
        """Change what a category writes."""
        category: Category | None = next((name for name in CATEGORIES if name == request.name), None)
        if category is None:
            return json_page(404, {"detail": f"There is no category {request.name!r}.", "categories": CATEGORIES})
        try:
            change = msgspec.json.decode(request.body, type=LevelChange)
        except msgspec.DecodeError as error:
            return json_page(422, {"detail": f"{error}."})
        if change.level is None:
            self._levels.reset(category)
        elif change.level in LEVEL_NAMES:
            self._levels.set(category, level_number(change.level), change.seconds)
        else:
            return json_page(422, {"detail": f"There is no level {change.level!r}.", "levels": LEVEL_NAMES})
        self._events.emit(LogLevelChanged(category, change.level, change.seconds, request.operator))
        return self.log_levels(request)

    @staticmethod
    def _state(workers: list[Worker], *, is_well: bool) -> Page:
        body = {"status": "ok" if is_well else "unavailable", "workers": [worker._asdict() for worker in workers]}
        return json_page(200 if is_well else 503, body)
