"""Ranges of bytes: what a request asks for, and how several stand in one body."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatepost.controllers.byte_ranges import RANGES_MAX, ByteRange, Multipart, wanted_ranges


@pytest.mark.parametrize(
    ("header", "ranges"),
    [
        (b"bytes=0-0", [(0, 1)]),
        (b"bytes=0-9", [(0, 10)]),
        (b"bytes=3-", [(3, 10)]),
        (b"bytes=3-999999999999999999", [(3, 10)]),
        (b"bytes=-3", [(7, 10)]),
        (b"bytes=-99", [(0, 10)]),
        (b"BYTES = 1-2", [(1, 3)]),
        (b"bytes=1-2, 5-6", [(1, 3), (5, 7)]),
        (b"bytes=5-6,,1-2,", [(5, 7), (1, 3)]),
        (b"bytes=0-4,3-6", [(0, 7)]),
        (b"bytes=8-9,0-4,3-6", [(0, 7), (8, 10)]),
        (b"bytes=0-,0-,0-", [(0, 10)]),
        (b"bytes=0-1,2-3", [(0, 2), (2, 4)]),
        (b"bytes=1-2,10-", [(1, 3)]),
        (b"bytes=10-", []),
        (b"bytes=10-20,30-", []),
        (b"bytes=-0", []),
    ],
)
def test_what_is_asked_for_is_sent_as_far_as_it_is_there(header: bytes, ranges: list[tuple[int, int]]) -> None:
    assert wanted_ranges(header, 10) == ranges


@pytest.mark.parametrize(
    "header",
    [
        *(
            b"",
            b"bytes",
            b"bytes=",
            b"bytes=,",
            b"bytes=-",
            b"bytes=2-1",
            b"bytes=1-2,x",
            b"bytes=1-2-3",
            b"bytes=+1-2",
        ),
        *(b"lines=1-2", b"bytes=1.5-2", b"bytes=0x1-2", b"bytes=" + b"9" * 5000 + b"-", "bytes=٣-٤".encode()),
        b"bytes=" + b",".join(b"%d-%d" % (n, n) for n in range(0, 2 * RANGES_MAX + 2, 2)),
    ],
)
def test_what_is_not_understood_is_ignored(header: bytes) -> None:
    assert wanted_ranges(header, 1000) is None


def test_an_empty_file_has_no_ranges() -> None:
    assert wanted_ranges(b"bytes=0-", 0) is None


@given(st.lists(st.tuples(st.integers(0, 50), st.integers(0, 50)), max_size=RANGES_MAX), st.integers(1, 40))
def test_each_byte_that_is_asked_for_is_sent_once(asked: list[tuple[int, int]], length: int) -> None:
    asked = [(min(pair), max(pair)) for pair in asked]
    found = wanted_ranges(b"bytes=" + b",".join(b"%d-%d" % pair for pair in asked), length)

    sent = [place for each in found or () for place in range(each.start, each.stop)]
    assert sorted(sent) == sorted(
        {place for first, last in asked for place in range(first, last + 1) if place < length}
    )


def test_several_ranges_stand_in_parts_with_heads() -> None:
    multipart = Multipart([ByteRange(0, 2), ByteRange(8, 10)], b"text/plain", 10)
    boundary = multipart.content_type.removeprefix(b"multipart/byteranges; boundary=")
    content = b"0123456789"
    body = b"".join(
        each if isinstance(each, bytes) else content[each.start : each.stop] for each in multipart.segments()
    )

    assert body.split(b"--" + boundary)[1:] == [
        b"\r\ncontent-type: text/plain\r\ncontent-range: bytes 0-1/10\r\n\r\n01\r\n",
        b"\r\ncontent-type: text/plain\r\ncontent-range: bytes 8-9/10\r\n\r\n89\r\n",
        b"--\r\n",
    ]
