"""Since when an instance is not well, next to which change, and when it is well again."""

from collections.abc import Sequence

import msgspec
import pytest
from tests.unit.monitor.synthetic_steps import step

from gatepost.monitor.incidents import (
    TOLD_SECONDS,
    Incident,
    Incidents,
    change_before,
    is_told,
    sentence_of,
    shown_incident,
)
from gatepost.monitor.problems import problems_of
from gatepost.monitor.windows import window_of
from gatepost.monitor.workers import Worker
from gatepost.records.changes import Change, ChangeKind
from gatepost.records.steps import Step

NOON = 1_796_126_400.0  # 2026-12-01T12:00:00Z
READY, BUSY = Worker(1, True, 0.5), Worker(2, False, 0.5)
ROUTES = {"orders.create": "POST /api/orders"}
MIXED = {"books.list": 500, "orders.create": 1000}


def route_of(operation: str) -> str:
    return ROUTES.get(operation, operation)


def at(kind: ChangeKind, seconds: float, subject: str | None = None, summary: str = "It changed.") -> Change:
    return Change(kind, summary, NOON + seconds, subject=subject)


class Watched:
    """An instance whose steps the test writes, one after the other."""

    def __init__(self, changes: Sequence[Change] = ()) -> None:
        self.incidents = Incidents()
        self.changes = list(changes)
        self.steps: list[Step] = []
        self.workers = [READY]

    @property
    def now(self) -> float:
        return self.steps[-1].until

    @property
    def incident(self) -> Incident:
        assert self.incidents.incident is not None
        return self.incidents.incident

    def write(self, count: int, failed: int = 0, code: str = "database_timeout") -> None:
        """So many steps of ten seconds, in each of which `failed` of 1,000 orders fail."""
        for _ in range(count):
            since = self.steps[-1].until if self.steps else NOON
            failures = {("orders.create", code): failed} if failed else {}
            self.steps.append(step(since, requests=MIXED, failures=failures))
            self.look()

    def look(self) -> None:
        recent = [each for each in self.steps if each.since >= self.now - 60]
        found = problems_of(self.workers, window_of(recent), route_of)
        self.incidents.look(found, recent, self.changes, self.now)

    def sentence(self) -> str:
        return sentence_of(self.incident, self.now)

    def sentence_now(self) -> str:
        """What is said of this moment."""
        return sentence_of(self.incident, self.now, problems_of(self.workers, window_of(self.steps[-6:]), route_of))


def test_requests_that_fail_after_a_release_and_no_longer() -> None:
    watched = Watched([at("start", -9000), at("release", 480, "4f2a9c"), at("error", 590), at("alert", 595)])
    watched.write(60)
    assert watched.incidents.incident is None
    watched.write(9, failed=32)
    assert watched.sentence() == (
        "Degraded since 12:10 UTC: 3.2 % of `POST /api/orders` answer `database_timeout`. "
        "Began 2 min after the release `4f2a9c`."
    )
    watched.write(7)
    assert watched.sentence() == "Recovered at 12:11 UTC after 90 s."
    shown = shown_incident(watched.incident, watched.now, route_of)
    names = ("status", "since", "operation", "route", "code", "share", "recovered_at", "seconds")
    assert {name: shown[name] for name in names} == {
        "status": "degraded",
        "since": "2026-12-01T12:10:00.000Z",
        "operation": "orders.create",
        "route": "POST /api/orders",
        "code": "database_timeout",
        "share": 0.032,
        "recovered_at": "2026-12-01T12:11:30.000Z",
        "seconds": 90.0,
    }  # fmt: skip
    assert shown["change"] == {
        "at": "2026-12-01T12:08:00.000Z",
        "kind": "release",
        "summary": "It changed.",
        "operator": None,
        "subject": "4f2a9c",
    }
    assert is_told(watched.incident, watched.incident.until + TOLD_SECONDS - 1)
    assert not is_told(watched.incident, watched.incident.until + TOLD_SECONDS + 1)


def test_what_begins_again_within_a_minute_goes_on_and_later_is_another() -> None:
    watched = Watched()
    watched.write(3)
    watched.write(3, failed=100)
    watched.write(7)
    assert watched.incident.until == NOON + 60
    watched.write(1, failed=100)
    assert (watched.incident.since, watched.incident.until) == (NOON + 130, None)
    again = Watched()
    again.write(1, failed=100)
    again.write(4)
    again.write(1, failed=100)
    assert (again.incident.since, again.incident.until) == (NOON, None)


