"""Log files read back: the wanted lines in their order, across closed and compressed files, and those that come."""

import contextlib
import json
import os
import threading
import time
from pathlib import Path

import pytest

from gatepost.cli.logs import moment_of, shown_line
from gatepost.errors import ConfigurationError
from gatepost.logging.archive import DAY_SECONDS, closed_files, closed_name, tend
from gatepost.logging.files import LogFiles
from gatepost.logging.lines import ERROR, ORDINARY, SECURITY
from gatepost.logging.paged_reading import read_page
from gatepost.logging.reading import LineFilter, follow, last_lines

REQUEST = {"level": "info", "category": "access", "event": "request"}


def line_of(**fields: object) -> bytes:
    """A line of the log."""
    return json.dumps({"time": "2026-11-30T20:15:22.123Z", **REQUEST, **fields}, separators=(",", ":")).encode() + b"\n"


def numbers(lines: list[bytes]) -> list[int]:
    """The field `n` of lines."""
    return [json.loads(line)["n"] for line in lines]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three files of ten lines each: one compressed, one closed, one that is written."""
    files = LogFiles(tmp_path, 10_000_000)
    for part in range(3):
        files.put([(ORDINARY, line_of(n=10 * part + number)) for number in range(10)])
        if part < 2:
            days = 2 - part
            (tmp_path / "combined.log").rename(tmp_path / closed_name("combined", time.time() - days * DAY_SECONDS))
        if part == 0:
            tend(tmp_path, 10_000_000)
    return tmp_path


def test_the_last_lines_come_from_as_many_files_as_it_takes(folder: Path) -> None:
    assert numbers(last_lines(folder, LineFilter(), 5)) == [25, 26, 27, 28, 29]
    assert numbers(last_lines(folder, LineFilter(), 12)) == list(range(18, 30))
    assert numbers(last_lines(folder, LineFilter(), 1000)) == list(range(30))


def test_a_file_that_is_compressed_between_being_found_and_being_read_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / closed_name("combined", time.time())).write_bytes(b"".join(line_of(n=number) for number in range(5)))
    found = closed_files(tmp_path)
    tend(tmp_path, 10_000_000)
    assert closed_files(tmp_path) != found
    monkeypatch.setattr("gatepost.logging.reading.closed_files", lambda folder: found)
    assert numbers(last_lines(tmp_path, LineFilter(), 10)) == [0, 1, 2, 3, 4]
    assert numbers(read_page(tmp_path, LineFilter(), 10).lines) == [0, 1, 2, 3, 4]


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        (LineFilter(category="access"), [0, 1, 2, 3]),
        (LineFilter(category="application"), [4, 5]),
        (LineFilter(level="warning"), [5]),
        (LineFilter(route="/api/books"), [0, 1]),
        (LineFilter(route="/api/books/7"), [1]),
        (LineFilter(actor="7"), [2]),
        (LineFilter(client="203.0.113.9"), [0, 3]),
        (LineFilter(client="203.0.113.0/24"), [0, 1, 3]),
        (LineFilter(client="203.0.113.9/32"), [0, 3]),
        (LineFilter(client="2001:db8::/32"), [2]),
        (LineFilter(client="203.0.113"), []),
        (LineFilter(request_id="r3"), [3, 5]),
        (LineFilter(since="2026-11-30T20:16"), [5]),
        (LineFilter(category="access", actor="7", route="/api/books"), []),
    ],
)
def test_a_filter_admits_what_it_says(tmp_path: Path, wanted: LineFilter, found: list[int]) -> None:
    lines = [
        line_of(n=0, route="/api/books", path="/api/books", client="203.0.113.9"),
        line_of(n=1, route="/api/books", path="/api/books/7", client="203.0.113.0/24"),
        line_of(n=2, actor_id=7, client="2001:db8::1"),
        line_of(n=3, request_id="r3", key="203.0.113.9"),
        line_of(n=4, category="application"),
        line_of(n=5, category="application", level="warning", request_id="r3", time="2026-11-30T20:16:00.000Z"),
        b"no JSON\n",
    ]
    LogFiles(tmp_path, 10_000_000).put([(ORDINARY, line) for line in lines])
    assert numbers(last_lines(tmp_path, wanted, 100)) == found


def test_errors_and_security_lines_are_looked_for_where_they_are_kept_longest(tmp_path: Path) -> None:
    error, security = line_of(n=1, level="error"), line_of(n=2, category="security", level="warning")
    LogFiles(tmp_path, 10_000_000).put([(ERROR, error), (SECURITY, security)])
    (tmp_path / "combined.log").write_bytes(b"")
    assert numbers(last_lines(tmp_path, LineFilter(level="error"), 10)) == [1]
    assert numbers(last_lines(tmp_path, LineFilter(category="security"), 10)) == [2]


def test_a_line_that_comes_is_followed_into_the_next_file(tmp_path: Path) -> None:
    files = LogFiles(tmp_path, 10_000_000)
    files.put([(ORDINARY, line_of(n=0))])
    seen: list[int] = []

    def read() -> None:
        with contextlib.closing(follow(tmp_path, LineFilter())) as lines:
            for line in lines:
                seen.append(json.loads(line)["n"])
                if seen[-1] == 3:
                    return

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    time.sleep(0.3)
    files.put([(ORDINARY, line_of(n=1))])
    os.utime(tmp_path / "combined.log", (time.time() - DAY_SECONDS,) * 2)
    files.put([(ORDINARY, line_of(n=2))])
    files.put([(ORDINARY, line_of(n=3))])
    reader.join(20)
    assert seen == [1, 2, 3]


def test_a_moment_is_a_span_or_a_date() -> None:
    assert moment_of("2026-11-30T20:15:22.5+01:00") == "2026-11-30T19:15:22.500Z"
    assert moment_of("90s") < moment_of("1m")
    for text in ("yesterday", "10 minutes", "", "99999999999d"):
        with pytest.raises(ConfigurationError, match=r"--since"):
            moment_of(text)


def test_no_line_can_move_the_cursor_of_who_reads_it() -> None:
    evil = "\x1b[2J\u202e\n"
    for category in ("access", "application"):
        said = shown_line(
            {"category": category, "event": evil, "path": evil, "level": evil, evil: evil, "time": evil},
            is_colourful=False,
        )
        assert said.isprintable()
