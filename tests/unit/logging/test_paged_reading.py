"""Pages of log files: together they have every wanted line once, whatever becomes of the files in between."""

import time
from pathlib import Path

import msgspec
import pytest

from gatepost.logging.archive import closed_name, tend
from gatepost.logging.paged_reading import BLOCK_BYTES, LogPlace, read_page
from gatepost.logging.reading import LineFilter, last_lines

EVERYTHING = LineFilter()


def lines(start: int, end: int, *, length: int = 0) -> list[bytes]:
    """Lines with these numbers, every third an error."""
    return [
        msgspec.json.encode(
            {
                "time": f"2026-12-01T10:{number // 60 % 60:02}:{number % 60:02}.000Z",
                "level": "error" if number % 3 == 0 else "info",
                "category": "application",
                "event": f"{number}{'.' * length}",
            }
        )
        + b"\n"
        for number in range(start, end)
    ]


def write(folder: Path, found: list[bytes]) -> None:
    """Append to the file that is written."""
    with (folder / "combined.log").open("ab") as file:
        file.write(b"".join(found))


def close(folder: Path) -> Path:
    """Close that file, as the log does when it is large."""
    closed = folder / closed_name("combined", time.time())
    (folder / "combined.log").rename(closed)
    (folder / "combined.log").touch()
    return closed


def paged(folder: Path, wanted: LineFilter, size: int, **options: int) -> list[bytes]:
    """All lines, page by page."""
    found: list[bytes] = []
    page = read_page(folder, wanted, size, **options)
    for _ in range(5000):
        found = page.lines + found
        if page.before is None:
            return found
        page = read_page(folder, wanted, size, before=LogPlace.parse(str(page.before)), **options)
    raise AssertionError("there is no last page")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A compressed file, a closed one, and one that is written."""
    write(tmp_path, lines(0, 500))
    close(tmp_path)
    tend(tmp_path, 10**9)
    write(tmp_path, lines(500, 900))
    close(tmp_path)
    write(tmp_path, lines(900, 1000))
    return tmp_path


@pytest.mark.parametrize("size", [1, 7, 100, 999, 1000, 1001, 5000])
@pytest.mark.parametrize("wanted", [EVERYTHING, LineFilter(level="warning"), LineFilter(request_id="none")])
def test_pages_have_every_wanted_line_once(folder: Path, size: int, wanted: LineFilter) -> None:
    assert paged(folder, wanted, size) == last_lines(folder, wanted, 10_000)


@pytest.mark.parametrize("bytes_max", [1, 1000, 30_000])
def test_a_page_that_may_do_little_says_where_to_go_on(folder: Path, bytes_max: int) -> None:
    wanted = LineFilter(level="warning")
    first = read_page(folder, wanted, 1000, bytes_max=bytes_max)
    assert len(first.lines) < 334
    assert first.before is not None
    assert paged(folder, wanted, 1000, bytes_max=bytes_max) == last_lines(folder, wanted, 10_000)


def test_a_file_that_is_closed_and_compressed_between_two_pages_is_read_on(folder: Path) -> None:
    first = read_page(folder, EVERYTHING, 30)
    write(folder, lines(1000, 1010))
    close(folder)
    write(folder, lines(1010, 1020))
    assert first.before is not None
    second = read_page(folder, EVERYTHING, 30, before=first.before)
    tend(folder, 10**9)
    assert second.before is not None
    third = read_page(folder, EVERYTHING, 30, before=second.before)
    assert third.lines + second.lines + first.lines == lines(910, 1000)
    assert read_page(folder, EVERYTHING, 100, after=first.newest).lines == lines(1000, 1020)


def test_what_is_new_is_read_alone(folder: Path) -> None:
    newest = read_page(folder, EVERYTHING, 1).newest
    nothing = read_page(folder, EVERYTHING, 10, after=newest)
    assert (nothing.lines, nothing.before) == ([], None)
    write(folder, lines(1000, 1050))
    new = read_page(folder, EVERYTHING, 100, after=newest)
    assert (new.lines, new.before) == (lines(1000, 1050), None)
    some = read_page(folder, EVERYTHING, 20, after=newest)
    assert some.lines == lines(1030, 1050)
    assert some.before is not None
    assert read_page(folder, EVERYTHING, 100, before=some.before, after=newest).lines == lines(1000, 1030)


def test_places_in_files_that_are_gone_lead_to_what_is_left(folder: Path) -> None:
    before_all = LogPlace(1, 0)
    assert read_page(folder, EVERYTHING, 10, before=before_all).lines == []
    assert read_page(folder, EVERYTHING, 2000, after=before_all).lines == lines(0, 1000)
    for path in folder.glob("combined-*"):
        path.unlink()
    assert read_page(folder, EVERYTHING, 2000, after=before_all).lines == lines(900, 1000)
    (folder / "combined.log").unlink()
    assert read_page(folder, EVERYTHING, 10)[:2] == ([], None)


def test_lines_longer_than_a_block_are_whole(tmp_path: Path) -> None:
    found = lines(0, 5, length=BLOCK_BYTES * 2) + lines(5, 10)
    write(tmp_path, found)
    assert paged(tmp_path, EVERYTHING, 3) == found


def test_a_file_of_others_makes_no_page_endless(tmp_path: Path) -> None:
    (tmp_path / "combined.log").write_bytes(b"x" * 3_000_000 + b"\n" + b"".join(lines(0, 3)))
    assert paged(tmp_path, EVERYTHING, 2)[-3:] == lines(0, 3)
    assert read_page(tmp_path, LineFilter(level="warning"), 10).before is None


def test_what_is_older_than_wanted_is_not_read(tmp_path: Path) -> None:
    write(tmp_path, lines(0, 3000))
    wanted = LineFilter(level="warning", since="2026-12-01T10:49:00")
    page = read_page(tmp_path, wanted, 1000, bytes_max=100_000)
    assert page.lines == [line for line in lines(2940, 3000) if b'"error"' in line]
    assert page.before is None


@pytest.mark.parametrize("text", ["", "1", "1-2-3", "-1-2", "1-x", "\uff19-9", "1" * 30 + "-1", "1-2\n"])
def test_other_texts_are_no_places(text: str) -> None:
    with pytest.raises(ValueError, match="is not a place"):
        LogPlace.parse(text)
