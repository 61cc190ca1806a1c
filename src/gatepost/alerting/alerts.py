"""`Alerts`: what is wrong at an instance, since when, and which of it operators have silenced or resolved.

Findings come every few seconds. An alert fires when one has held long enough, and resolves when it has been clear long
enough: what comes and goes from look to look is one alert. Each transition is told once.
"""

import hashlib
import time
from collections.abc import Callable, Iterable
from typing import Literal

import msgspec

from gatepost.alerting.findings import Finding, Severity
from gatepost.alerting.texts import one_line, sendable
from gatepost.errors import ConfigurationError
from gatepost.hints import did_you_mean

ALERTS_MAX = 200
"""Those that are kept; the ones that were resolved first are forgotten first."""

SENTENCE_LENGTH_MAX = 500
NAME_LENGTH_MAX = 200
ERROR_ALERTS_MAX = 10
"""So many new kinds of errors have alerts of their own in an hour, the others one together."""
MANY = "many"
HOUR_SECONDS = 3600.0
WAIT_SECONDS_MAX = 60.0
"""So long an alert waits to be told with a cause of it that may be about to fire."""

AFTER_SECONDS = 300.0
"""So long after a cause is over what follows from it may come, where only time says so."""

REASON_LENGTH_MAX = 200
SILENCE_SECONDS_MAX = 30 * 86_400.0

State = Literal["firing", "silenced", "resolved"]


class Alert(msgspec.Struct):
    """One time that something was wrong. Times are seconds since the epoch; `by` is the operator who silenced or
    resolved it, `reason` why. `holds` says whether it was still so at the last look, `is_told` whether somebody was
    told that it fires. One that `is_local` is about this instance alone: others have an alert of their own. `follows`
    is the id of the alert that it follows from: it is told with that one."""

    id: str
    name: str
    severity: Severity
    state: State
    since: float
    sentence: str
    look_at: str
    resolved_at: float | None = None
    silenced_until: float | None = None
    reason: str | None = None
    by: str | None = None
    holds: bool = True
    is_told: bool = False
    is_local: bool = False
    follows: str | None = None


class Transition(msgspec.Struct, frozen=True):
    """An alert that has changed its state, as it is now; `by` is the operator who has done it, None where nobody."""

    alert: Alert
    to: State
    by: str | None = None


class Silence(msgspec.Struct):
    """No alert of this name is told of until then."""

    name: str
    until: float
    reason: str
    by: str


class SavedAlerts(msgspec.Struct):
    """What is kept in the file."""

    alerts: list[Alert] = []
    silences: list[Silence] = []


