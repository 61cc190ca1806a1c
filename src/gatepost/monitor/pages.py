"""What the admin listener responds to which path: metrics, and the probes with what they depend on."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import msgspec

from gatepost.metrics.exposition import OPEN_METRICS, TEXT, exposed
from gatepost.metrics.memory import MetricsMemory
from gatepost.monitor.workers import Worker, workers_in

JSON = "application/json"


class Page(NamedTuple):
    """A response."""

    status: int
    content_type: str
    body: bytes


class Pages:
    """The pages of one instance."""

    def __init__(self, memory: MetricsMemory) -> None:
        self._memory = memory
        self._has_started = False
        self._pages: Mapping[str, Callable[[str], Page]] = {
            "/metrics": self._metrics,
            "/livez": self._livez,
            "/readyz": self._readyz,
            "/startupz": self._startupz,
        }

    def find(self, path: str, accept: str) -> Page:
        """The page at a path; `accept` is what the client wants."""
        page = self._pages.get(path)
        if page is None:
            return _json(404, {"detail": f"There is nothing at {path}.", "paths": list(self._pages)})
        return page(accept)

    def _metrics(self, accept: str) -> Page:
        is_open_metrics = "application/openmetrics-text" in accept
        body = exposed(self._memory.regions(), is_open_metrics=is_open_metrics)
        return Page(200, OPEN_METRICS if is_open_metrics else TEXT, body)

    def _livez(self, accept: str) -> Page:
        """200 while every worker's event loop runs."""
        workers = workers_in(self._memory)
        return self._state(workers, is_well=all(worker.is_alive for worker in workers))

    def _readyz(self, accept: str) -> Page:
        """200 while a worker is ready."""
        workers = workers_in(self._memory)
        return self._state(workers, is_well=any(worker.is_ready and worker.is_alive for worker in workers))

    def _startupz(self, accept: str) -> Page:
        """200 from the moment that a worker has been ready."""
        workers = workers_in(self._memory)
        self._has_started = self._has_started or any(worker.is_ready for worker in workers)
        return self._state(workers, is_well=self._has_started)

    @staticmethod
    def _state(workers: list[Worker], *, is_well: bool) -> Page:
        body = {"status": "ok" if is_well else "unavailable", "workers": [worker._asdict() for worker in workers]}
        return _json(200 if is_well else 503, body)


def _json(status: int, body: Any) -> Page:
    return Page(status, JSON, msgspec.json.encode(body) + b"\n")
