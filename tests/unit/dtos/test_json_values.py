"""What the bounds of documents cost: not more for one document than for another of its length."""

import time
from collections.abc import Callable

from gatepost.dtos.json_values import BOUNDS, NumberReader

LENGTH = 500_000


def seconds(run: Callable[[], object]) -> float:
    """The least time of this process that a call takes."""
    found: list[float] = []
    for _ in range(3):
        before = time.process_time()
        run()
        found.append(time.process_time() - before)
    return min(found)


def test_long_runs_of_digits_cost_what_short_ones_cost() -> None:
    reader = NumberReader(BOUNDS)
    short, long = (b"x".join([b"9" * run] * (LENGTH // run)) for run in (99, 999))
    assert reader.is_within(short)
    assert reader.is_within(long)
    assert seconds(lambda: reader.is_within(long)) < 4 * seconds(lambda: reader.is_within(short))


def test_a_run_of_digits_is_found_wherever_it_stands() -> None:
    reader = NumberReader(BOUNDS)
    for before in (b"", b"x", b"9" * 999 + b"x"):
        assert not reader.is_within(before + b"9" * 1000)
        assert not reader.is_within(before + b"9" * 1001 + b"x")
