import asyncio
import re
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatepost.declaring.rate_limits import RateLimit
from gatepost.gateway.buckets import BucketSpec, BucketTable, LocalBuckets, TakeRefused
from gatepost.gateway.buckets.local import LocalGroup
from gatepost.gateway.limit_sets import LimitSet, TakenTokens

SECOND = 1_000_000_000


class Clock:
    def __init__(self) -> None:
        self.now = 123 * SECOND

    def __call__(self) -> int:
        return self.now


class Bench:
    """A table with a clock that is set by hand, and one group of rules."""

    def __init__(self, *limits: RateLimit, table: BucketTable | None = None, strict: bool = True) -> None:
        self.clock = Clock()
        self.buckets = LocalBuckets(table or BucketTable.private(16), self.clock)
        self.group: LocalGroup = self.buckets.group(
            [(f"rule {n}", limit) for n, limit in enumerate(limits)], strict=strict
        )

    def take(self, key: str = "a") -> tuple[int, ...] | TakeRefused:
        return self.group.take(key, self.clock.now)

    def admits(self, key: str = "a") -> bool:
        return not isinstance(self.take(key), TakeRefused)

    def left(self, key: str = "a") -> list[int]:
        deficits = asyncio.run(self.group.peek(key))
        return [spec.remaining(deficit)[0] for spec, deficit in zip(self.group.specs, deficits, strict=True)]


class ExactBucket:
    """The definition of a token bucket, in fractions. A token that is given back comes as far as it has not by itself:
    the bucket is as if it had not been taken, but for what has flown over since."""

    def __init__(self, limit: RateLimit) -> None:
        self.capacity = limit.capacity
        self.rate = Fraction(limit.count) / round(limit.per * SECOND)
        self.tokens = Fraction(limit.capacity)
        self.at = 0

    def refill(self, now: int) -> None:
        self.tokens = min(Fraction(self.capacity), self.tokens + (now - self.at) * self.rate)
        self.at = now

    def take(self) -> Fraction:
        """Returns when the bucket will be full."""
        self.tokens -= 1
        return self.at + (self.capacity - self.tokens) / self.rate

    def give_back(self, full_at: Fraction) -> None:
        self.tokens += max(Fraction(0), min(Fraction(1), (full_at - self.at) * self.rate))
        assert self.tokens <= self.capacity


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
    bench = Bench(*declared)
    model = {key: [ExactBucket(limit) for limit in declared] for key in "ab"}
    taken: list[tuple[str, tuple[int, ...], int, list[Fraction]]] = []
    for what, key, pause in asked:
        bench.clock.now += pause
        for exact in model[key]:
            exact.refill(bench.clock.now)
        if what == "take":
            refused = [index for index, exact in enumerate(model[key]) if exact.tokens < 1]
            outcome = bench.take(key)
            if refused:
                assert isinstance(outcome, TakeRefused)
                assert outcome.spec is bench.group.specs[refused[0]]
            else:
                assert not isinstance(outcome, TakeRefused)
                taken.append((key, outcome, bench.clock.now, [exact.take() for exact in model[key]]))
        elif taken:
            given_back, deficits, at, full_at = taken.pop()
            for exact, until in zip(model[given_back], full_at, strict=True):
                exact.refill(bench.clock.now)
                exact.give_back(until)
            bench.group.give_back(given_back, deficits, at)
        assert bench.left(key) == [exact.tokens.__floor__() for exact in model[key]]