def test_what_began_within_a_step_began_after_the_last_look_at_it() -> None:
    watched = Watched()
    watched.write(2)
    watched.steps.append(step(NOON + 20, requests=MIXED, seconds=6))
    watched.look()
    watched.steps[-1] = step(NOON + 20, requests=MIXED, failures={("orders.create", "overloaded"): 200})
    watched.look()
    assert watched.incident.since == NOON + 26


def test_a_few_failures_before_are_where_it_began() -> None:
    watched = Watched()
    watched.write(2)
    watched.write(1, failed=2)
    watched.write(1, failed=40)
    assert watched.incident.since == NOON + 30, "0.2 % are no trouble"
    watched = Watched()
    watched.write(2)
    watched.steps.append(step(NOON + 20, requests={"orders.create": 20}, failures={("orders.create", "overloaded"): 3}))
    watched.look()
    assert watched.incidents.incident is None
    watched.write(1, failed=40)
    assert watched.incident.since == NOON + 20


def test_what_was_worst_is_what_is_said_afterwards() -> None:
    watched = Watched()
    for failed in (20, 300, 300, 20):
        watched.write(1, failed=failed)
    watched.write(8)
    assert watched.incident.share == pytest.approx(640 / 4000, rel=0.5)
    assert watched.incident.failures >= 620


def test_a_worker_that_is_replaced_is_no_incident() -> None:
    watched = Watched()
    watched.write(2)
    watched.workers = [READY, BUSY]
    watched.look()
    watched.workers = [READY]
    watched.write(1)
    assert watched.incidents.incident is None


def test_a_server_without_workers_is_down_since_it_was_well() -> None:
    watched = Watched()
    watched.write(3)
    watched.workers = [BUSY]
    watched.write(2)
    assert watched.sentence() == "Down since 12:00 UTC: No worker is ready."
    assert (watched.incident.status, watched.incident.since) == ("down", NOON + 30)
    watched.workers = [READY]
    watched.write(1)
    assert watched.sentence() == "Recovered at 12:00 UTC after 20 s."


def test_a_server_that_is_down_no_longer_but_still_fails_is_degraded() -> None:
    watched = Watched()
    watched.workers = [BUSY]
    watched.write(2, failed=1000)
    assert watched.sentence_now() == "Down since 12:00 UTC: No worker is ready."
    watched.workers = [READY]
    watched.write(1, failed=1000)
    assert watched.sentence_now().startswith("Degraded since 12:00 UTC: 100 % of `POST /api/orders` answer")
    assert watched.incident.status == "down", "the worst that it was"


def test_it_outlives_a_monitor() -> None:
    watched = Watched([at("reload", -20)])
    watched.write(5, failed=100)
    saved = msgspec.msgpack.decode(msgspec.msgpack.encode(watched.incident), type=Incident)
    watched.incidents = Incidents(saved)
    watched.write(7)
    assert watched.sentence() == "Recovered at 12:00 UTC after 50 s."
    assert watched.incident.change is not None


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ([], ""),
        ([at("release", -901, "old")], ""),
        ([at("worker_death", -5), at("alert", 1), at("database", 0)], ""),
        ([at("release", 12, "4f2a9c")], "Began with the release `4f2a9c`."),
        ([at("release", -60, "1a"), at("release", -10, "2b")], "Began 10 s after the release `2b`."),
        ([at("operator", -650), at("migration", -600, "0012")], "Began 10 min after the migration `0012`."),
        ([at("release", -100, "1a"), at("reload", -90), at("reload", -70)], "Began 100 s after the release `1a`."),
        ([at("release", -300, "1a"), at("reload", -70)], "Began 70 s after a reload."),
        ([at("start", -30)], "Began 30 s after the start."),
        ([at("reload", 5), at("operator", -1)], "Began with a reload."),
        ([at("reload", 6), at("start", -30)], "Began 30 s after the start."),
        (
            [at("level", -80, summary="Lines of the category access are written from debug on for 30 min (uid 0).")],
            "Began 80 s after this: Lines of the category access are written from debug on for 30 min (uid 0).",
        ),
    ],
)
def test_the_change_that_it_may_have_begun_with(changes: list[Change], words: str) -> None:
    change = change_before(changes, NOON)
    incident = Incident("degraded", NOON, "It fails.", NOON, change=change)
    assert sentence_of(incident, NOON + 60) == f"Degraded since 12:00 UTC: It fails. {words}".rstrip()


def test_the_date_is_said_where_it_is_another(monkeypatch: pytest.MonkeyPatch) -> None:
    incident = Incident("down", NOON - 86_400, "No worker is ready.", NOON)
    assert sentence_of(incident, NOON) == "Down since 2026-11-30 12:00 UTC: No worker is ready."
