"""Alerts fire, are silenced, resolve and come back; each change is told once."""

import pytest

from gatepost.alerting.alerts import ALERTS_MAX, Alerts, Transition
from gatepost.alerting.findings import Finding
from gatepost.errors import ConfigurationError


class Watched:
    """Alerts with a clock that only the test moves, and what was told."""

    def __init__(self, scale: float = 1.0) -> None:
        self.now = 1000.0
        self.transitions: list[Transition] = []
        self.alerts = Alerts(self.transitions.append, scale=scale, clock=lambda: self.now, elapsed=lambda: self.now)

    def look(self, *, holds: bool, after: float = 0.0, name: str = "disk") -> None:
        self.now += after
        self.alerts.look([Finding(name, "page", holds, f"It is {holds}.", "df -h", 10.0, 30.0)])

    def told(self) -> list[str]:
        found = [transition.to for transition in self.transitions]
        self.transitions.clear()
        return found


def test_what_holds_long_enough_fires_and_what_is_clear_long_enough_resolves() -> None:
    watched = Watched()
    watched.look(holds=True)
    watched.look(holds=True, after=9.9)
    assert watched.told() == []
    watched.look(holds=True, after=0.2)
    assert watched.told() == ["firing"]
    watched.look(holds=False, after=5)
    watched.look(holds=True, after=20)
    watched.look(holds=False, after=5)
    watched.look(holds=False, after=29)
    assert watched.told() == [], "it came and went"
    watched.look(holds=False, after=2)
    assert watched.told() == ["resolved"]
    (alert,) = watched.alerts.newest_first()
    assert (alert.state, alert.resolved_at, alert.since) == ("resolved", watched.now, 1010.1)


def test_what_was_clear_in_between_has_to_hold_anew() -> None:
    watched = Watched()
    for holds, after in ((True, 0), (True, 6), (False, 2), (True, 2), (True, 6)):
        watched.look(holds=holds, after=after)
    assert watched.told() == []


def test_a_clock_that_is_set_back_makes_nothing_wait_for_an_hour() -> None:
    now, elapsed, transitions = [10_000.0], [0.0], list[Transition]()
    alerts = Alerts(transitions.append, clock=lambda: now[0], elapsed=lambda: elapsed[0])

    def look(*, holds: bool, after: float) -> list[str]:
        now[0] += after
        elapsed[0] += after
        alerts.look([Finding("disk", "page", holds, "It is full.", "df -h", 10.0, 30.0)])
        return [transition.to for transition in transitions]

    assert look(holds=True, after=0) == []
    now[0] -= 3600
    assert look(holds=True, after=11) == ["firing"]
    assert look(holds=False, after=1) == ["firing"]
    now[0] -= 3600
    assert look(holds=False, after=31) == ["firing", "resolved"]


def test_waiting_times_can_be_scaled() -> None:
    watched = Watched(scale=0.1)
    watched.look(holds=True)
    watched.look(holds=True, after=1.0)
    watched.look(holds=False, after=1.0)
    watched.look(holds=False, after=3.0)
    assert watched.told() == ["firing", "resolved"]


def fired() -> Watched:
    watched = Watched()
    watched.look(holds=True)
    watched.look(holds=True, after=10)
    assert watched.told() == ["firing"]
    return watched


def test_a_silenced_alert_is_told_again_when_the_silence_ends() -> None:
    watched = fired()
    alert = watched.alerts.silence("disk", 60, "moving files", "uid 0")
    assert alert is not None
    assert (alert.state, alert.silenced_until, alert.by) == ("silenced", 1070.0, "uid 0")
    watched.look(holds=True, after=59)
    assert watched.told() == ["silenced"]
    watched.look(holds=True, after=2)
    assert watched.told() == ["firing"]


def test_a_silence_holds_for_the_next_alert_of_the_name() -> None:
    watched = Watched()
    watched.look(holds=False)
    assert watched.alerts.silence("disk", 600, "moving files", "uid 0") is None
    watched.look(holds=True)
    watched.look(holds=True, after=10)
    assert [(each.to, each.alert.is_told) for each in watched.transitions] == [("silenced", False)]
    assert watched.alerts.newest_first()[0].reason == "moving files"