class Alerts:
    """The alerts of an instance, and how they change. `told` gets each transition. `scale` multiplies how long findings
    have to hold and to be clear. `clock` says when something was, `elapsed` for how long it is so: that one is never
    set."""

    def __init__(
        self,
        told: Callable[[Transition], object],
        *,
        saved: SavedAlerts | None = None,
        scale: float = 1.0,
        clock: Callable[[], float] = time.time,
        elapsed: Callable[[], float] = time.monotonic,
    ) -> None:
        self._told = told
        self._scale = scale
        self._clock = clock
        self._elapsed = elapsed
        found = saved or SavedAlerts()
        self._alerts = {alert.id: alert for alert in found.alerts}
        self._silences = {silence.name: silence for silence in found.silences}
        self._held_since: dict[str, float] = {}
        self._known: set[str] = set()
        self._fired_now: set[str] = set()
        self._clear_since: dict[str, float] = {}

    def newest_first(self) -> list[Alert]:
        """Those that are not resolved first, then the others; the newest first in each."""
        return sorted(self._alerts.values(), key=lambda alert: (alert.state == "resolved", -alert.since))

    def find(self, name: str) -> Alert | None:
        """The alert with this id, else the newest with this name."""
        return self._alerts.get(name) or next((alert for alert in self.newest_first() if alert.name == name), None)

    def saved(self) -> SavedAlerts:
        """What is to be kept."""
        return SavedAlerts(list(self._alerts.values()), list(self._silences.values()))

    def look(self, findings: Iterable[Finding], unknown: str | None = None) -> None:
        """Note what the last look has found: it names everything that can be wrong, also what is well. Of alerts whose
        names begin with `unknown` it knows nothing: they stay as they are."""
        now = self._clock()
        found = {finding.name: finding for finding in findings}
        self._known = set(found)
        self._fired_now.clear()
        for finding in found.values():
            self._note(finding, now)
        for alert in [alert for alert in self._open() if alert.name not in found]:
            # What cannot be wrong any more, such as an objective that is no longer declared.
            if not alert.name.startswith(_NOTED if unknown is None else (_NOTED, unknown)):
                self._clear(alert, now, 0.0)
        self._end_silences(now)

    def held_seconds(self, names: Iterable[str]) -> float | None:
        """For how long the first of those alerts holds that are open, or that an operator has resolved while what they
        are about lasts; None where there is none."""
        now, elapsed = self._clock(), self._elapsed()
        held = [
            max(elapsed - self._held_since.get(alert.name, elapsed), now - alert.since, 0.0)
            for alert in self._alerts.values()
            if alert.name in names and (alert.state != "resolved" or (alert.by is not None and alert.holds))
        ]
        return max(held, default=None)

    def followers(self, leader: str) -> list[Alert]:
        """The alerts that follow from the one with this id, the oldest first."""
        return sorted(
            (alert for alert in self._alerts.values() if alert.follows == leader), key=lambda alert: alert.since
        )

    def known_names(self) -> list[str]:
        """The names of alerts that there are, or could be: what the last look judged."""
        return sorted({*self._known, *(alert.name for alert in self._alerts.values()), error_alert_name(MANY)})

    def note_error_group(self, group: str, sentence: str, look_at: str) -> None:
        """There is a new kind of error, known by `group`: an alert that lasts until it is resolved by an operator."""
        now = self._clock()
        recent = [
            each for each in self._alerts.values() if each.name.startswith(_NOTED) and now - each.since < HOUR_SECONDS
        ]
        name = error_alert_name(group)
        if len(recent) >= ERROR_ALERTS_MAX:
            # A release that fails everywhere has hundreds of kinds: who is told of each reads none.
            name, look_at = error_alert_name(MANY), "gatepost errors list"
            sentence = f"More than {ERROR_ALERTS_MAX} new kinds of errors within an hour."
        if not any(alert.name == name for alert in self._open()):
            self._fire(Finding(name, "ticket", True, sendable(sentence), look_at), now)

    def silence(self, name: str, seconds: float, reason: str, by: str) -> Alert | None:
        """Tell of no alert with this name (or that of the alert with this id) for so long. Returns the open one, which
        is silenced; None where there is none now. Raises ConfigurationError for a name that no alert could have."""
        alert = self.find(name)
        now = self._clock()
        silence = Silence(name if alert is None else alert.name, now + seconds, one_line(reason, REASON_LENGTH_MAX), by)
        known = self.known_names()
        if silence.name not in known:
            hint = did_you_mean(silence.name, known).strip() or f"There could be {', '.join(known)}."
            shown = one_line(silence.name, NAME_LENGTH_MAX)
            raise ConfigurationError("is not the name of an alert that could fire.", location=repr(shown), hint=hint)
        self._silences[silence.name] = silence
        while len(self._silences) > ALERTS_MAX:
            del self._silences[next(iter(self._silences))]
        for found in [each for each in self._open() if each.name == silence.name]:
            self._change(found, "silenced", by, silence)
            return found
        return None

    def resolve(self, name: str, reason: str, by: str) -> Alert | None:
        """End an alert. It does not come back as long as what it is about lasts. None where none with this id or name
        is open."""
        alert = self.find(name)
        if alert is None or alert.state == "resolved":
            return None
        alert.reason = one_line(reason, REASON_LENGTH_MAX)
        self._silences.pop(alert.name, None)
        self._end(alert, self._clock(), by)
        return alert

    def _note(self, finding: Finding, now: float) -> None:
        if finding.holds is None:
            return
        open_alert = next((alert for alert in self._open() if alert.name == finding.name), None)
        if not finding.holds:
            self._held_since.pop(finding.name, None)
            for alert in self._alerts.values():
                if alert.name == finding.name and alert.state == "resolved":
                    alert.holds = False
            if open_alert is not None:
                self._clear(open_alert, now, finding.clear_seconds * self._scale)
            return
        self._clear_since.pop(finding.name, None)
        elapsed = self._elapsed()
        since = self._held_since.setdefault(finding.name, elapsed)
        if open_alert is not None:
            open_alert.sentence, open_alert.holds = finding.sentence[:SENTENCE_LENGTH_MAX], True
            if open_alert.follows is not None and self._leader(finding, now) is None:
                self._tell_by_itself(open_alert)
        elif elapsed - since < finding.for_seconds * self._scale or self._is_dismissed(finding.name):
            return
        elif not self._has_to_wait(finding, elapsed - since):
            self._fire(finding, now)

    def _is_dismissed(self, name: str) -> bool:
        """Whether an operator has resolved what has held ever since."""
        return any(
            alert.name == name and alert.state == "resolved" and alert.by and alert.holds
            for alert in self._alerts.values()
        )

    def _has_to_wait(self, finding: Finding, held_seconds: float) -> bool:
        """Whether a cause of it holds that may become an alert, or has just become one: what that explains is known at
        the next look."""
        if held_seconds >= (finding.for_seconds + WAIT_SECONDS_MAX) * self._scale:
            return False
        fired_before = {alert.name for alert in self._open()} - self._fired_now
        return any(
            name in self._held_since and name not in fired_before and not self._is_dismissed(name)
            for name in finding.causes
        )

    def _leader(self, finding: Finding, now: float) -> Alert | None:
        """The alert that explains a finding: one that is open, else the last of its causes."""
        if finding.is_explained is False:
            return None
        causes = [alert for alert in self._alerts.values() if alert.name in finding.causes]
        last = max(causes, key=lambda alert: (alert.state != "resolved", alert.since), default=None)
        if last is None or last.resolved_at is None or finding.is_explained:
            return self._first_of(last)
        return self._first_of(last) if now - last.resolved_at <= AFTER_SECONDS * self._scale else None

    def _first_of(self, alert: Alert | None) -> Alert | None:
        """What an alert itself follows from, as far as that is known."""
        if alert is None or alert.follows is None:
            return alert
        return self._alerts.get(alert.follows, alert)

    def _tell_by_itself(self, alert: Alert) -> None:
        """It no longer follows from another: it is told where it fires."""
        alert.follows = None
        if alert.state == "firing":
            self._change(alert, "firing", None)

    def _fire(self, finding: Finding, now: float) -> None:
        leader = self._leader(finding, now)
        number = hashlib.blake2b(f"{finding.name} {now!r}".encode(), digest_size=4).hexdigest()
        alert = Alert(
            id=number,
            name=finding.name,
            severity=finding.severity,
            state="firing",
            since=now,
            sentence=finding.sentence[:SENTENCE_LENGTH_MAX],
            look_at=finding.look_at,
            is_local=finding.is_local,
            follows=None if leader is None else leader.id,
        )
        self._alerts[number] = alert
        self._fired_now.add(finding.name)
        self._forget()
        silence = self._silences.get(finding.name)
        if silence is None or silence.until <= now:
            self._change(alert, "firing", None)
        else:
            self._change(alert, "silenced", None, silence)

    def _clear(self, alert: Alert, now: float, seconds: float) -> None:
        alert.holds = False
        elapsed = self._elapsed()
        if elapsed - self._clear_since.setdefault(alert.name, elapsed) >= seconds:
            self._clear_since.pop(alert.name, None)
            self._end(alert, now, None)

    def _end(self, alert: Alert, now: float, by: str | None) -> None:
        alert.resolved_at = now
        alert.silenced_until = None
        self._change(alert, "resolved", by)

    def _end_silences(self, now: float) -> None:
        for silence in [silence for silence in self._silences.values() if silence.until <= now]:
            del self._silences[silence.name]
        for alert in [alert for alert in self._open() if alert.state == "silenced"]:
            if (alert.silenced_until or 0) <= now and alert.holds:
                alert.silenced_until = None
                self._change(alert, "firing", None)

    def _change(self, alert: Alert, to: State, by: str | None, silence: Silence | None = None) -> None:
        alert.state = to
        alert.is_told = alert.is_told or (to == "firing" and alert.follows is None)
        if silence is not None:
            alert.silenced_until, alert.reason, alert.by = silence.until, silence.reason, silence.by
        elif to == "resolved":
            alert.by = by
        self._told(Transition(msgspec.structs.replace(alert), to, by))

    def _open(self) -> list[Alert]:
        return [alert for alert in self._alerts.values() if alert.state != "resolved"]

    def _forget(self) -> None:
        by_age = sorted(self._alerts.values(), key=lambda alert: (alert.state != "resolved", alert.since))
        for alert in by_age[: max(0, len(by_age) - ALERTS_MAX)]:
            del self._alerts[alert.id]


def error_alert_name(group: str) -> str:
    """What an alert about this group of errors is called."""
    return one_line(f"{_NOTED}{group}", NAME_LENGTH_MAX)


_NOTED = "error:"
"""What the names of alerts begin with that are noted once, and not looked for."""
