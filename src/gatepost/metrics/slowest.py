"""The ten slowest requests of each operation in the last hour, in the region of the process that served them.

Beside the request path: a request is compared with one number, and written where it is slower. Times are divided into
windows of half an hour with ten places each, so that what was slow an hour ago takes no place from what is slow now.
"""

import struct
import time
from collections.abc import Iterable, Iterator

import msgspec

from gatepost.events import RequestFinished
from gatepost.metrics.entries import read_entry, write_entry
from gatepost.metrics.families import SLOWEST
from gatepost.metrics.region import SLOWEST_CELLS, Region, Series

PLACES = 10
SECONDS = 3600.0
WINDOW_SECONDS = 1800
WINDOWS = 3
"""The present one, and as many as an hour can reach into."""

ID_BYTES = 32

_entry = struct.Struct(f"<Q{ID_BYTES}s3d")  # version; id, moment, seconds, those in the database
assert WINDOWS * PLACES * _entry.size == SLOWEST_CELLS * 8  # noqa: S101 - two modules agree


class SlowRequest(msgspec.Struct, frozen=True):
    """A request that was among the slowest. `at` is when it was finished, in seconds since the epoch."""

    request_id: str
    at: float
    seconds: float
    database_seconds: float


class SlowestRequests:
    """Those of one operation. A request that takes longer than `above` seconds is one of them."""

    def __init__(self, region: Region, operation: str) -> None:
        self._memory = region.cells_of(region.place(SLOWEST, (operation,)), "slowest")
        self._window = -1
        self._known: list[float] = []
        self.above = -1.0

    def note(self, event: RequestFinished) -> None:
        """Keep a request."""
        self.keep(SlowRequest(event.request_id, time.time(), event.seconds, event.database_seconds))

    def keep(self, found: SlowRequest) -> None:
        """Write it over the fastest of its window."""
        window = int(found.at // WINDOW_SECONDS)
        first = window % WINDOWS * PLACES
        if window != self._window:
            self._window = window
            self._known = [-1.0] * PLACES
            for number, request in _read(self._memory, first):
                if int(request.at // WINDOW_SECONDS) == window:
                    self._known[number] = request.seconds
        fastest = min(self._known)
        if found.seconds <= fastest:
            return
        number = self._known.index(fastest)
        self._known[number] = found.seconds
        self.above = min(self._known)
        text = found.request_id.encode()[:ID_BYTES]
        values = (text, found.at, found.seconds, found.database_seconds)
        write_entry(_entry, self._memory, (first + number) * _entry.size, *values)

    def begin_window(self) -> None:
        """Another window begins: any request may be among its slowest."""
        self.above = -1.0


def fold_slowest(departed: Region, series: Series, now: float) -> None:
    """Keep what a process that is gone has kept, as far as it is of the last hour."""
    slowest = SlowestRequests(departed, series.labels["operation"])
    for request in requests_of(series):
        if now - request.at <= SECONDS:
            slowest.keep(request)


def slowest_in(series: Iterable[Series], now: float) -> dict[str, list[SlowRequest]]:
    """Of all processes, by operation: the slowest of the last hour, the slowest first."""
    found: dict[str, list[SlowRequest]] = {}
    for each in series:
        if each.kind == "slowest":
            known = found.setdefault(each.labels["operation"], [])
            known += [request for request in requests_of(each) if 0 <= now - request.at <= SECONDS]
    for operation, requests in found.items():
        found[operation] = sorted(requests, key=lambda request: -request.seconds)[:PLACES]
    return found


def requests_of(series: Series) -> Iterator[SlowRequest]:
    """What is written in a series of this kind."""
    memory = series.cells.cast("B")
    for window in range(WINDOWS):
        yield from (request for _, request in _read(memory, window * PLACES))


def _read(memory: "memoryview[int]", first: int) -> Iterator[tuple[int, SlowRequest]]:
    for number in range(PLACES):
        entry = read_entry(_entry, memory, (first + number) * _entry.size)
        if entry is not None:
            text, at, seconds, database_seconds = entry
            yield number, SlowRequest(text.rstrip(b"\0").decode(errors="replace"), at, seconds, database_seconds)
