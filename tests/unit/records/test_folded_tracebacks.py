"""Tracebacks show the frames of the application, and count those of libraries."""

import functools
import re
import traceback
from collections.abc import Callable

import pytest

from gatepost.records.folded_tracebacks import folded, own_files_of


def find(number: int) -> None:
    raise KeyError(f'order {number}\n  File "looks/like/a/frame.py", line 1, in evil')


def sort_by_library() -> None:
    functools.reduce(lambda one, other: find(1) or one, [1, 2])
    re.sub("a", lambda match: find(2) or "", "a")


def caused() -> None:
    try:
        re.sub("a", lambda match: find(3) or "", "a")
    except KeyError as error:
        raise LookupError("no order") from error


def recursive(depth: int) -> None:
    recursive(depth - 1)


def of_library() -> None:
    re.compile("(")


def caught(work: Callable[[], object]) -> BaseException:
    try:
        work()
    except Exception as error:
        return error
    raise AssertionError("it raised nothing")


def text_of(error: BaseException) -> str:
    return "".join(traceback.format_exception(error)).rstrip()


def test_frames_of_libraries_are_counted() -> None:
    error = caught(caused)
    own = own_files_of(error)
    assert own == [__file__]
    shown = folded(text_of(error), own, "; --full")
    assert shown.count(f'File "{__file__}"') == text_of(error).count(f'File "{__file__}"')
    assert "re/__init__.py" not in shown
    assert "... 1 frame of libraries; --full" in shown
    assert "The above exception was the direct cause" in shown
    assert shown.endswith("LookupError: no order")
    assert shown.index("raise KeyError") < shown.index("raise LookupError")


def test_without_frames_of_the_application_the_last_ones_are_shown() -> None:
    error = caught(of_library)
    shown = folded(text_of(error), [])
    assert shown.startswith("Traceback (most recent call last):")
    assert shown.count("  File ") == 3
    assert "frames of libraries" in shown
    assert "error: missing )" in shown.splitlines()[-1]


@pytest.mark.parametrize("work", [lambda: recursive(10_000), caused, sort_by_library, of_library])
def test_with_all_files_nothing_is_left_out(work: Callable[[], object]) -> None:
    text = text_of(caught(work))
    files = set(re.findall(r'File "([^"]+)"', text))
    assert folded(text, files) == text


def test_a_group_of_exceptions_keeps_its_messages() -> None:
    error = ExceptionGroup("several", [caught(of_library), caught(lambda: find(7))])
    shown = folded(text_of(error), own_files_of(error))
    for words in ("several (2 sub-exceptions)", "missing ), unterminated", "'order 7"):
        assert words in shown


@pytest.mark.parametrize("text", ["", "KeyError: gone", "  File", "Traceback (most recent call last):"])
def test_what_is_no_traceback_stays_as_it_is(text: str) -> None:
    assert folded(text, []) == text
