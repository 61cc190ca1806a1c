"""A value that is saved is the one that is loaded, and what a kill in the middle leaves is the one before."""

import os
import random
import resource
from collections.abc import Generator
from contextlib import contextmanager

import pytest

from gatepost.records.history import SLOT_BYTES, HistoryRing, KeptStep
from gatepost.records.snapshots import Snapshot
from gatepost.shared_files import shared_file

SIZE = 4096


def made() -> tuple[Snapshot, int]:
    descriptor = shared_file("snapshot", SIZE)
    return Snapshot(descriptor, SIZE), descriptor


def test_there_is_nothing_at_first() -> None:
    assert made()[0].load() is None


def test_the_last_value_is_loaded_also_by_others() -> None:
    snapshot, descriptor = made()
    for number in range(5):
        snapshot.save(b"%d" % number)
        assert Snapshot(descriptor, SIZE).load() == b"%d" % number


def test_what_is_torn_is_not_loaded() -> None:
    snapshot, descriptor = made()
    snapshot.save(b"one" * 100)
    whole = os.pread(descriptor, SIZE, 0)
    snapshot.save(b"two" * 200)
    after = os.pread(descriptor, SIZE, 0)
    random.seed(1)
    for _ in range(200):
        # Some of the bytes of the second value have come, in whatever order the system wrote them.
        torn = bytes(new if random.random() < 0.5 else old for old, new in zip(whole, after, strict=True))
        os.pwrite(descriptor, torn, 0)
        assert Snapshot(descriptor, SIZE).load() in {b"one" * 100, b"two" * 200}


def test_a_value_that_is_too_long_leaves_the_one_before() -> None:
    snapshot, _ = made()
    snapshot.save(b"here")
    with pytest.raises(ValueError, match="room for"):
        snapshot.save(b"x" * SIZE)
    assert snapshot.load() == b"here"


def test_bytes_of_somebody_else_are_no_value() -> None:
    snapshot, descriptor = made()
    os.pwrite(descriptor, random.Random(2).randbytes(SIZE), 0)
    assert snapshot.load() is None
    snapshot.save(b"here")
    assert snapshot.load() == b"here"


@contextmanager
def no_room_beyond(size: int) -> Generator[None]:
    """Writes beyond it are refused, as a full disk refuses them."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_full_disk_leaves_the_value_before() -> None:
    snapshot, descriptor = made()
    assert snapshot.save(b"one")
    assert snapshot.save(b"two")
    with no_room_beyond(100):
        assert not snapshot.save(b"x" * 1000)
        assert snapshot.load() == b"two"
    assert snapshot.save(b"three")
    assert Snapshot(descriptor, SIZE).load() == b"three"


def test_a_full_disk_leaves_the_steps_of_a_history() -> None:
    ring = HistoryRing(shared_file("history", 4 * SLOT_BYTES), 4 * SLOT_BYTES)
    assert ring.write(KeptStep(1, 0.0, 10.0, b"one"))
    with no_room_beyond(2 * SLOT_BYTES):
        assert not ring.write(KeptStep(2, 10.0, 20.0, b"two"))
    assert ring.last == 1
    assert ring.write(KeptStep(2, 10.0, 30.0, b"both"))
    assert [step.data for step in ring.steps(0, 100)] == [b"one", b"both"]
