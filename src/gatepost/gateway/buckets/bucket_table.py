"""Buckets in a fixed-size piece of memory that processes may share: exact, and safe if a process dies holding a lock.

A hash table of sets: a key's digest says which set, and its bucket is one of 15 slots in it, 32 bytes each. A slot
whose bucket is full again is free, so nothing has to be swept. Where a set has no free slot, new keys share its last
one, which admits less, never more; a flood of keys can neither grow the memory nor empty or refill the bucket of
another client.

Shared memory is guarded by a kernel lock on the bytes of the set (POSIX `fcntl`), which is released when its process
dies. What a killed process may leave half written is a fraction of a nanosecond. The digests are keyed with a
secret of the table, so that a client cannot aim at a set.
"""

import mmap
import os
import secrets
import struct
from fcntl import LOCK_EX, LOCK_UN, lockf
from hashlib import blake2b
from typing import Any

from gatepost.gateway.buckets.bucket_spec import BucketSpec
from gatepost.shared_files import reduced, shared_file

SETS = 1 << 17
"""Two million buckets in 64 MiB, of which only what is used is ever touched."""

SLOTS = 16
SLOT_BYTES = 32
SET_BYTES = SLOTS * SLOT_BYTES
DIGEST_BYTES = 16
SECRET_BYTES = 32

LEASE_SHARE = 16
"""Of what a bucket holds, at most one part in so many is handed out in advance."""

_SHARED = SET_BYTES - SLOT_BYTES
_MAGIC = b"gatepost buckets 1"
_head = struct.Struct(f"<20s{SECRET_BYTES}s")
_moment = struct.Struct("<QQ")  # ticks, and what is left of a tick in the rule's units
_place = struct.Struct("<I")
_ticks = struct.Struct("<" + "16xQ8x" * (SLOTS - 1))


