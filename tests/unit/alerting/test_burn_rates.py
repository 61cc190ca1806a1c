"""Objectives are judged by what the histograms of all processes say, over two windows at once, also by a
new monitor."""

from collections.abc import Mapping

from gatepost.alerting.burn_rates import BAD_MIN, burn_findings, shown_span, told_seconds
from gatepost.alerting.objective_counts import CAUSED, PAGED, STEPS, Labels, ObjectiveCounts
from gatepost.alerting.reported_objectives import JudgedObjective, judged
from gatepost.declaring.objectives import MeasuredObjective
from gatepost.metrics.buckets import bucket_of
from gatepost.metrics.sums import Histogram

NOW = 1_800_000_000.0
READS = JudgedObjective("reads", 0.999, ("books.list", "books.get"), 0.2)

Requests = Mapping[Labels, Histogram]


def histogram(*durations: tuple[float, int]) -> Histogram:
    return Histogram(
        {bucket_of(seconds): count for seconds, count in durations},
        sum(seconds * count for seconds, count in durations),
    )


def requests(good: int, failed: int = 0, slow: int = 0) -> Requests:
    """Those of an instance since its start, with others that the objective is not about."""
    return {
        (("operation", "books.list"), ("class", "2xx")): histogram((0.01, good), (0.21, slow)),
        (("operation", "books.get"), ("class", "5xx")): histogram((0.001, failed)),
        (("operation", "orders.list"), ("class", "5xx")): histogram((9.0, 1000)),
        (("operation", "books.get"), ("class", "4xx")): histogram((0.2, 1)),
    }


def firing(counts: ObjectiveCounts, now: float, scale: float = 1.0) -> set[str]:
    return {finding.name for finding in burn_findings(counts, now, scale) if finding.holds}


def counts_of(*looks: tuple[float, Requests], objective: JudgedObjective = READS) -> ObjectiveCounts:
    found = ObjectiveCounts(objective, 60.0)
    for now, seen in looks:
        found.look(seen, now, 1.0)
    return found


def test_what_fails_or_is_slow_is_bad_and_the_bound_itself_is_not() -> None:
    counts = counts_of((NOW, requests(0)), (NOW + 5, requests(100, failed=3, slow=4)))
    assert counts.within(3600, NOW + 5) == (107, 7)
    without_time = counts_of(
        (NOW, requests(0)),
        (NOW + 5, requests(100, failed=3, slow=4)),
        objective=JudgedObjective("reads", 0.999, READS.operations, None),
    )
    assert without_time.within(3600, NOW + 5) == (107, 3)


def test_the_time_is_rounded_up_to_a_bound_of_the_histograms() -> None:
    found = judged(MeasuredObjective("reads", 0.9, ("a",), 0.21))
    assert found.seconds_max == 0.215
    assert judged(MeasuredObjective("reads", 0.9, ("a",), 0.2)).seconds_max == 0.2
    assert judged(MeasuredObjective("reads", 0.9, ("a",), 100.0)).seconds_max == 100.0


def test_a_sudden_failure_is_an_alert_and_its_end_ends_it() -> None:
    counts = counts_of((NOW, requests(0)), (NOW + 5, requests(1000)), (NOW + 65, requests(1500, failed=BAD_MIN + 20)))
    assert firing(counts, NOW + 65) == {"objective:reads", "objective:reads:budget"}
    sentence = next(burn_findings(counts, NOW + 65)).sentence
    assert sentence.startswith("40 of 1540 requests (2.60%) of the objective reads failed or took longer than 0.2 s")
    assert "in the last 1 h: 26.0 times what 0.999 allows." in sentence
    counts.look(requests(2000, failed=40), NOW + 600, 1.0)
    later = next(burn_findings(counts, NOW + 600))
    assert (later.holds, "in the last 6 h" in later.sentence) == (True, True), "of the last half hour too many were bad"
    counts.look(requests(2500, failed=40), NOW + 2000, 1.0)
    assert firing(counts, NOW + 2000) == {"objective:reads:budget"}, "the last half hour is well"
    assert firing(counts, NOW + 7 * 3600) == set()


def test_few_bad_requests_are_no_alert() -> None:
    counts = counts_of((NOW, requests(0)), (NOW + 5, requests(0, failed=BAD_MIN - 1)))
    assert firing(counts, NOW + 5) == set()
    counts.look(requests(0, failed=BAD_MIN), NOW + 10, 1.0)
    assert "objective:reads" in firing(counts, NOW + 10)


def test_a_slow_burn_is_a_ticket() -> None:
    counts = counts_of((NOW, requests(0)))
    for hour in range(1, 72):
        counts.look(requests(998 * hour, failed=2 * hour), NOW + 3600 * hour, 1.0)
    assert firing(counts, NOW + 3600 * 71 + 60) == {"objective:reads:budget"}