@given(
    st.builds(RateLimit, st.integers(1, 5), st.sampled_from([1.0, 7.0]), sliding=st.just(True)),
    st.lists(st.tuples(st.booleans(), st.integers(0, 3 * SECOND)), max_size=40),
)
def test_a_sliding_limit_is_the_literal_bound(limit: RateLimit, asked: list[tuple[bool, int]]) -> None:
    bench = Bench(limit)
    admitted: list[tuple[int, tuple[int, ...]]] = []
    for gives_back, pause in asked:
        bench.clock.now += pause
        within = [moment for moment, _ in admitted if moment > bench.clock.now - limit.per * SECOND]
        outcome = bench.take()
        if len(within) >= limit.count:
            assert isinstance(outcome, TakeRefused)
            assert outcome.seconds == -(-(min(within) + int(limit.per) * SECOND - bench.clock.now) // SECOND)
            continue
        assert not isinstance(outcome, TakeRefused)
        assert bench.group.specs[0].remaining(outcome[0]) == (limit.count - len(within) - 1, int(limit.per))
        admitted.append((bench.clock.now, outcome))
        if gives_back:
            moment, deficits = admitted.pop()
            bench.group.give_back("a", deficits, moment)


def test_no_stretch_of_time_admits_more_than_a_full_bucket_and_its_refill() -> None:
    bench = Bench(RateLimit(10, per=1.0))
    admitted: list[int] = []
    for _ in range(5 * 97):
        bench.clock.now += SECOND // 97
        if bench.admits():
            admitted.append(bench.clock.now)
    for first, start in enumerate(admitted):
        for last in range(first, len(admitted)):
            assert last - first + 1 <= 10 + 10 * Fraction(admitted[last] - start, SECOND)


def test_a_token_that_has_come_back_by_itself_is_not_given_back_too() -> None:
    bench = Bench(RateLimit(1, per=1.0))
    early, at = bench.take(), bench.clock.now
    assert not isinstance(early, TakeRefused)
    bench.clock.now += 5 * SECOND
    assert bench.admits()
    bench.group.give_back("a", early, at)
    assert not bench.admits()


def test_a_refused_request_takes_nothing_and_says_when_to_come_again() -> None:
    bench = Bench(RateLimit(2, per=10.0))
    assert bench.admits()
    assert bench.admits()
    bench.clock.now += 4 * SECOND
    for _ in range(100):
        refusal = bench.take()
        assert isinstance(refusal, TakeRefused)
        assert refusal.seconds == 1
    bench.clock.now += SECOND - 1
    assert not bench.admits()
    bench.clock.now += 1
    assert bench.admits()


def test_all_or_none_is_taken_over_several_rules() -> None:
    bench = Bench(RateLimit(10, per=60.0), RateLimit(1, per=60.0))
    assert bench.admits()
    refusal = bench.take()
    assert isinstance(refusal, TakeRefused)
    assert refusal.spec is bench.group.specs[1]
    assert bench.left() == [9, 0]


def test_a_flood_of_keys_resets_nobody_and_refuses_nobody_it_need_not() -> None:
    bench = Bench(RateLimit(2, per=900.0), table=BucketTable.private(16))
    assert [bench.admits("victim") for _ in range(3)] == [True, True, False]
    for number in range(5000):  # twenty times as many as the table holds
        bench.clock.now += 1
        bench.take(f"flood {number}")
    assert not bench.admits("victim")
    bench.clock.now += 900 * SECOND
    assert sum(bench.admits(f"later {number}") for number in range(20)) == 20


def test_a_key_that_came_during_a_flood_gets_no_second_bucket_behind_it() -> None:
    bench = Bench(RateLimit(3, per=900.0), table=BucketTable.private(2))  # one set: fifteen buckets of their own
    for number in range(15):
        bench.take(f"first {number}")
    assert [bench.admits("late") for _ in range(4)] == [True, True, True, False]
    # 301 s later the first are full and forgotten, so there is room; "late" has one token again and not three.
    bench.clock.now += 301 * SECOND
    assert [bench.admits("late") for _ in range(3)] == [True, False, False]
    assert sum(bench.admits(f"other {number}") for number in range(15)) > 10  # they have buckets of their own


def test_a_bucket_can_be_filled_by_hand() -> None:
    for limit in (RateLimit(2, per=900.0), RateLimit(2, per=900.0, sliding=True)):
        bench = Bench(limit)
        assert [bench.admits() for _ in range(3)] == [True, True, False]
        asyncio.run(bench.group.refill("a"))
        assert bench.left() == [2]
        assert bench.admits()


@pytest.mark.parametrize("count", [1, 100, 1_000_000])
def test_the_figures_of_a_fresh_bucket_are_one_token_less(count: int) -> None:
    bench = Bench()
    limit_set = LimitSet(bench.buckets, [("x", RateLimit(count, per=900.0))], strict=True)
    deficits = limit_set.take("a", bench.clock.now)
    assert isinstance(deficits, tuple)
    _, (_, value) = TakenTokens(limit_set, "a", deficits, bench.clock.now).headers()
    assert re.findall(rb"[rt]=(\d+)", value) == [b"%d" % (count - 1), b"%d" % -(-900 // count)]


def test_every_limit_is_a_whole_number_of_units() -> None:
    for limit in (
        RateLimit(3, per=0.7),
        RateLimit(7, per=900.0),
        RateLimit(1_000_000, per=1.0),
        RateLimit(1, per=1e-6),
    ):
        spec = BucketSpec("x", limit)
        assert spec.units_per_token * limit.count == round(limit.per * SECOND) * spec.units_per_tick
