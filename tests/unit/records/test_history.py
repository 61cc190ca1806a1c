"""Steps of the history: what was counted is what is read, over kills, over merges, and in the room that there is."""

import os
import random
from collections import Counter
from collections.abc import Sequence
from statistics import quantiles

import pytest

from gatepost.metrics import families
from gatepost.metrics.buckets import bucket_of, percentile
from gatepost.metrics.region import Labels
from gatepost.metrics.sums import Histogram, Numbers, Sums
from gatepost.records.history import SLOT_BYTES, HistoryRing, KeptStep
from gatepost.records.last_look import load_look, look_at, save_look
from gatepost.records.snapshots import Snapshot
from gatepost.records.step_decoding import decoded, opened
from gatepost.records.step_encoding import encoded
from gatepost.records.step_fitting import fitted
from gatepost.records.steps import Gauge, Step, difference, merged
from gatepost.shared_files import shared_file

SECONDS = families.REQUEST_SECONDS.name
BYTES = families.RESPONSE_BYTES.name
SIZE = 20 * SLOT_BYTES


def of(operation: str, status: str = "2xx") -> Labels:
    return (("operation", operation), ("class", status))


def histogram(*values: float) -> Histogram:
    """One that has these values."""
    return Histogram(Counter(map(bucket_of, values)), sum(values))


def step_of(values: Sequence[float], since: float = 0.0, operation: str = "scrolls.list") -> Step:
    return difference(Sums(), Sums({}, {SECONDS: {of(operation): histogram(*values)}}), since, since + 10)


def test_a_step_has_what_was_counted_between_two_looks() -> None:
    before = Sums({BYTES: {of("a"): 7}}, {SECONDS: {of("a"): histogram(0.1, 0.2), of("b"): histogram(1)}})
    numbers: Numbers = {
        BYTES: {of("a"): 1007},
        families.POOL_IN_USE.name: {(("pid", "1"),): 3, (("pid", "2"),): 4},
        families.LOOP_LAG.name: {(("pid", "1"),): 0.25, (("pid", "2"),): 0.125},
        families.BEAT.name: {(("pid", "1"),): 1.7e9},
    }
    after = Sums(
        numbers,
        {SECONDS: {of("a"): histogram(0.1, 0.2, 0.2, 3), of("b"): histogram(1), of("c"): histogram(5)}},
    )
    step = difference(before, after, 100.0, 110.0)
    assert step.histograms[SECONDS].keys() == {of("a"), of("c")}
    assert step.histograms[SECONDS][of("a")].counts == {bucket_of(0.2): 1, bucket_of(3): 1}
    assert step.histograms[SECONDS][of("a")].seconds == pytest.approx(3.2)
    assert step.counters == {BYTES: {of("a"): 1000}}
    assert step.gauges == {
        families.POOL_IN_USE.name: {(): Gauge(1, 7, 7)},
        families.LOOP_LAG.name: {(): (1, 0.25, 0.25)},
    }
    back = decoded(encoded(step))
    assert (back.since, back.until, back.gauges) == (100.0, 110.0, step.gauges)
    assert back.histograms[SECONDS][of("a")].counts == step.histograms[SECONDS][of("a")].counts
    assert back.histograms[SECONDS][of("a")].seconds == pytest.approx(3.2, rel=0.003)
    assert back.counters[BYTES][of("a")] == pytest.approx(1000, rel=0.003)
    opened_step = opened(encoded(step))
    assert [values for values, _ in opened_step.counters(BYTES)] == [("a", "2xx")]
    assert list(opened_step.histograms("gatepost_nothing")) == []


def test_percentiles_of_two_unlike_instances_are_those_of_all_requests() -> None:
    random.seed(7)
    fast = [random.lognormvariate(-5, 0.4) for _ in range(20_000)]
    slow = [random.lognormvariate(-1, 0.9) for _ in range(3_000)]
    steps = [step_of(fast[start : start + 1000], start / 100) for start in range(0, len(fast), 1000)]
    steps += [step_of(slow[start : start + 100], start / 10) for start in range(0, len(slow), 100)]
    # As the database keeps them: encoded, by tens, and then all.
    tens = [
        decoded(encoded(merged(map(decoded, map(encoded, steps[at : at + 10]))))) for at in range(0, len(steps), 10)
    ]
    together = merged(tens).histograms[SECONDS][of("scrolls.list")]
    assert together.observations == len(fast) + len(slow)
    exact = quantiles(fast + slow, n=100)
    for percent in (50, 90, 95, 99):
        assert percentile(together.buckets, percent) == pytest.approx(exact[percent - 1], rel=0.05)