def test_what_an_operator_has_resolved_does_not_come_back_before_it_was_clear() -> None:
    watched = fired()
    alert = watched.alerts.newest_first()[0]
    assert watched.alerts.resolve(alert.id, "known", "uid 0") is alert
    assert watched.alerts.resolve(alert.id, "known", "uid 0") is None
    for _ in range(5):
        watched.look(holds=True, after=60)
    assert watched.told() == ["resolved"]
    watched.look(holds=False, after=5)
    watched.look(holds=True, after=5)
    watched.look(holds=True, after=10)
    assert watched.told() == ["firing"]
    assert len(watched.alerts.newest_first()) == 2


def test_what_cannot_be_wrong_any_more_resolves() -> None:
    watched = fired()
    watched.alerts.look([])
    assert watched.told() == ["resolved"]


def test_a_new_kind_of_error_is_an_alert_until_somebody_resolves_it() -> None:
    watched = Watched()
    for _ in range(2):
        watched.alerts.note_error_group("a1b2", "ValueError in shop.orders.pay, twice.", "gatepost errors show a1b2")
    watched.look(holds=False, after=600)
    assert watched.told() == ["firing"]
    assert watched.alerts.resolve("error:a1b2", "fixed in 1.2", "uid 0") is not None
    watched.alerts.note_error_group("a1b2", "It is back.", "gatepost errors show a1b2")
    assert watched.told() == ["resolved", "firing"]


def test_what_nobody_knows_stays_as_it_is() -> None:
    watched = fired()
    watched.now += 600
    watched.alerts.look([], unknown="di")
    watched.alerts.look([Finding("disk", "page", None, "?", "df -h")])
    assert watched.told() == []
    watched.alerts.look([], unknown="instance:")
    assert watched.told() == ["resolved"]


def test_a_silence_that_ends_while_it_is_clearing_tells_nobody() -> None:
    watched = fired()
    watched.alerts.silence("disk", 60, "moving files", "uid 0")
    watched.look(holds=False, after=50)
    watched.look(holds=False, after=20)
    assert watched.told() == ["silenced"]
    watched.look(holds=False, after=20)
    assert watched.told() == ["resolved"]


def test_many_new_kinds_of_errors_are_one_alert() -> None:
    watched = Watched()
    for number in range(100):
        watched.alerts.note_error_group(str(number), "Wrong.", "look")
    assert watched.told() == ["firing"] * 11
    assert watched.alerts.newest_first()[0].look_at == "gatepost errors list" or watched.alerts.find("error:many")
    watched.now += 3601
    watched.alerts.note_error_group("new", "Wrong.", "look")
    assert watched.told() == ["firing"]


def test_alerts_and_silences_outlive_a_monitor() -> None:
    watched = fired()
    watched.alerts.look([Finding(name, "page", name == "disk", "It is.", "df -h") for name in ("disk", "clock")])
    watched.alerts.silence("clock", 600, "known", "uid 0")
    again = Alerts(
        watched.transitions.append, saved=watched.alerts.saved(), clock=lambda: watched.now, elapsed=lambda: watched.now
    )
    again.look([Finding("disk", "page", True, "Still.", "df -h", 10.0, 30.0)])
    assert watched.told() == []
    assert [alert.sentence for alert in again.newest_first()] == ["Still."]
    assert [silence.name for silence in again.saved().silences] == ["clock"]


def test_their_number_is_bounded_and_those_that_fire_stay() -> None:
    watched = fired()
    for number in range(ALERTS_MAX + 50):
        watched.now += 3600
        watched.alerts.note_error_group(str(number), "Wrong.", "look")
        watched.alerts.resolve(f"error:{number}", "known", "uid 0")
    found = watched.alerts.newest_first()
    assert len(found) == ALERTS_MAX
    assert found[0].name == "disk"
    for number in range(ALERTS_MAX + 50):
        watched.look(holds=False, name=f"silent-{number}")
        watched.alerts.silence(f"silent-{number}", 600, "known", "uid 0")
    assert len(watched.alerts.saved().silences) == ALERTS_MAX


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("a\nb", "There could be disk, error:many"),
        ("x" * 201, "There could be disk, error:many"),
        ("dsik", "Did you mean 'disk'?"),
    ],
)
def test_a_name_that_no_alert_could_have_is_not_silenced(name: str, hint: str) -> None:
    watched = Watched()
    watched.look(holds=False)
    with pytest.raises(ConfigurationError, match="is not the name of an alert that could fire") as refused:
        watched.alerts.silence(name, 60, "known", "uid 0")
    assert hint in str(refused.value)
    assert watched.alerts.saved().silences == []


