import re
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatepost.gateway.buckets import SHARED_COUNT, Buckets, Rule
from gatepost.gateway.limiter import Admission, RuleSet
from gatepost.limits import RateLimit

SECOND = 1_000_000_000


def figures(rule: Rule, lack: int) -> tuple[int, int]:
    """Whole tokens left, and whole seconds until the bucket is full, as the headers state them."""
    _, (_, value) = Admission(RuleSet((rule,)), "a", (lack,)).headers()
    left, seconds = re.findall(rb"[rt]=(\d+)", value)
    return int(left), int(seconds)


class Clock:
    def __init__(self) -> None:
        self.now = 123 * SECOND

    def __call__(self) -> int:
        return self.now


class ExactBucket:
    """The definition of a token bucket, in fractions."""

    def __init__(self, limit: RateLimit) -> None:
        self.capacity = limit.capacity
        self.rate = Fraction(limit.count) / (round(limit.per * SECOND))
        self.tokens = Fraction(limit.capacity)
        self.at = 0

    def refill(self, now: int) -> None:
        self.tokens = min(Fraction(self.capacity), self.tokens + (now - self.at) * self.rate)
        self.at = now


limits = st.builds(
    RateLimit,
    st.integers(1, 7),
    st.sampled_from([0.000_001, 0.3, 1.0, 7.0, 900.0]),
    st.one_of(st.none(), st.integers(1, 9)),
)
steps = st.lists(
    st.tuples(st.sampled_from(["take", "take", "take", "give back"]), st.sampled_from("ab"), st.integers(0, 3 * SECOND))
)


@given(st.lists(limits, min_size=1, max_size=3), steps)
def test_buckets_equal_an_exact_model(declared: list[RateLimit], asked: list[tuple[str, str, int]]) -> None:
    clock = Clock()
    buckets = Buckets(clock)
    rules = [buckets.rule(f"rule {number}", limit) for number, limit in enumerate(declared)]
    model = {key: [ExactBucket(limit) for limit in declared] for key in "ab"}
    taken: list[str] = []
    for what, key, pause in asked:
        clock.now += pause
        for exact in model[key]:
            exact.refill(clock.now)
        if what == "take":
            refused = [rule for rule, exact in zip(rules, model[key], strict=True) if exact.tokens < 1]
            outcome = buckets.take(rules, key)
            assert outcome is refused[0] if refused else isinstance(outcome, tuple)
            if not refused:
                taken.append(key)
                for exact in model[key]:
                    exact.tokens -= 1
        elif taken:
            given_back = taken.pop()
            for exact in model[given_back]:
                exact.refill(clock.now)
                exact.tokens = min(Fraction(exact.capacity), exact.tokens + 1)
            buckets.give_back(rules, given_back)
        for rule, exact in zip(rules, model[key], strict=True):
            remaining, _ = figures(rule, rule.lack(key, clock.now))
            assert remaining == exact.tokens.__floor__()


def test_no_stretch_of_time_admits_more_than_a_full_bucket_and_its_refill() -> None:
    rule = Rule("x", RateLimit(10, per=1.0))
    admitted = [moment for moment in range(0, 5 * SECOND, SECOND // 97) if rule.take("a", moment) >= 0]
    for first, start in enumerate(admitted):
        for last in range(first, len(admitted)):
            assert last - first + 1 <= 10 + 10 * (admitted[last] - start) / SECOND


def test_a_refused_request_takes_nothing_and_says_when_to_come_again() -> None:
    rule = Rule("x", RateLimit(2, per=10.0))
    assert rule.take("a", 0) > 0
    assert rule.take("a", 0) > 0
    for _ in range(100):
        assert rule.take("a", 4 * SECOND) == -1
    assert rule.seconds_to_token(rule.lack("a", 4 * SECOND)) == 1
    assert rule.take("a", 5 * SECOND - 1) == -1
    assert rule.take("a", 5 * SECOND) > 0


def test_all_or_none_is_taken_over_several_rules() -> None:
    clock = Clock()
    buckets = Buckets(clock)
    wide, narrow = buckets.rule("wide", RateLimit(10, per=60.0)), buckets.rule("narrow", RateLimit(1, per=60.0))
    buckets.take([wide, narrow], "a")
    assert buckets.take([wide, narrow], "a") is narrow
    assert figures(wide, wide.lack("a", clock.now))[0] == 9


def test_buckets_that_are_full_again_are_forgotten() -> None:
    rule = Rule("x", RateLimit(10, per=10.0))
    for number in range(1000):
        rule.take(f"key {number}", number * SECOND)
    assert len(rule) < 5


def test_a_flood_of_keys_stays_bounded_and_resets_nobody() -> None:
    rule = Rule("x", RateLimit(2, per=900.0), keys_max=500)
    rule.take("victim", 0)
    rule.take("victim", 0)
    assert rule.take("victim", 0) == -1
    for number in range(50_000):
        rule.take(f"flood {number}", number)
    assert len(rule) <= 500 + SHARED_COUNT
    assert rule.take("victim", 50_000) == -1


def test_a_key_that_came_during_a_flood_gets_no_second_bucket_behind_it() -> None:
    rule = Rule("x", RateLimit(3, per=900.0), keys_max=1)
    rule.take("first", 0)
    latecomer = [rule.take("late", 0) for _ in range(4)]
    assert latecomer[3] == -1
    # 300 s later "first" is full and forgotten, so there is room; "late" has one token again and not three.
    moment = 301 * SECOND
    rule.take("third", moment)
    assert [rule.take("late", moment) >= 0 for _ in range(3)] == [True, False, False]


@pytest.mark.parametrize("count", [1, 100, 1_000_000])
def test_the_figures_of_a_fresh_bucket_are_one_token_less(count: int) -> None:
    rule = Rule("x", RateLimit(count, per=900.0))
    remaining, seconds = figures(rule, rule.take("a", 0))
    assert remaining == count - 1
    assert seconds == -(-900 // count)
