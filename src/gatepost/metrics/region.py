"""A region of shared memory: the series of one process, which it alone writes and anybody reads.

A region begins with a head, then come the labels of its series as lines of JSON, then cells of 8 bytes. A series is
there once its line is published, by a number in the head that is written last. What is never touched takes no memory.
"""

import mmap
import struct
import time
from collections.abc import Iterator, Mapping
from typing import NamedTuple

import msgspec

from gatepost.metrics.buckets import BUCKETS, bucket_of
from gatepost.metrics.families import Family, Kind

LABEL_BYTES = 2 << 20
CELL_BYTES = 6 << 20
HEAD_BYTES = 4096
REGION_BYTES = HEAD_BYTES + LABEL_BYTES + CELL_BYTES

FREE, LIVE = 0, 1

_head = struct.Struct("<IIIIId")  # state, pid, bytes of labels, cells, series that are folded, when it was taken
_CELLS = {"counter": 1, "gauge": 1, "histogram": BUCKETS + 1}


class Series(NamedTuple):
    """A series of a region: `cells` are its values, of a histogram the counts of its buckets and then the sum."""

    name: str
    kind: Kind
    labels: Mapping[str, str]
    cells: "memoryview[float]"
    counts: "memoryview[int]"


class Region:
    """The memory of one process. `start` is where it begins."""

    def __init__(self, memory: mmap.mmap, start: int) -> None:
        self._memory = memory
        self._start = start
        self._labels_start = start + HEAD_BYTES
        cells = memoryview(memory)[start + HEAD_BYTES + LABEL_BYTES : start + REGION_BYTES]
        self._floats = cells.cast("d")
        self._counts = cells.cast("Q")
        self._places: dict[tuple[str, tuple[str, ...]], int] = {}
        self.left_out = 0
        """Series for which there was no room."""

    @property
    def state(self) -> int:
        """FREE or LIVE."""
        return self._head()[0]

    @property
    def pid(self) -> int:
        """Of the process that it belongs to, or belonged to."""
        return self._head()[1]

    def take(self, pid: int) -> None:
        """Make it the empty region of a process. What was in it is gone."""
        _, _, _, cells, _, _ = self._head()
        self._floats[:cells] = memoryview(bytes(8 * cells)).cast("d")
        self._places.clear()
        _head.pack_into(self._memory, self._start, LIVE, pid, 0, 0, 0, time.time())

    def free(self) -> None:
        """Let another process take it."""
        struct.pack_into("<I", self._memory, self._start, FREE)

    @property
    def folded(self) -> int:
        """How many of its series have been added to those of the departed."""
        return self._head()[4]

    @folded.setter
    def folded(self, count: int) -> None:
        struct.pack_into("<I", self._memory, self._start + 16, count)

    def place(self, family: Family, values: tuple[str, ...]) -> int:
        """Where the cells of a series begin, which is made at its first use; -1 where there is no room for it."""
        key = (family.name, values)
        found = self._places.get(key)
        if found is None:
            found = self._places[key] = self._make(family, values)
        return found

    def add(self, place: int, amount: float) -> None:
        """Add to a counter. For the process of the region alone."""
        if place >= 0:
            self._floats[place] += amount

    def set(self, place: int, value: float) -> None:
        """Set a gauge."""
        if place >= 0:
            self._floats[place] = value

    def observe(self, place: int, seconds: float) -> None:
        """Add a value to a histogram."""
        if place >= 0:
            self._counts[place + bucket_of(seconds)] += 1
            self._floats[place + BUCKETS] += seconds

    def series(self) -> Iterator[Series]:
        """What has been published so far, in the order in which it was made."""
        return (series for _, series in self._published())

    def _published(self) -> Iterator[tuple[int, Series]]:
        length = self._head()[2]
        text = self._memory[self._labels_start : self._labels_start + length]
        for line in text.splitlines():
            name, kind, labels, place = msgspec.json.decode(line, type=tuple[str, Kind, dict[str, str], int])
            end = place + _CELLS[kind]
            yield place, Series(name, kind, labels, self._floats[place:end], self._counts[place:end])

    def load(self) -> None:
        """Find the places of series that another process has made here."""
        self._places = {(series.name, tuple(series.labels.values())): place for place, series in self._published()}

    def fold(self, series: Series) -> None:
        """Add what another process has counted."""
        family = Family(series.name, series.kind, tuple(series.labels), "")
        place = self.place(family, tuple(series.labels.values()))
        if place < 0:
            return
        if series.kind == "histogram":
            for index, count in enumerate(series.counts[:BUCKETS]):
                self._counts[place + index] += count
        last = _CELLS[series.kind] - 1
        self._floats[place + last] += series.cells[last]

    def close(self) -> None:
        """Give the memory back, as far as this region holds it."""
        self._floats.release()
        self._counts.release()

    def _make(self, family: Family, values: tuple[str, ...]) -> int:
        state, pid, length, cells, folded, since = self._head()
        labels = dict(zip(family.labels, values, strict=True))
        line = msgspec.json.encode((family.name, family.kind, labels, cells)) + b"\n"
        size = _CELLS[family.kind]
        if length + len(line) > LABEL_BYTES or (cells + size) * 8 > CELL_BYTES:
            self.left_out += 1
            return -1
        start = self._labels_start + length
        self._memory[start : start + len(line)] = line
        _head.pack_into(self._memory, self._start, state, pid, length + len(line), cells + size, folded, since)
        return cells

    def _head(self) -> tuple[int, int, int, int, int, float]:
        return _head.unpack_from(self._memory, self._start)
