"""The standard streams of a server: text on its way to a descriptor that nobody has to read."""

import contextlib
import os
import sys
from collections.abc import Iterator

from gatepost.logging.streams import StandardStreams
from gatepost.logging.writer import Writer


@contextlib.contextmanager
def streams() -> Iterator[tuple[StandardStreams, int]]:
    """Streams whose output goes to a pipe, and its reading end. Not as a fixture: between those and the test pytest
    takes the streams for itself."""
    reading, writing = os.pipe()
    before = sys.stdout, sys.stderr
    made = StandardStreams(Writer(writing, flush_seconds=None))
    made.start()
    try:
        yield made, reading
    finally:
        made.close()
        sys.stdout, sys.stderr = before
        os.close(reading)
        os.close(writing)


def test_what_is_printed_comes_out_line_by_line() -> None:
    with streams() as (_, reading):
        print("one", "two", end="")
        print(" three")
        assert os.read(reading, 100) == b"one two three\n"
        sys.stdout.buffer.write(b"bytes\n")
        assert os.read(reading, 100) == b"bytes\n"


def test_what_no_encoding_takes_is_escaped() -> None:
    with streams() as (_, reading):
        print("\ud800é")
        assert os.read(reading, 100) == "\\ud800é\n".encode()


def test_a_stream_says_what_it_is() -> None:
    with streams():
        assert sys.stdout.fileno() == 1
        assert sys.stderr.fileno() == 2
        assert not sys.stdout.isatty()
