"""Alerts fire, are silenced, resolve and come back; each change is told once."""

import pytest

from gatepost.alerting.alerts import ALERTS_MAX, Alerts, Transition
from gatepost.alerting.findings import Finding


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
        watched.alerts.silence(f"silent-{number}", 600, "known", "uid 0")
    assert len(watched.alerts.saved().silences) == ALERTS_MAX


@pytest.mark.parametrize("name", ["a\nb", "x" * 201])
def test_a_name_that_none_can_have_is_not_silenced(name: str) -> None:
    from gatepost import ConfigurationError

    with pytest.raises(ConfigurationError, match="is not a name of an alert"):
        Watched().alerts.silence(name, 60, "known", "uid 0")
