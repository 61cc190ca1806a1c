"""`IncidentRecords`: looks at the instance every few seconds, and keeps what that says of the incident."""

import asyncio
import threading
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import msgspec

from gatepost.monitor.context import MonitorContext
from gatepost.monitor.history_records import STEP_SECONDS, HistoryRecords
from gatepost.monitor.incidents import Incident, Incidents, is_told, sentence_of, shown_incident
from gatepost.monitor.problems import Problems, problems_of
from gatepost.monitor.windows import Window, last_window
from gatepost.monitor.workers import Worker, workers_in

LOOK_SECONDS = 5.0

SECONDS = 60
"""What is wrong is judged by the last minute; GATEPOST_ALERT_TIME_SCALE makes it shorter, to a step at least."""

START_SECONDS = 60.0
"""A server whose workers are not ready by then is down."""


class Judged(NamedTuple):
    """How the instance is: its workers, its last minute, what is wrong, and the incident that operators are told of."""

    workers: list[Worker]
    window: Window
    problems: Problems
    incident: Incident | None
    now: float

    @property
    def sentence(self) -> str:
        """What is wrong since when; or that all is well, and since when that is so again."""
        problems, incident = self.problems, self.incident
        if not problems.sentences:
            return "All is well." if incident is None else f"All is well. {sentence_of(incident, self.now)}"
        return problems.sentences[0] if incident is None else sentence_of(incident, self.now, problems)


class IncidentRecords:
    """The part of the monitor. Pages have it look as well, from their threads: what they show is of this moment.
    `seconds` is the while by which it judges."""

    def __init__(self, context: MonitorContext, history: HistoryRecords, route_of: Callable[[str], str]) -> None:
        self._context = context
        self._history = history
        self._file = context.monitored.files.snapshot("incident")
        self._incidents = Incidents(self._file.load_as(Incident))
        self._has_started = False
        scale = context.monitored.settings.alerts.time_scale
        self.seconds = max(float(STEP_SECONDS), SECONDS * scale)
        self._lock = threading.Lock()
        self.route_of = route_of

    async def run(self) -> None:
        """Look, without end."""
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            self.look()

    def look(self) -> Judged:
        """Judge the last minute, and keep what follows from it."""
        of, now = self._context.monitored, time.time()
        workers, window = workers_in(of.memory), last_window(self._history, self.seconds)
        problems = problems_of(workers, window, self.route_of)
        with self._lock:
            is_ready = any(worker.is_ready for worker in workers)
            self._has_started = self._has_started or is_ready or now - of.started_at > START_SECONDS
            if self._has_started:
                self._note(problems, window, now)
            incident = self._incidents.incident
            shown = None if incident is None or not is_told(incident, now) else msgspec.structs.replace(incident)
        return Judged(workers, window, problems, shown, now)

    def shown(self, judged: Judged) -> dict[str, Any] | None:
        """The incident as JSON; None where there is none to tell of."""
        return None if judged.incident is None else shown_incident(judged.incident, judged.now, self.route_of)

    def _note(self, problems: Problems, window: Window, now: float) -> None:
        before = _saved(self._incidents.incident)
        self._incidents.look(problems, window.steps, self._context.changes.newest_first(), now)
        if (after := _saved(self._incidents.incident)) != before and len(after) <= self._file.bytes_max:
            self._file.save(after)


def _saved(incident: Incident | None) -> bytes:
    return msgspec.msgpack.encode(incident)
