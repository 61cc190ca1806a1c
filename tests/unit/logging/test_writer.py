"""The writer: nothing is lost while the reader reads, nothing blocks when it does not."""

import os
from collections.abc import Iterator

import pytest

from gatepost.logging.writer import Writer

Ends = tuple[int, int]


@pytest.fixture
def pipe() -> Iterator[Ends]:
    """The reading and the writing end of a pipe."""
    ends = os.pipe()
    yield ends
    for end in ends:
        os.close(end)


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
    assert os.read(pipe[0], 1000) == b'0\n1\n2\n{"level":"warning","event":"log_lines_dropped","count":2}\n'


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
    failed = b'{"level":"error","event":"log_line_failed","error":"UnicodeEncodeError"}\n'
    assert os.read(pipe[0], 1000) == b"one\n" + failed + b"three\n" + failed


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
