"""A value that is saved is the one that is loaded, and what a kill in the middle leaves is the one before."""

import os
import random

import pytest

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
