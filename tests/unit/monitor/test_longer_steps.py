"""Longer steps: what is read of them is what the steps of the ring say, whatever is missing."""

import random
from typing import Any, cast

import msgspec
import pytest
from tests.unit.monitor.kept_history import KeptHistory
from tests.unit.monitor.test_interval_sums import BEGIN, history_of, pages_of, step_at

from gatepost.monitor.longer_steps import LONGER_SECONDS, SLOT_BYTES, LongerSteps
from gatepost.monitor.page_table import Request
from gatepost.records.history import StepSlots
from gatepost.shared_files import shared_file

HOURS = 2.5


def longer_of(history: KeptHistory, slots: StepSlots | None = None) -> LongerSteps:
    """Those of a history, in slots of their own, of which none is made yet."""
    return LongerSteps(history.ring, slots or slots_of(64))


def slots_of(count: int) -> StepSlots:
    """So many, in memory."""
    size = count * SLOT_BYTES
    return StepSlots(shared_file("longer", size), size, SLOT_BYTES)


@pytest.mark.parametrize("made", [3, 1000])
@pytest.mark.parametrize("path", ["/heat", "/traffic", "/history", "/logs/histogram"])
def test_a_page_says_the_same_with_and_without_them(path: str, made: int, monkeypatch: pytest.MonkeyPatch) -> None:
    chance = random.Random(made)
    history = history_of(HOURS, chance)
    longer = longer_of(history)
    done = [longer.make_next() for _ in range(made)]
    assert sum(done) == min(made, HOURS * 3600 / LONGER_SECONDS - 2)
    now = BEGIN + HOURS * 3600
    monkeypatch.setattr("time.time", lambda: now)
    for since in ("15m", "24h", "6420s"):
        request = Request("GET", path, "", b"", "uid 0", {"since": since})
        history.longer = None
        plain = pages_of(history).find(request)
        history.longer = longer
        found = msgspec.json.decode(pages_of(history).find(request).body)
        assert rounded(found) == rounded(msgspec.json.decode(plain.body))


def rounded(found: Any) -> Any:
    """Seconds and bytes of steps are kept to 0.3 %, and those of sums as well."""
    if isinstance(found, dict):
        return {name: rounded(value) for name, value in cast("dict[str, Any]", found).items()}
    if isinstance(found, list):
        return [rounded(each) for each in cast("list[Any]", found)]
    return pytest.approx(found, rel=0.01, abs=1e-6) if isinstance(found, int | float) else found


def test_a_day_is_read_of_few_steps() -> None:
    history = history_of(HOURS, random.Random(2))
    longer = longer_of(history)
    while longer.make_next():
        pass
    history.longer = longer
    history.ring.handed.clear()
    pages_of(history).find(Request("GET", "/traffic", "", b"", "uid 0", {"since": str(BEGIN)}))
    assert sum(history.ring.handed.values()) <= 3 * LONGER_SECONDS / 10


@pytest.mark.parametrize("query", [{"since": "6h"}, {"since": "24h"}])
@pytest.mark.parametrize("path", ["/heat", "/traffic", "/logs/histogram", "/history"])
def test_hours_are_read_of_few_steps_of_the_ring(
    path: str, query: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    chance = random.Random(8)
    history = KeptHistory([step_at(BEGIN + number * 60, chance, 60.0) for number in range(25 * 60)])
    history.longer = longer = longer_of(history, slots_of(320))
    while longer.make_next():
        pass
    history.ring.handed.clear()
    monkeypatch.setattr("time.time", lambda: BEGIN + 25 * 3600.0)
    step = {"step": "5m"} if path == "/history" else {}  # as the console asks
    page = pages_of(history).find(Request("GET", path, "", b"", "uid 0", {**query, **step}))
    assert page is not None
    assert page.status == 200
    assert sum(history.ring.handed.values()) <= 40  # of 360 and 1,440: those at both ends


def test_each_is_made_once_also_after_a_restart_and_the_newest_first() -> None:
    chance = random.Random(4)
    history = history_of(1, chance)
    slots = slots_of(64)
    longer = longer_of(history, slots)
    newest = BEGIN + 3600 - 2 * LONGER_SECONDS
    assert longer.make_next()
    assert longer.find(newest) is not None
    assert longer.find(newest - LONGER_SECONDS) is None
    again = longer_of(history, slots)
    while again.make_next():
        pass
    assert again.find(BEGIN + LONGER_SECONDS) is not None
    history.ring.handed.clear()
    for number in range(70):  # time goes on, and two intervals end
        assert history.ring.last
        history.add(step_at(BEGIN + 3600 + number * 10, chance))
    assert [again.make_next() for _ in range(4)] == [True, True, True, False]
    assert again.find(BEGIN + 3600) is not None


def test_where_a_clock_was_set_back_none_is_made_or_read() -> None:
    chance = random.Random(5)
    history = history_of(1, chance)
    longer = longer_of(history)
    assert longer.make_next()
    history.add(step_at(BEGIN + 1200, chance))
    assert not longer.make_next()
    assert longer.find(BEGIN + 3600 - 2 * LONGER_SECONDS) is None


def test_what_was_not_covered_is_not_counted_as_covered() -> None:
    chance = random.Random(6)
    history = KeptHistory([step_at(BEGIN + second, chance) for second in (0, 10, 290, 300, 310, 600, 610)])
    longer = longer_of(history)
    while longer.make_next():
        pass
    step = longer.find(BEGIN + LONGER_SECONDS)
    assert step is not None
    assert step.until - step.since == pytest.approx(20)
