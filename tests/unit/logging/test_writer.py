"""The writer: nothing is lost while the reader reads, nothing blocks when it does not."""

import contextlib
import errno
import os
import re
import threading
import time
from collections.abc import Iterator

import pytest

from gatepost.logging.lines import ERROR
from gatepost.logging.writer import Writer

Ends = tuple[int, int]
DROPPED = b'{"level":"error","category":"error","source":"logging","event":"log_lines_dropped","count":2}\n'


def untimed(lines: bytes) -> bytes:
    """Lines without the time of those that the writer makes itself."""
    return re.sub(rb'"time":"[^"]*Z",', b"", lines)


@pytest.fixture
def pipe() -> Iterator[Ends]:
    """The reading and the writing end of a pipe."""
    ends = os.pipe()
    yield ends
    for end in ends:
        os.close(end)


def fill(descriptor: int) -> None:
    """Leave no room in a pipe."""
    os.set_blocking(descriptor, False)
    with contextlib.suppress(BlockingIOError):
        while True:
            os.write(descriptor, b"x" * 4096)
    os.set_blocking(descriptor, True)


def test_lines_are_written_at_once_before_the_start(pipe: Ends) -> None:
    Writer(pipe[1]).write(b"one\n")
    assert os.read(pipe[0], 100) == b"one\n"


def test_lines_keep_their_order_and_all_are_written_at_the_end(pipe: Ends) -> None:
    writer = Writer(pipe[1], flush_seconds=60)
    writer.start()
    for number in range(1000):
        writer.write(b"%d\n" % number)
    writer.close()
    assert os.read(pipe[0], 65536).split() == [b"%d" % number for number in range(1000)]


def test_lines_are_written_by_the_thread_meanwhile(pipe: Ends) -> None:
    writer = Writer(pipe[1], flush_seconds=0.001)
    writer.start()
    writer.write(b"one\n")
    assert os.read(pipe[0], 100) == b"one\n"
    writer.close()


def test_a_line_after_the_end_is_written_at_once(pipe: Ends) -> None:
    writer = Writer(pipe[1])
    writer.start()
    writer.close()
    writer.write(b"late\n")
    assert os.read(pipe[0], 100) == b"late\n"


def test_what_does_not_fit_is_dropped_and_counted(pipe: Ends) -> None:
    writer = Writer(pipe[1], lines_max=3, flush_seconds=60)
    writer.start()
    for number in range(5):
        writer.write(b"%d\n" % number)
    assert writer.dropped == 2
    writer.close()
    assert untimed(os.read(pipe[0], 1000)) == b"0\n1\n2\n" + DROPPED


def test_a_line_is_written_when_it_comes_where_nothing_is_waited_for(pipe: Ends) -> None:
    writer = Writer(pipe[1], flush_seconds=None)
    writer.start()
    for number in range(3):
        writer.write(b"%d\n" % number)
        assert os.read(pipe[0], 100) == b"%d\n" % number
    writer.close()


def test_a_reader_that_has_been_stuck_for_long_is_not_waited_for_at_the_end(pipe: Ends) -> None:
    fill(pipe[1])
    others = set(threading.enumerate())
    writer = Writer(pipe[1], lines_max=2, flush_seconds=None)
    writer.start()
    for _ in range(10):
        writer.write(b"more\n")
    began = time.monotonic()
    writer.close()
    first, began = time.monotonic() - began, time.monotonic()
    writer.close()
    writer.write(b"after the end\n")
    assert time.monotonic() - began < first / 2
    while b"log_lines_dropped" not in os.read(pipe[0], 65536):
        pass
    for thread in set(threading.enumerate()) - others:
        thread.join()


