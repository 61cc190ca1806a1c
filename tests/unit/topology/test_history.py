"""What a history of attempts says of the rows that are there."""

import asyncio

import pytest

from gatepost.testing.topology import Attempt, History

CREATED = (201, None)
REFUSED = (503, "database_unavailable")
UNKNOWN = (503, "outcome_unknown")
CUT_OFF = (0, "cut off")
NOT_SENT = (0, "not sent")
NO_INSTANCE = (503, "balancer_no_instance")
LOST = (502, "balancer_response_lost")
OF_ANOTHER = (500, None)


def history_of(*outcomes: tuple[int, str | None], key: str | None = "a") -> History:
    made = History()
    for moment, (status, code) in enumerate(outcomes):
        made.add(Attempt(0, key, moment, moment + 0.5, status, code))
    return made


@pytest.mark.parametrize(
    ("outcomes", "rows", "lost", "doubled"),
    [
        ([CREATED], 1, False, False),
        ([CREATED], 0, True, False),
        ([CREATED], 2, False, True),
        ([REFUSED], 0, False, False),
        ([REFUSED], 1, False, True),
        ([REFUSED, CREATED], 1, False, False),
        ([REFUSED, CREATED], 2, False, True),
        ([NOT_SENT, NO_INSTANCE, CREATED], 2, False, True),
        ([UNKNOWN], 0, False, False),
        ([UNKNOWN], 1, False, False),
        ([UNKNOWN], 2, False, True),
        ([CUT_OFF], 1, False, False),
        ([LOST], 1, False, False),
        ([OF_ANOTHER], 1, False, False),
        ([UNKNOWN, CREATED], 2, False, False),
        ([UNKNOWN, CREATED], 0, True, False),
    ],
)
def test_the_rows_are_judged(outcomes: list[tuple[int, str | None]], rows: int, *, lost: bool, doubled: bool) -> None:
    verdict = history_of(*outcomes).verdict(["a"] * rows)
    assert (verdict.lost == ["a"], verdict.doubled == ["a"]) == (lost, doubled)


def test_a_verdict_on_nothing_does_not_hold() -> None:
    assert not history_of(REFUSED).verdict([]).holds
    assert history_of(CREATED).verdict(["a", "of another run"]).holds


def test_a_verdict_names_the_keys() -> None:
    assert str(history_of(CREATED, UNKNOWN).verdict([])) == "1 writes acknowledged, 1 unknown; 1 lost (a); 0 doubled"


def test_the_longest_time_without_a_write_is_known() -> None:
    assert history_of(CREATED, REFUSED, REFUSED, CREATED, CREATED).gap_seconds == 3


async def test_what_does_not_come_is_said_with_what_came() -> None:
    history = History()
    asyncio.get_running_loop().call_later(0.01, history.add, Attempt(0, "a", float("inf"), 0, *REFUSED))
    with pytest.raises(AssertionError, match="database_unavailable"):
        await history.acknowledges(1, seconds=0.2)
    with pytest.raises(AssertionError, match="nobody saw outcome_unknown"):
        await history.sees("outcome_unknown", seconds=0.01)
