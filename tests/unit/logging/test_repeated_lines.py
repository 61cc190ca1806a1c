"""Equal security lines: the first is written, the others are counted, and nobody fills the memory."""

import pytest

from gatepost.events import LimitExceeded
from gatepost.logging.repeated_lines import RepeatedLines


class Clock:
    """A clock that stands until it is moved."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def seen(repeated: RepeatedLines, written: list[tuple[str, int]], *keys: str) -> list[bool]:
    """Whether each event of these clients is to be written; counts go to `written`."""

    def write_count(event: LimitExceeded, count: int) -> None:
        written.append((event.key, count))

    return [repeated.is_first(LimitExceeded(limit="api", key=key), write_count) for key in keys]  # type: ignore[arg-type]


def counting(clock: Clock) -> RepeatedLines:
    """Lines that somebody sweeps."""
    repeated = RepeatedLines(clock)
    repeated.is_counting = True
    return repeated


def test_the_first_of_equal_lines_is_written_and_the_others_are_counted_every_ten_seconds() -> None:
    clock, written = Clock(), list[tuple[str, int]]()
    repeated = counting(clock)
    assert seen(repeated, written, "a", "b", "a", "a") == [True, True, False, False]
    clock.now += 9
    repeated.sweep()
    assert written == []
    clock.now += 2
    repeated.sweep()
    assert written == [("a", 2)]
    assert seen(repeated, written, "a", "b") == [False, True]
    clock.now += 11
    repeated.sweep()
    assert written == [("a", 2), ("a", 1)]


def test_what_is_counted_is_written_at_the_end() -> None:
    written = list[tuple[str, int]]()
    repeated = counting(Clock())
    seen(repeated, written, "a", "a", "b")
    repeated.sweep(is_last=True)
    assert written == [("a", 1)]


def test_beyond_so_many_different_lines_each_is_written(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gatepost.logging.repeated_lines.KEYS_MAX", 2)
    assert seen(counting(Clock()), [], "a", "b", "c", "c") == [True, True, True, True]


def test_nothing_is_counted_where_nobody_sweeps() -> None:
    assert seen(RepeatedLines(Clock()), [], "a", "a") == [True, True]