class Outage(Watched):
    """A database, and an objective that is missed because of it."""

    def look_at(self, database: bool, objective: bool, *, explained: bool = True, after: float = 5.0) -> None:
        self.now += after
        self.alerts.look(
            [
                Finding("database", "page", database, "Away.", "doctor", 10.0, 30.0),
                Finding(
                    "objective:reads", "page", objective, "Missed.", "logs", 10.0, 60.0,
                    causes=("database", "pool"), is_explained=explained,
                ),
                Finding(
                    "objective:reads:budget", "ticket", objective, "Spent.", "logs", 10.0, 60.0,
                    causes=("objective:reads", "database", "pool"), is_explained=explained,
                ),
            ]
        )  # fmt: skip

    def told(self) -> list[str]:
        """What operators hear, as the monitor decides it."""
        found = [
            f"{each.to} {each.alert.name}"
            for each in self.transitions
            if (each.to == "firing" and each.alert.follows is None) or (each.to == "resolved" and each.alert.is_told)
        ]
        self.transitions.clear()
        return found

    def states(self) -> dict[str, str]:
        return {alert.name: alert.state for alert in self.alerts.newest_first()}


def test_what_follows_from_an_outage_is_told_with_it() -> None:
    outage = Outage()
    outage.look_at(database=False, objective=True, explained=False, after=0)
    for _ in range(8):
        outage.look_at(database=True, objective=True, explained="database" in outage.states())
    assert outage.told() == ["firing database"]
    assert set(outage.states().values()) == {"firing"}
    database = outage.alerts.find("database")
    assert database is not None
    assert [each.name for each in outage.alerts.followers(database.id)] == ["objective:reads", "objective:reads:budget"]
    for _ in range(20):
        outage.look_at(database=False, objective=True)
    assert outage.told() == ["resolved database"], "bad requests of the outage are still in the windows"
    for _ in range(20):
        outage.look_at(database=False, objective=False)
    assert outage.told() == []
    assert set(outage.states().values()) == {"resolved"}


def test_what_goes_on_by_itself_is_told() -> None:
    outage = Outage()
    for _ in range(6):
        outage.look_at(database=True, objective=True, explained="database" in outage.states())
    for _ in range(10):
        outage.look_at(database=False, objective=True)
    assert outage.told() == ["firing database", "resolved database"]
    outage.look_at(database=False, objective=True, explained=False)
    assert outage.told() == ["firing objective:reads", "firing objective:reads:budget"]
    for _ in range(20):
        outage.look_at(database=False, objective=False)
    assert outage.told() == ["resolved objective:reads", "resolved objective:reads:budget"]


def test_a_cause_that_does_not_come_is_not_waited_for() -> None:
    outage = Outage()
    for database in (True, False, False, False):
        outage.look_at(database=database, objective=True, explained=False)
    assert outage.told() == ["firing objective:reads", "firing objective:reads:budget"]
    flapping = Outage()
    for number in range(20):
        flapping.look_at(database=number % 2 == 0, objective=True, explained=False)
    assert flapping.told()[:1] == ["firing objective:reads"]


def test_a_silence_of_the_cause_holds_for_what_follows() -> None:
    outage = Outage()
    outage.look_at(database=False, objective=False)
    outage.alerts.silence("database", 600, "maintenance", "uid 0")
    for _ in range(8):
        outage.look_at(database=True, objective=True, explained="database" in outage.states())
    for _ in range(20):
        outage.look_at(database=False, objective=False)
    assert outage.told() == []


def test_a_pool_that_is_exhausted_after_an_outage_follows_from_it_for_a_while() -> None:
    watched = Outage()

    def look(*, database: bool, pool: bool, after: float = 30.0) -> None:
        watched.now += after
        watched.alerts.look(
            [
                Finding("database", "page", database, "Away.", "doctor", 10.0, 30.0),
                Finding("pool", "page", pool, "Exhausted.", "waits", 60.0, 30.0, causes=("database",)),
            ]
        )

    for database, pool in ((True, False), (True, False), (False, True), (False, True), (False, True), (False, True)):
        look(database=database, pool=pool)
    assert watched.told() == ["firing database", "resolved database"]
    for _ in range(12):
        look(database=False, pool=True)
    assert watched.told() == ["firing pool"]
