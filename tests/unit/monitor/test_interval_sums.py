"""Sums that are kept are those of the steps themselves, whatever was asked before and whatever came since."""

import random
from collections import Counter
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest
from tests.unit.monitor.kept_history import KeptHistory

from gatepost.events import Events
from gatepost.metrics import families
from gatepost.metrics.sums import Histogram
from gatepost.moments import shown_moment
from gatepost.monitor.heat_page import HeatPage
from gatepost.monitor.history_page import HistoryPage
from gatepost.monitor.interval_sums import IntervalSums
from gatepost.monitor.log_pages import LogPages
from gatepost.monitor.page_table import PageTable, Request
from gatepost.monitor.traffic_page import TrafficPage
from gatepost.records.records_database import RecordsAway
from gatepost.records.step_decoding import OpenedStep
from gatepost.records.steps import Gauge, Step

BEGIN = 1_790_000_000.0 // 3600 * 3600
LENGTHS = [(10,), (30,), (600, 60), (900, 60), (3600, 600, 60)]
OPERATIONS = ("books.list", "books.create", "orders.list")


class Middles:
    """The moments in the middle of the steps."""

    def __init__(self) -> None:
        self.moments: list[float] = []

    def add_step(self, step: OpenedStep) -> None:
        """Note one."""
        self.moments.append(step.middle)

    def add(self, other: "Middles") -> None:
        """Note those of another."""
        self.moments += other.moments


def step_at(since: float, chance: random.Random, seconds: float = 10.0) -> Step:
    """One with something of everything that pages show."""
    step = Step(since, since + seconds)
    for operation in OPERATIONS:
        labels = ("operation", operation), ("class", chance.choice(["2xx", "4xx", "5xx"]))
        counts = {chance.randrange(20, 200): chance.randrange(1, 9) for _ in range(3)}
        step.histograms.setdefault(families.REQUEST_SECONDS.name, {})[labels] = Histogram(counts, chance.random())
        step.counters.setdefault(families.RESPONSE_BYTES.name, {})[labels] = chance.randrange(1, 99_999)
    step.counters[families.STATEMENTS.name] = {(("statement", "books.list"),): 2.0}
    step.counters[families.LOG_LINES.name] = {(("category", "access"), ("level", "info")): chance.randrange(1, 50)}
    step.gauges[families.IN_FLIGHT.name] = {(): Gauge(1, chance.randrange(9), 3.0)}
    return step


def history_of(hours: float, chance: random.Random) -> KeptHistory:
    """Steps of ten seconds, as they are made: their ends are a little off, and some are missing."""
    found = [
        step_at(BEGIN + number * 10 + chance.uniform(0, 0.05), chance)
        for number in range(int(hours * 360))
        if chance.random() > 0.02
    ]
    return KeptHistory(found)


def middles_within(history: KeptHistory, since: float, until: float) -> list[float]:
    """Those that belong to a while, of the ring itself."""
    kept = (history.ring.read(number) for number in range(history.ring.first, history.ring.last + 1))
    middles = [(step.since + step.until) / 2 for step in kept if step]
    return sorted(middle for middle in middles if since <= middle < until)


@pytest.mark.parametrize("lengths", LENGTHS)
@pytest.mark.parametrize("kept_max", [1, 7, 500])
@pytest.mark.sampled(strength=1)
def test_every_step_of_a_while_is_in_one_piece(lengths: Sequence[int], kept_max: int) -> None:
    chance = random.Random(3)
    history = history_of(2, chance)
    sums = IntervalSums(history.ring, Middles, kept_max)
    for _ in range(30):
        since = BEGIN + chance.uniform(-600, 7200)
        until = since + chance.choice([5, 60, 900, 3600])
        pieces = list(sums.between(since, until, lengths))
        assert sorted(middle for _, piece in pieces for middle in piece.moments) == pytest.approx(
            middles_within(history, since, until), abs=0.002
        )
        for begin, piece in pieces:
            assert all(begin // lengths[0] == middle // lengths[0] for middle in piece.moments)
        if chance.random() < 0.5:  # time goes on
            newest = history.ring.read(history.ring.last)
            assert newest is not None
            history.add(step_at(newest.until, chance, chance.choice([10, 10, 400])))


def test_intervals_that_are_over_are_read_once() -> None:
    history = history_of(2, random.Random(5))
    sums = IntervalSums(history.ring, Middles, 200)
    list(sums.between(BEGIN, BEGIN + 7200, (600, 60)))
    before = Counter(history.ring.handed)
    list(sums.between(BEGIN, BEGIN + 7200, (600, 60)))
    again = history.ring.handed - before
    assert len(before) == history.ring.last
    assert set(again) <= set(range(history.ring.last - 8, history.ring.last + 1))


def test_a_clock_that_was_set_back_leaves_nothing_wrong() -> None:
    chance = random.Random(9)
    history = history_of(1, chance)
    sums = IntervalSums(history.ring, Middles, 200)
    list(sums.between(BEGIN, BEGIN + 3600, (600, 60)))
    for number in range(12):
        history.add(step_at(BEGIN + 1200 + number * 10, chance))
    for since in (0, 900, 1200, 1260):
        pieces = sums.between(BEGIN + since, BEGIN + 3600, (600, 60))
        found = sorted(middle for _, piece in pieces for middle in piece.moments)
        assert found == pytest.approx(middles_within(history, BEGIN + since, BEGIN + 3600), abs=0.002)


def pages_of(history: Any) -> PageTable:
    """The pages that add steps up, without a database."""

    def away(name: str) -> None:
        raise RecordsAway("away")

    def wait_for(coroutine: Any) -> None:
        coroutine.close()
        raise RecordsAway("away")

    table = PageTable(Events())
    settings = SimpleNamespace(log=SimpleNamespace(folder=None))
    monitored = SimpleNamespace(settings=settings, memory=None, instance="web-1")
    context: Any = SimpleNamespace(
        pages=table, monitored=monitored, database=SimpleNamespace(connection=away), wait_for=wait_for
    )
    for page in (HeatPage, TrafficPage, HistoryPage, LogPages):
        page(context, history)
    return table


@pytest.mark.parametrize("path", ["/heat", "/traffic", "/history", "/logs/histogram"])
def test_a_page_says_the_same_whether_it_was_asked_before_or_not(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    chance = random.Random(11)
    history = history_of(2.5, chance)
    now = BEGIN + 2.5 * 3600

    def moment() -> float:
        return now

    monkeypatch.setattr("time.time", moment)
    warm = pages_of(history)
    for _ in range(12):
        query = {"since": chance.choice(["15m", "1h", "6h", "24h", shown_moment(now - chance.randrange(60, 9_000))])}
        if path != "/logs/histogram" and chance.random() < 0.5:
            query["operation"] = chance.choice(OPERATIONS)
        request = Request("GET", path, "", b"", "uid 0", query)
        one, other = warm.find(request), pages_of(history).find(request)
        assert one.status == 200
        assert msgspec.json.decode(one.body) == msgspec.json.decode(other.body)
        newest = history.ring.read(history.ring.last)
        assert newest is not None
        history.add(step_at(newest.until, chance))
        now += chance.choice([5, 10, 10, 15])
