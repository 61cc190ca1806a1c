"""A region of shared memory: the series of one process, which it alone writes and anybody reads.

A region begins with a head, then come the labels of its series as lines of JSON, then cells of 8 bytes. A series is
there once its line is published, by a number in the head that is written last. What is never touched takes no memory.
"""

import mmap
import struct
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import NamedTuple

import msgspec

from gatepost.metrics.buckets import BUCKETS, bucket_of
from gatepost.metrics.families import Family, Kind

LABEL_BYTES = 2 << 20
CELL_BYTES = 8 << 20
HEAD_BYTES = 4096
REGION_BYTES = HEAD_BYTES + LABEL_BYTES + CELL_BYTES

LINE_BYTES = 4096
"""More than a line of series that are made together takes: names of operations and statements are short."""

FREE, LIVE = 0, 1

_head = struct.Struct("<IIIIId")  # state, pid, bytes of labels, cells, series that are folded, when it was taken

SLOWEST_CELLS = 3 * 10 * 8
"""Of the slowest requests of one operation (`slowest.py`)."""

CLIENT_ENTRIES = 512
CLIENT_CELLS = 13
TOP_CELLS = 1 + CLIENT_ENTRIES * CLIENT_CELLS
"""Of a table of clients (`client_table.py`)."""

CELLS: Mapping[Kind, int] = {
    "counter": 1,
    "gauge": 1,
    "histogram": BUCKETS + 1,
    "slowest": SLOWEST_CELLS,
    "top": TOP_CELLS,
    "limit": 1,
}

NOWHERE = CELL_BYTES // 8 - max(CELLS.values())
"""The place of series for which there is no room: cells that nobody reads, so that additions need no check."""


Labels = tuple[tuple[str, str], ...]

Edition = tuple[int, int, float, int]
"""Another one with another process, and with each series that is published or added to those of the departed."""


class Line(NamedTuple):
    """What is published of a series: where its cells begin, and of those of the application what they are (`help`)."""

    name: str
    kind: Kind
    labels: Labels
    place: int
    help: str


class Series(NamedTuple):
    """A series of a region: `cells` are its values, of a histogram the counts of its buckets and then the sum; `counts`
    are the same cells as whole numbers."""

    name: str
    kind: Kind
    labels: Mapping[str, str]
    cells: "memoryview[float]"
    counts: "memoryview[int]"
    help: str


