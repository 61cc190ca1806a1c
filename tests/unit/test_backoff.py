"""Pauses between tries grow up to a bound; an open circuit is tried again after each, and closed by a success."""

from itertools import pairwise

import pytest

from gatepost.backoff import Backoff, CircuitBreaker


class Clock:
    """A clock that stands still until it is told to go on."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def the_most(_least: float, most: float) -> float:
    return most


def the_least(least: float, _most: float) -> float:
    return least


def pauses(backoff: Backoff, count: int) -> list[float]:
    return [backoff.next_pause() for _ in range(count)]


def test_each_pause_is_twice_the_one_before_up_to_the_longest() -> None:
    assert pauses(Backoff(0.5, 5.0, uniform=the_most), 6) == [0.5, 1.0, 2.0, 4.0, 5.0, 5.0]


def test_the_first_pause_can_be_none_at_all() -> None:
    assert pauses(Backoff(0.5, 2.0, is_first_immediate=True, uniform=the_most), 5) == [0.0, 0.5, 1.0, 2.0, 2.0]


def test_chance_takes_away_half_of_a_pause_at_most_and_nothing_where_it_is_told_so() -> None:
    assert pauses(Backoff(1.0, 4.0, uniform=the_least), 4) == [0.5, 1.0, 2.0, 2.0]
    assert pauses(Backoff(1.0, 4.0, uniform=the_least, jitter=0.0), 4) == [1.0, 2.0, 4.0, 4.0]


def test_those_that_failed_together_do_not_come_back_together() -> None:
    drawn = sorted(Backoff(1.0, 4.0).next_pause() for _ in range(50))
    assert 0.5 <= drawn[0] < drawn[-1] <= 1.0
    assert all(earlier < later for earlier, later in pairwise(drawn))


def test_a_success_ends_a_series() -> None:
    backoff = Backoff(1.0, 8.0, uniform=the_most)
    pauses(backoff, 3)
    backoff.reset()
    assert pauses(backoff, 2) == [1.0, 2.0]


@pytest.mark.parametrize(("seconds", "pause"), [(30.0, 4.0), (30.5, 1.0)])
def test_a_series_ends_where_nothing_fails_for_long_enough_after_a_pause(seconds: float, pause: float) -> None:
    clock = Clock()
    backoff = Backoff(1.0, 8.0, calm_seconds=30.0, clock=clock, uniform=the_most)
    pauses(backoff, 2)
    clock.now += 2.0 + seconds
    assert backoff.next_pause() == pause


def breaker(clock: Clock) -> CircuitBreaker:
    return CircuitBreaker(Backoff(1.0, 4.0, clock=clock, uniform=the_most), clock)


def test_the_first_failure_opens_a_circuit_and_a_success_closes_it() -> None:
    clock = Clock()
    circuit = breaker(clock)
    assert (circuit.is_open, circuit.pause, circuit.record_success()) == (False, 0.0, None)

    assert circuit.record_failure()
    clock.now += 0.25
    assert (circuit.is_open, circuit.pause) == (True, 0.75)

    clock.now += 1.0
    assert circuit.pause == 0.0
    assert circuit.record_success() == 1.25
    assert (circuit.is_open, circuit.pause) == (False, 0.0)


def test_further_failures_are_no_news_and_make_the_pauses_longer() -> None:
    clock = Clock()
    circuit = breaker(clock)
    assert [circuit.record_failure() for _ in range(3)] == [True, False, False]
    assert circuit.pause == 4.0


def test_a_circuit_that_opens_again_begins_a_new_series() -> None:
    circuit = breaker(Clock())
    for _ in range(3):
        circuit.record_failure()
    circuit.record_success()
    circuit.record_failure()
    assert circuit.pause == 1.0


def test_a_failure_may_have_begun_before_it_was_found() -> None:
    clock = Clock()
    circuit = breaker(clock)
    circuit.record_failure(since=clock.now - 2.0)
    clock.now += 3.0
    assert circuit.record_success() == 5.0
