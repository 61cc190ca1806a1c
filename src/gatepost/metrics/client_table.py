"""A table of the busiest clients: at most so many entries, whatever number of clients there is (space-saving).

Beside the request path. A client without an entry takes that of the one with the fewest requests, and its count with
it, noted as `overcount`: nobody is counted too low, and who sends more than one in 512 requests is always there.
Metwally, Agrawal, El Abbadi: Efficient Computation of Frequent and Top-k Elements in Data Streams (2005).
"""

import struct
from collections.abc import Iterator
from heapq import heapify, heapreplace
from typing import NamedTuple

from gatepost.metrics.entries import read_entry, remove_entry, write_entry
from gatepost.metrics.region import CLIENT_CELLS, CLIENT_ENTRIES, Series

WINDOW_SECONDS = 600
"""A table counts for so long, then it is emptied: who was busy an hour ago hides nobody."""

KEY_BYTES = 64

_entry = struct.Struct(f"<Q{KEY_BYTES}s4Q")  # version; key, and the counts
_window = struct.Struct("<d")
assert _entry.size == CLIENT_CELLS * 8  # noqa: S101 - two modules agree


class ClientCounts(NamedTuple):
    """What a client has sent. Of `requests`, up to `overcount` may have been another's."""

    requests: int
    refusals: int = 0
    failed_sign_ins: int = 0
    overcount: int = 0

    def plus(self, other: "ClientCounts") -> "ClientCounts":
        """Both together."""
        return ClientCounts(
            self.requests + other.requests,
            self.refusals + other.refusals,
            self.failed_sign_ins + other.failed_sign_ins,
            self.overcount + other.overcount,
        )


class ClientTable:
    """The writer of a table, in the memory of a series of kind `top`."""

    def __init__(self, memory: "memoryview[int]") -> None:
        self._memory = memory
        self._load()

    @property
    def window(self) -> int:
        """Which window it counts: a number that rises by one in WINDOW_SECONDS."""
        return int(_window.unpack_from(self._memory)[0])

    def begin(self, window: int) -> None:
        """Empty it, where it is not of this window."""
        if self.window == window:
            return
        for number in range(len(self._keys)):
            remove_entry(self._memory, _offset(number))
        _window.pack_into(self._memory, 0, float(window))
        self._load()

    def add(self, key: str, counts: ClientCounts) -> None:
        """Count for a client. Of a key that is too long, the beginning counts."""
        text = key.encode(errors="replace")[:KEY_BYTES]
        number = self._numbers.get(text)
        if number is not None:
            found = self._counts[number].plus(counts)
        elif len(self._keys) < CLIENT_ENTRIES:
            number, found = len(self._keys), counts
            self._keys.append(text)
            self._counts.append(found)
            self._by_requests.append((found.requests, number))
            self._is_heap = False
        else:
            number = self._find_fewest()
            fewest = self._counts[number].requests
            self._numbers.pop(self._keys[number], None)
            self._keys[number] = text
            found = counts.plus(ClientCounts(fewest, overcount=fewest))
        self._numbers[text] = number
        self._counts[number] = found
        write_entry(_entry, self._memory, _offset(number), text, *found)

    def _find_fewest(self) -> int:
        """The entry with the fewest requests. Counts only rise, so what the heap says may be too low, never too
        high."""
        heap = self._by_requests
        if not self._is_heap:
            heapify(heap)
            self._is_heap = True
        while True:
            requests, number = heap[0]
            if self._counts[number].requests == requests:
                return number
            heapreplace(heap, (self._counts[number].requests, number))

    def _load(self) -> None:
        """What is written in the memory. An entry whose writer was killed is nobody's, and the first to be taken."""
        found = {number: (text, counts) for number, text, counts in _entries(self._memory)}
        nobody = (b"", ClientCounts(0))
        entries = [found.get(number, nobody) for number in range(max(found, default=-1) + 1)]
        self._keys = [text for text, _ in entries]
        self._counts = [counts for _, counts in entries]
        self._numbers = {key: number for number, key in enumerate(self._keys)}
        self._by_requests = [(counts.requests, number) for number, counts in enumerate(self._counts)]
        self._is_heap = False


def window_of(series: Series) -> int:
    """Which window a table counts."""
    return int(series.cells[0])


def clients_in(series: Series) -> Iterator[tuple[str, ClientCounts]]:
    """The clients of a table."""
    for _, text, counts in _entries(series.cells.cast("B")):
        yield text.decode(errors="ignore"), counts


def _entries(memory: "memoryview[int]") -> Iterator[tuple[int, bytes, ClientCounts]]:
    for number in range(CLIENT_ENTRIES):
        entry = read_entry(_entry, memory, _offset(number))
        if entry is not None:
            text, *counts = entry
            yield number, text.rstrip(b"\0"), ClientCounts(*counts)


def _offset(number: int) -> int:
    return _window.size + number * _entry.size