class Region:
    """The memory of one process. `start` is where it begins.

    `values` and `counts` are all its cells, as numbers and as whole numbers: what is hot adds to them by itself.
    """

    def __init__(self, memory: mmap.mmap, start: int) -> None:
        self._memory = memory
        self._start = start
        self._labels_start = start + HEAD_BYTES
        cells = memoryview(memory)[start + HEAD_BYTES + LABEL_BYTES : start + REGION_BYTES]
        self.values = cells.cast("d")
        self.counts = cells.cast("Q")
        self._places: dict[tuple[str, tuple[str, ...]], int] = {}
        self._lock = threading.Lock()
        self._lines: list[Line] = []
        self._lines_length = 0
        self._lines_since = 0.0
        self.left_out = 0
        """Series for which there was no room."""
        self.is_partly_folded = False
        """Whether who reads has to leave out what those of the departed have already."""

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
        self.values[:cells] = memoryview(bytes(8 * cells)).cast("d")
        self._places.clear()
        _head.pack_into(self._memory, self._start, LIVE, pid, 0, 0, 0, time.time())

    def free(self) -> None:
        """Let another process take it."""
        struct.pack_into("<I", self._memory, self._start, FREE)

    @property
    def used_bytes(self) -> int:
        """What its series take."""
        _, _, length, cells, _, _ = self._head()
        return HEAD_BYTES + length + cells * 8

    @property
    def edition(self) -> Edition:
        """What tells whether `published` is what it was."""
        _, pid, length, _, folded, since = self._head()
        return pid, length, since, folded if self.is_partly_folded else 0

    @property
    def folded(self) -> int:
        """How many of its series have been added to those of the departed."""
        return self._head()[4]

    @folded.setter
    def folded(self, count: int) -> None:
        struct.pack_into("<I", self._memory, self._start + 16, count)

    def place(self, family: Family, values: tuple[str, ...]) -> int:
        """Where the cells of a series begin, made at the first call; NOWHERE if the region is full."""
        key = (family.name, values)
        found = self._places.get(key)
        if found is None:
            with self._lock:  # lines of the log come from any thread
                found = self._places.get(key)
                if found is None:
                    found = self._places[key] = self._make(family, values)
        return found

    def place_together(self, families: Sequence[Family], values: tuple[str, ...]) -> int:
        """Where the cells of several series with these labels begin, one behind the other: all of them, or NOWHERE."""
        first = families[0].name, values
        with self._lock:
            if first not in self._places:
                has_room = self._has_room(sum(CELLS[family.kind] for family in families), LINE_BYTES * len(families))
                for family in families:
                    self._places[family.name, values] = self._make(family, values) if has_room else NOWHERE
                self.left_out += 0 if has_room else len(families)
            return self._places[first]

    def add(self, place: int, amount: float) -> None:
        """Add to a counter. For the process of the region alone."""
        self.values[place] += amount

    def set(self, place: int, value: float) -> None:
        """Set a gauge."""
        self.values[place] = value

    def observe(self, place: int, seconds: float) -> None:
        """Add a value to a histogram."""
        self.counts[place + bucket_of(seconds)] += 1
        self.values[place + BUCKETS] += seconds

    def writer(self, form: struct.Struct, place: int) -> Callable[..., None]:
        """What writes numbers of this form into the cells from `place` on, by one call."""
        memory, offset = self._memory, self._start + HEAD_BYTES + LABEL_BYTES + place * 8
        return partial(form.pack_into, memory, offset)

    def cells_of(self, place: int, kind: Kind) -> "memoryview[int]":
        """The bytes of a series."""
        return self.values[place : place + CELLS[kind]].cast("B")

    def published(self) -> "list[Line]":
        """The lines of its series so far, in the order in which they were made, without those that have been added to
        the departed where it `is_partly_folded`. Each is read once."""
        _, _, length, _, _, since = self._head()
        if since != self._lines_since or length < self._lines_length:
            self._lines, self._lines_length, self._lines_since = [], 0, since
        if length > self._lines_length:
            start = self._labels_start
            text = self._memory[start + self._lines_length : start + length]
            for line in text.splitlines():
                name, kind, labels, place, said = msgspec.json.decode(
                    line, type=tuple[str, Kind, dict[str, str], int, str]
                )
                # Thousands of lines have the same few words in them, each process has the same lines, and series that
                # are made together have the same labels.
                words = tuple((sys.intern(label), sys.intern(value)) for label, value in labels.items())
                if self._lines and self._lines[-1].labels == words:
                    words = self._lines[-1].labels
                self._lines.append(Line(sys.intern(name), kind, words, place, said))
            self._lines_length = length
        return self._lines[self.folded :] if self.is_partly_folded else self._lines

    def series(self) -> Iterator[Series]:
        """What has been published so far."""
        for line in self.published():
            end = line.place + CELLS[line.kind]
            cells, counts = self.values[line.place : end], self.counts[line.place : end]
            yield Series(line.name, line.kind, dict(line.labels), cells, counts, line.help)

    def load(self) -> None:
        """Find the places of series that another process has made here."""
        self._places = {(line.name, tuple(value for _, value in line.labels)): line.place for line in self.published()}

    def fold(self, series: Series) -> None:
        """Add what another process has counted."""
        family = Family(series.name, series.kind, tuple(series.labels), series.help)
        place = self.place(family, tuple(series.labels.values()))
        if series.kind == "histogram":
            for index, count in enumerate(series.counts[:BUCKETS]):
                if count:
                    self.counts[place + index] += count
        last = CELLS[series.kind] - 1
        self.values[place + last] += series.cells[last]

    def close(self) -> None:
        """Give the memory back, as far as this region holds it."""
        self.values.release()
        self.counts.release()

    def _make(self, family: Family, values: tuple[str, ...]) -> int:
        state, pid, length, cells, folded, since = self._head()
        # Values may be a client's: what is not UTF-8 has a question mark for it.
        texts = [value.encode(errors="replace").decode() for value in values]
        labels = dict(zip(family.labels, texts, strict=True))
        said = family.help if family.is_own else ""  # of ours, who reads knows it
        line = msgspec.json.encode((family.name, family.kind, labels, cells, said)) + b"\n"
        size = CELLS[family.kind]
        if not self._has_room(size, len(line)):
            self.left_out += 1
            return NOWHERE
        start = self._labels_start + length
        self._memory[start : start + len(line)] = line
        _head.pack_into(self._memory, self._start, state, pid, length + len(line), cells + size, folded, since)
        return cells

    def _has_room(self, cells: int, line_bytes: int) -> bool:
        _, _, length, used, _, _ = self._head()
        return length + line_bytes <= LABEL_BYTES and used + cells <= NOWHERE

    def _head(self) -> tuple[int, int, int, int, int, float]:
        return _head.unpack_from(self._memory, self._start)
