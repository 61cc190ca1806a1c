"""`HistoryRing`: the last steps of an instance, in a file of a fixed size. A kill at any moment leaves all but one.

Off the request path. The file is a ring of slots (`StepSlots`); each has a number, its times, a length and a checksum.
Slots are read and written by the system's calls, so that of the ring only the times take memory of the monitor, 150 KB.
"""

import os
import struct
import zlib
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from gatepost.records.snapshots import written

SLOT_BYTES = 2560
"""26 hours of steps of 10 s are 9,360 slots, which is 23 MiB; a day of them in the database is 21 MiB at most."""

CHUNK_SLOTS = 256

_head = struct.Struct("<QddII")  # number, since, until, bytes, CRC-32 of all the rest


class KeptStep(NamedTuple):
    """A step of the ring: its times in seconds since the epoch, and its bytes."""

    number: int
    since: float
    until: float
    data: bytes


class StepSlots:
    """Slots in the file of this descriptor, which one process at a time writes: a step is in that of its number, until
    another one is. `data_bytes_max` is the longest step."""

    def __init__(self, descriptor: int, size: int, slot_bytes: int) -> None:
        self._descriptor = descriptor
        self._slot_bytes = slot_bytes
        self.slots = size // slot_bytes
        self.data_bytes_max = slot_bytes - _head.size

    def put(self, step: KeptStep) -> bool:
        """Keep a step. False where the disk does not take it. Raises ValueError where it is too long."""
        if len(step.data) > self.data_bytes_max:
            raise ValueError(f"{len(step.data)} bytes are more than the {self.data_bytes_max} of a slot")
        head = _head.pack(*step[:3], len(step.data), _checksum(step))
        return written(self._descriptor, head + step.data, self._offset(step.number))

    def read(self, number: int) -> KeptStep | None:
        """The step of this number, where it is still there."""
        found = self._parsed(os.pread(self._descriptor, self._slot_bytes, self._offset(number)))
        return found if found is not None and found.number == number else None

    def _offset(self, number: int) -> int:
        return number % self.slots * self._slot_bytes

    def _parsed(self, slot: bytes) -> KeptStep | None:
        if len(slot) < _head.size:
            return None
        number, since, until, length, checksum = _head.unpack_from(slot)
        if not number or length > self.data_bytes_max:
            return None
        step = KeptStep(number, since, until, slot[_head.size : _head.size + length])
        return step if _checksum(step) == checksum else None


class HistoryRing(StepSlots):
    """The ring in the file of this descriptor. `first` and `last` are the numbers of the oldest and the newest step
    that are kept; `last` is 0 where there is none. `is_ordered` is False while it has steps from before a clock was set
    back."""

    def __init__(self, descriptor: int, size: int) -> None:
        super().__init__(descriptor, size, SLOT_BYTES)
        self.unreadable = 0
        """How many slots held something that could not be read. A kill leaves one."""
        self._since = array("d", bytes(8 * self.slots))
        self._until = array("d", bytes(8 * self.slots))
        self.is_ordered = True
        found = {step.number: (step.since, step.until) for step in self._scanned()}
        self.last = max(found, default=0)
        since, until = 0.0, 0.0
        for number in range(self.first, self.last + 1):
            since, until = found.get(number, (since, until))  # where one cannot be read, it is not missed
            self._note(number, since, until)

    @property
    def first(self) -> int:
        """The oldest that can be there."""
        return max(1, self.last - self.slots + 1)

    def write(self, step: KeptStep) -> bool:
        """Keep a step: as the newest, or in place of the newest. False where the disk does not take it. Raises
        ValueError where it is too long."""
        if not self.put(step):
            return False
        self._note(step.number, step.since, step.until)
        self.last = step.number
        return True

    def steps(self, since: float, until: float) -> Iterator[KeptStep]:
        """Those with a part within these times, the oldest first."""
        for number in self._numbers(since, until):
            step = self.read(number)
            if step is not None and step.until > since and step.since < until:
                yield step

    def behind(self, number: int) -> Iterator[KeptStep]:
        """Those that came after the one of this number, in their order."""
        for later in range(max(self.first, number + 1), self.last + 1):
            if (step := self.read(later)) is not None:
                yield step

    def _numbers(self, since: float, until: float) -> Sequence[int]:
        numbers, slots = range(self.first, self.last + 1), self.slots
        if not self.is_ordered:
            return [n for n in numbers if self._until[n % slots] > since and self._since[n % slots] < until]
        start = bisect_right(numbers, since, key=lambda number: self._until[number % slots])
        end = bisect_left(numbers, until, key=lambda number: self._since[number % slots])
        return numbers[start:end]

    def _note(self, number: int, since: float, until: float) -> None:
        place, before = number % self.slots, (number - 1) % self.slots
        self._since[place], self._until[place] = since, until
        if number > self.first and (since < self._since[before] or until < self._until[before]):
            self.is_ordered = False

    def _scanned(self) -> Iterator[KeptStep]:
        for start in range(0, self.slots, CHUNK_SLOTS):
            chunk = os.pread(self._descriptor, CHUNK_SLOTS * SLOT_BYTES, start * SLOT_BYTES)
            for slot in range(min(CHUNK_SLOTS, self.slots - start)):
                found = chunk[slot * SLOT_BYTES : (slot + 1) * SLOT_BYTES]
                step = self._parsed(found)
                if step is not None and step.number % self.slots == start + slot:
                    yield step
                elif any(found[: _head.size]):
                    self.unreadable += 1


def _checksum(step: KeptStep) -> int:
    return zlib.crc32(step.data, zlib.crc32(_head.pack(*step[:3], len(step.data), 0)))