def test_a_line_that_a_full_disk_cut_off_ends_there_and_the_lost_ones_are_counted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    written = b""
    room = 5

    def write(descriptor: int, data: memoryview) -> int:
        nonlocal written, room
        if not room:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        count = min(room, len(data))
        written, room = written + bytes(data[:count]), room - count
        return count

    monkeypatch.setattr("gatepost.logging.descriptor.os.write", write)
    writer = Writer(1, flush_seconds=60)
    writer.start()
    for line in (b"one\n", b"two\n", b"three\n"):
        writer.write(line)
    writer.close()
    assert (written, writer.dropped) == (b"one\nt", 2)
    room = 1000
    writer.start()
    writer.write(b"four\n")
    writer.close()
    assert untimed(written) == b"one\nt\nfour\n" + DROPPED


def test_large_lines_wait_up_to_a_number_of_bytes(monkeypatch: pytest.MonkeyPatch, pipe: Ends) -> None:
    monkeypatch.setattr("gatepost.logging.writer.BYTES_MAX", 1000)
    writer = Writer(pipe[1], flush_seconds=60)
    for _ in range(2):
        writer.start()
        for _ in range(5):
            writer.write(b"x" * 499 + b"\n")
        assert writer.dropped == 3
        writer.close()
        assert os.read(pipe[0], 5000).count(b"\n") == 3


def test_text_without_a_newline_is_passed_on_as_it_is(pipe: Ends) -> None:
    writer = Writer(pipe[1])
    writer.write(b"a")
    writer.write(b"b\n")
    assert os.read(pipe[0], 100) == b"ab\n"


def test_an_event_of_which_no_line_can_be_made_ends_nothing(pipe: Ends) -> None:
    def render(moment: float, event: str) -> bytes:
        return event.encode()

    writer = Writer(pipe[1], flush_seconds=60)
    keep = writer.subscriber(render)
    writer.start()
    for event in ("one\n", "\ud800\n", "three\n"):
        keep(event)
    writer.close()
    keep("\ud800\n")
    failed = b'{"level":"error","category":"error","source":"logging","event":"log_line_failed",'
    failed += b'"error":"UnicodeEncodeError"}\n'
    assert untimed(os.read(pipe[0], 1000)) == b"one\n" + failed + b"three\n" + failed


def test_a_reader_that_has_gone_ends_nothing() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    writer = Writer(writing)
    writer.start()
    writer.write(b"one\n")
    writer.close()
    os.close(writing)


def test_a_forked_child_writes_its_own_lines_and_none_of_its_parent(pipe: Ends) -> None:
    writer = Writer(pipe[1], flush_seconds=60)
    writer.start()
    writer.write(b"parent\n")
    writer.forget()
    writer.write(b"child\n")
    assert os.read(pipe[0], 100) == b"child\n"


def test_errors_wait_in_a_reserve_that_other_lines_cannot_fill(pipe: Ends) -> None:
    writer = Writer(pipe[1], lines_max=3, flush_seconds=60)
    writer.start()
    for number in range(5):
        writer.write(b"%d\n" % number)
    writer.write(b"error\n", ERROR)
    writer.subscriber(lambda moment, event: event.encode(), kind=ERROR)("event\n")
    writer.close()
    lines = untimed(os.read(pipe[0], 1000)).splitlines(keepends=True)
    assert lines[:5] == [b"0\n", b"1\n", b"2\n", b"error\n", b"event\n"]
    assert lines[5:] == [DROPPED]


def test_beyond_the_reserve_the_oldest_errors_are_dropped(monkeypatch: pytest.MonkeyPatch, pipe: Ends) -> None:
    monkeypatch.setattr("gatepost.logging.writer.RESERVE_BYTES", 10)
    writer = Writer(pipe[1], flush_seconds=60)
    writer.start()
    for number in range(8):
        writer.write(b"%03d\n" % number, ERROR)
        writer.write(b"-\n")
    writer.close()
    lines = os.read(pipe[0], 1000).splitlines()
    assert [line for line in lines if line.isdigit()] == [b"006", b"007"]
    assert lines.count(b"-") == 8
    assert b'"count":6}' in lines[-1]