def test_an_objective_that_allows_much_can_still_be_missed() -> None:
    loose = JudgedObjective("reads", 0.8, READS.operations, None)
    counts = counts_of((NOW, requests(0)), (NOW + 5, requests(1, failed=0)), objective=loose)
    counts.look(requests(1, failed=500), NOW + 65, 1.0)
    assert firing(counts, NOW + 65) == {"objective:reads:budget"}
    only_bad = counts_of((NOW, requests(0)), objective=loose)
    only_bad.look({(("operation", "books.get"), ("class", "5xx")): histogram((0.1, 500))}, NOW + 65, 1.0)
    assert firing(only_bad, NOW + 65) == {"objective:reads", "objective:reads:budget"}


def test_windows_can_be_scaled() -> None:
    counts = ObjectiveCounts(READS, 0.6)
    for at, seen in ((0.0, requests(0)), (1.0, requests(100, failed=50)), (2.0, requests(200, failed=50))):
        counts.look(seen, NOW + at, 1.0)
    assert "objective:reads" in firing(counts, NOW + 3, 0.01)
    counts.look(requests(300, failed=50), NOW + 25, 1.0)
    assert "objective:reads" not in firing(counts, NOW + 25, 0.01), "half an hour is 18 s"


def test_a_new_monitor_forgets_nothing_and_counts_what_came_between() -> None:
    counts = counts_of((NOW, requests(0)), (NOW + 5, requests(100, failed=10)))
    saved = counts.saved()
    assert saved is not None
    again = ObjectiveCounts(READS, 60.0, saved)
    again.look(requests(150, failed=12), NOW + 65, 1.0)
    assert again.within(3600, NOW + 65) == (162, 12)
    of_new_server = ObjectiveCounts(READS, 60.0, saved)
    of_new_server.look(requests(200, failed=12), NOW + 65, 2.0)
    assert of_new_server.within(3600, NOW + 65) == (110 + 213, 10 + 12)
    changed = ObjectiveCounts(JudgedObjective("reads", 0.99, ("books.list",), None), 60.0, saved)
    changed.look(requests(5000), NOW + 65, 1.0)
    assert changed.within(3600, NOW + 65) == (110, 10), "what other operations had is not counted at once"


def test_a_ring_holds_three_days_and_no_more() -> None:
    counts = counts_of((NOW, requests(0)), (NOW + 1, requests(7)))
    assert counts.within(STEPS * 60.0, NOW + STEPS * 60.0 - 60) == (7, 0)
    assert counts.within(STEPS * 60.0, NOW + STEPS * 60.0 + 60) == (0, 0)
    counts.look(requests(9), NOW + 30 * 86_400, 1.0)
    assert counts.within(60.0, NOW + 30 * 86_400) == (2, 0)
    counts.look(requests(10), NOW, 1.0)  # the clock was set back
    assert counts.within(60.0, NOW) == (3, 0)
    assert counts.within(60.0, NOW + 60) == (0, 0), "it goes on from there"


def test_spans_are_shown_in_their_unit() -> None:
    assert [shown_span(seconds) for seconds in (259_200, 21_600, 300, 36)] == ["3 d", "6 h", "5 min", "36 s"]


def explained(counts: ObjectiveCounts, now: float) -> dict[str, bool | None]:
    return {finding.name: finding.is_explained for finding in burn_findings(counts, now) if finding.holds}


def test_bad_requests_of_an_outage_are_explained_and_those_after_it_are_not() -> None:
    counts = counts_of((NOW, requests(0)), (NOW + 5, requests(1000)), (NOW + 65, requests(1000, failed=40)))
    assert explained(counts, NOW + 65) == {"objective:reads": False, "objective:reads:budget": False}
    counts.mark(CAUSED, NOW + 60, NOW + 65)
    assert explained(counts, NOW + 65) == {"objective:reads": True, "objective:reads:budget": True}
    again = ObjectiveCounts(READS, 60.0, counts.saved())
    assert explained(again, NOW + 65) == {"objective:reads": True, "objective:reads:budget": True}
    again.look(requests(1000, failed=60), NOW + 185, 1.0)
    assert explained(again, NOW + 185) == {"objective:reads": False, "objective:reads:budget": False}


def test_what_the_page_told_of_explains_the_ticket_alone() -> None:
    counts = counts_of((NOW, requests(0)), (NOW + 5, requests(1000)), (NOW + 65, requests(1000, failed=40)))
    assert told_seconds(counts, NOW + 65) == 6 * 3600
    counts.mark(PAGED, NOW + 65 - told_seconds(counts, NOW + 65), NOW + 65)
    assert explained(counts, NOW + 65) == {"objective:reads": False, "objective:reads:budget": True}