def test_gauges_of_several_steps_have_their_mean_and_their_most() -> None:
    name = families.POOL_IN_USE.name
    steps = [
        difference(Sums(), Sums({name: {(("pid", "1"),): value}}), at, at + 10)
        for at, value in ((0, 2), (10, 9), (20, 1))
    ]
    together = decoded(encoded(merged(steps)))
    assert (together.since, together.until, together.gauges) == (0, 30, {name: {(): Gauge(3, 12, 9)}})


def test_where_there_is_no_room_the_rare_ones_are_added_up_and_nothing_is_lost() -> None:
    random.seed(3)
    found = Sums()
    for number in range(400):
        labels = of(f"resource{number:03}.list")
        found.histograms[SECONDS][labels] = histogram(*(random.random() for _ in range(1 + 4000 // (1 + number))))
        found.numbers[BYTES][labels] = random.randint(1, 10**6)
    found.histograms[SECONDS][of("resource399.list", "5xx")] = histogram(0.5)
    step = difference(Sums(), found, 0, 10)
    data = fitted(step, 2500)
    assert len(data) <= 2500 < len(encoded(step))
    back = decoded(data)
    assert back.left_out > 100
    assert back.histograms[SECONDS].keys() >= {of("resource000.list"), of("other"), of("resource399.list", "5xx")}
    counts = [sum(histogram.observations for histogram in each.histograms[SECONDS].values()) for each in (step, back)]
    assert counts[0] == counts[1]
    assert sum(back.counters[BYTES].values()) == pytest.approx(sum(step.counters[BYTES].values()), rel=0.003)
    assert len(fitted(step, 200)) <= 200


def test_bytes_that_are_no_step_are_refused() -> None:
    data = encoded(step_of([0.1]))
    for other in (b"", b"something else", data[:-3], data + b"x" * 9, encoded(step_of([]))[:9]):
        with pytest.raises(ValueError, match=r".+"):
            decoded(other)


def kept(number: int) -> KeptStep:
    data = random.Random(number).randbytes(100 + number)
    return KeptStep(number, number * 10.0, number * 10.0 + 10, data)


def test_the_ring_keeps_the_last_ones_and_is_read_by_time() -> None:
    descriptor = shared_file("history", SIZE)
    ring = HistoryRing(descriptor, SIZE)
    assert (ring.last, list(ring.steps(0, 1e12))) == (0, [])
    for number in range(1, 31):
        ring.write(kept(number))
    again = HistoryRing(descriptor, SIZE)
    assert again.last == 30
    assert list(again.steps(0, 1e12)) == [kept(number) for number in range(11, 31)]
    assert list(again.steps(205, 230)) == [kept(20), kept(21), kept(22)]
    assert list(again.steps(310, 1e12)) == []
    again.write(KeptStep(30, 300.0, 317.0, b"anew"))
    assert list(again.steps(300, 1e12)) == [KeptStep(30, 300.0, 317.0, b"anew")]
    with pytest.raises(ValueError, match="of a slot"):
        ring.write(KeptStep(31, 0.0, 1.0, bytes(SLOT_BYTES)))


def test_a_kill_in_the_middle_of_a_step_leaves_all_others() -> None:
    descriptor = shared_file("history", SIZE)
    ring = HistoryRing(descriptor, SIZE)
    for number in range(1, 26):
        ring.write(kept(number))
    before = os.pread(descriptor, SIZE, 0)
    ring.write(kept(26))
    after = os.pread(descriptor, SIZE, 0)
    random.seed(1)
    for _ in range(30):
        torn = bytes(new if random.random() < 0.5 else old for old, new in zip(before, after, strict=True))
        os.pwrite(descriptor, torn, 0)
        found = list(HistoryRing(descriptor, SIZE).steps(0, 1e12))
        assert [kept(number) for number in range(7, 26)] == [step for step in found if step.number not in {6, 26}]


def test_a_file_of_something_else_is_an_empty_ring() -> None:
    descriptor = shared_file("history", SIZE)
    os.pwrite(descriptor, random.Random(2).randbytes(SIZE), 0)
    ring = HistoryRing(descriptor, SIZE)
    assert (ring.last, list(ring.steps(0, 1e12))) == (0, [])


def test_a_look_is_found_again_by_the_next_monitor() -> None:
    file = Snapshot(shared_file("look", 2048), 2048)
    assert load_look(file) is None
    found = Sums({BYTES: {of("a"): 7.5}}, {SECONDS: {of("a"): histogram(0.1, 0.2)}})
    save_look(file, look_at(found, 3, 1234.5))
    look = load_look(file)
    assert look is not None
    assert (look.number, look.at, look.sums) == (3, 1234.5, found)
    chance = random.Random(1)
    many = Sums({}, {SECONDS: {of(f"resource{number}"): histogram(chance.random()) for number in range(1000)}})
    save_look(file, look_at(many, 4, 1244.5))
    look = load_look(file)
    assert look is not None
    assert (look.number, look.at, look.sums) == (4, 1244.5, None)