class BucketTable:
    """The buckets of one process, or, with the `descriptor` of a file that is mapped, of all processes that have it.

    For one thread of each process. Every `now` is in ticks: nanoseconds of the machine. `descriptor` is None for a
    private table.
    """

    def __init__(self, memory: mmap.mmap, descriptor: int | None = None) -> None:
        self._memory = memory
        self.descriptor = descriptor
        self._mask = len(memory) // SET_BYTES - 1
        if memory[: len(_MAGIC)] != _MAGIC:
            _head.pack_into(memory, 0, _MAGIC, secrets.token_bytes(SECRET_BYTES))
        _, self._secret = _head.unpack_from(memory)

    @classmethod
    def private(cls, sets: int = SETS) -> "BucketTable":
        """A table of this process alone. `sets` is a power of two."""
        return cls(mmap.mmap(-1, sets * SET_BYTES, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS))

    @classmethod
    def shared(cls, name: str, sets: int = SETS) -> "BucketTable":
        """A table that processes share which inherit or open its descriptor; `name` is what the system shows."""
        return cls.opened(shared_file(name, sets * SET_BYTES))

    @classmethod
    def opened(cls, descriptor: int) -> "BucketTable":
        """The table in a file that is open for reading and writing; in an empty one it is made."""
        return cls(mmap.mmap(descriptor, os.fstat(descriptor).st_size), descriptor)

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickled for a worker that is being spawned, a shared table is its descriptor."""
        assert self.descriptor is not None  # noqa: S101 - a private table stays where it is
        return reduced(BucketTable.opened, self.descriptor)

    def hasher(self, name: str) -> "blake2b":
        """What makes the digests of one rule's keys: copy it, `update` with the key, take the `digest`."""
        return blake2b(name.encode() + b"\0", digest_size=DIGEST_BYTES, key=self._secret)

    def take(self, spec: BucketSpec, digest: bytes, now: int, want: int = 1) -> tuple[int, int]:
        """Take up to `want` tokens. Returns how many, and what the bucket then lacks: 0 where it does not hold one.

        More than one is taken only out of plenty: no more than one part in LEASE_SHARE of what is left.
        """
        start = self._lock(digest)
        try:
            place, full_at = self._find(start, digest, now, spec.units_per_tick)
            moment = now * spec.units_per_tick
            deficit = full_at - moment if full_at > moment else 0
            units_per_token = spec.units_per_token
            free = spec.capacity_units - deficit
            if free < units_per_token:
                return 0, deficit
            count = 1 if want == 1 else max(1, min(want, free // units_per_token // LEASE_SHARE))
            deficit += count * units_per_token
            self._write(place, digest, moment + deficit, spec.units_per_tick)
            return count, deficit
        finally:
            if self.descriptor is not None:
                lockf(self.descriptor, LOCK_UN, 1, start)

    def give_back(self, spec: BucketSpec, digest: bytes, now: int, taken_until: int, amount: int) -> None:
        """Give back `amount` units, taken so that the bucket was to be full at `taken_until`, as far as they have not
        flown in meanwhile. Where the key shares a slot they stay taken: erring that way admits less."""
        start = self._lock(digest)
        try:
            place, full_at = self._find(start, digest, now, spec.units_per_tick)
            amount = min(amount, taken_until - now * spec.units_per_tick)
            if amount > 0 and full_at and place != start + _SHARED:
                self._write(place, digest, full_at - amount, spec.units_per_tick)
        finally:
            self._unlock(start)

    def deficit(self, spec: BucketSpec, digest: bytes, now: int) -> int:
        """What the bucket lacks, 0 where it is full."""
        start = self._lock(digest)
        try:
            _, full_at = self._find(start, digest, now, spec.units_per_tick)
            return max(0, full_at - now * spec.units_per_tick)
        finally:
            self._unlock(start)

    def refill(self, digest: bytes, now: int) -> None:
        """Make a bucket full. One that shares a slot shares it on."""
        start = self._lock(digest)
        try:
            place, full_at = self._find(start, digest, now, 1)
            if full_at and place != start + _SHARED:
                self._write(place, digest, 0, 1)
        finally:
            self._unlock(start)

    def _lock(self, digest: bytes) -> int:
        """Where the set of a digest starts, locked against other processes. The first set is the table's head."""
        start = (_place.unpack_from(digest)[0] & self._mask or 1) * SET_BYTES
        if self.descriptor is not None:
            lockf(self.descriptor, LOCK_EX, 1, start)
        return start

    def _unlock(self, start: int) -> None:
        if self.descriptor is not None:
            lockf(self.descriptor, LOCK_UN, 1, start)

    def _find(self, start: int, digest: bytes, now: int, units_per_tick: int) -> tuple[int, int]:
        """Where a bucket is, or can be, and when it is full, 0 for a new one."""
        place = self._memory.find(digest, start, start + SET_BYTES)
        if place >= 0 and not place % SLOT_BYTES:
            ticks, rest = _moment.unpack_from(self._memory, place + DIGEST_BYTES)
            return place, ticks * units_per_tick + rest
        last = start + _SHARED
        shared, _ = _moment.unpack_from(self._memory, last + DIGEST_BYTES)
        is_in_use = shared >= now
        # A key that shares the last slot shares it until that is full, though another is free by then.
        if not is_in_use or not self._marks(last) & _mark(digest):
            for number, ticks in enumerate(_ticks.unpack_from(self._memory, start)):
                if ticks < now:
                    return start + number * SLOT_BYTES, 0
        if not is_in_use:
            self._memory[last : last + DIGEST_BYTES] = bytes(DIGEST_BYTES)
            return last, 0
        return last, shared * units_per_tick

    def _marks(self, last: int) -> int:
        """Who may have shared the last slot since it was full: a bit for each, in place of a digest."""
        return int.from_bytes(self._memory[last : last + DIGEST_BYTES])

    def _write(self, place: int, digest: bytes, full_at: int, units_per_tick: int) -> None:
        ticks, rest = (full_at, 0) if units_per_tick == 1 else divmod(full_at, units_per_tick)
        if place % SET_BYTES == _SHARED:  # for rules of different units: whole ticks, rounded to the safe side
            _moment.pack_into(self._memory, place + DIGEST_BYTES, ticks + (rest > 0), 0)
            digest = (self._marks(place) | _mark(digest)).to_bytes(DIGEST_BYTES)
            self._memory[place : place + DIGEST_BYTES] = digest
            return
        # The moment first: if the process is killed between the two, the former key of this slot waits longer; it
        # is not admitted more often.
        _moment.pack_into(self._memory, place + DIGEST_BYTES, ticks, rest)
        self._memory[place : place + DIGEST_BYTES] = digest


def _mark(digest: bytes) -> int:
    return 1 << (digest[4] & 127)
