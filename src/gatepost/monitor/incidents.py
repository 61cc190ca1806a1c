"""`Incidents`: since when an instance is not well, next to which change it began, and when it was well again.

Off the request path, in the monitor. One thing that is wrong is one incident, also where it comes and goes within a
minute. What it says of requests is what was worst.
"""

from collections.abc import Callable, Collection, Iterable, Sequence
from datetime import UTC, datetime
from typing import Any, Literal

import msgspec

from gatepost.moments import shown_moment, shown_moment_or_none
from gatepost.monitor.problems import Problems, has_trouble
from gatepost.records.changes import Change, ChangeKind, shown_change
from gatepost.records.steps import Step

SECONDS_MIN = 10.0
"""What is over sooner was none: a worker that takes the place of another is not ready for a moment."""

AGAIN_SECONDS = 60.0
"""What begins again so soon after it was over goes on."""

TOLD_SECONDS = 3600.0
"""So long it is said that an incident is over."""

BEFORE_SECONDS = 15 * 60.0
"""A change so long before an incident may be its cause."""

AFTER_SECONDS = 5.0
NOTICED_LATE_SECONDS = 20.0
"""What began may be found to have begun so much too early; a release and a migration are noticed later than others."""

NOTICED_LATE: Collection[ChangeKind] = ("release", "migration")

ONE_DEPLOYMENT_SECONDS = 60.0
"""Changes so close to each other are of one deployment: a release comes with reloads."""

TOGETHER_SECONDS = 5.0

CAUSES: Sequence[ChangeKind] = ("release", "migration", "reload", "start", "level", "operator")
"""The kinds of changes that may be a cause, the likeliest first; the others are what follows from one."""


class Incident(msgspec.Struct):
    """A while in which an instance was not well. Moments are seconds since the epoch; `until` is None while it lasts.
    `wrong_at` is when something was wrong last, `problem` what that is in a sentence; `operation`, `share` and `code`
    say which requests failed, where some do (`operation` is None where all kinds do)."""

    status: Literal["degraded", "down"]
    since: float
    problem: str
    wrong_at: float
    until: float | None = None
    operation: str | None = None
    share: float | None = None
    code: str | None = None
    failures: int = 0
    change: Change | None = None


class Incidents:
    """The incident of an instance that lasts, or was the last one: `incident`, which is to be kept."""

    def __init__(self, saved: Incident | None = None) -> None:
        self.incident = saved
        self._well_at: float | None = None
        self._clear_at = 0.0

    def look(self, found: Problems, steps: Sequence[Step], changes: Iterable[Change], now: float) -> None:
        """Note what the last minute was like: what is wrong, its steps (the oldest first), and the last changes."""
        lasts = self.incident is not None and self.incident.until is None
        if found.status == "ok":
            self._well_at = now
            if not has_trouble(steps[-1]):
                self._clear_at = now
            if lasts:
                self._close()
            return
        trouble = [step for step in steps if has_trouble(step)]
        # A step is ten seconds long: where it was looked at meanwhile, what is wrong began after that.
        since = max(trouble[0].since, self._clear_at) if trouble else self._well_at or steps[-1].since
        incident = self._open(found, min(since, now))
        incident.wrong_at = now if found.is_present or not trouble else trouble[-1].until
        if found.status == "down":
            incident.status = "down"
        _describe(incident, found)
        if now - incident.since < BEFORE_SECONDS:
            incident.change = change_before(changes, incident.since)

    def _open(self, found: Problems, since: float) -> Incident:
        known = self.incident
        if known is not None and (known.until is None or since - known.until <= AGAIN_SECONDS):
            known.until = None
            return known
        status: Literal["degraded", "down"] = "down" if found.status == "down" else "degraded"
        self.incident = Incident(status, since, found.sentences[0], since)
        return self.incident

    def _close(self) -> None:
        incident = self.incident
        if incident is None:
            return
        incident.until = max(incident.wrong_at, incident.since)
        if incident.until - incident.since < SECONDS_MIN:
            self.incident = None


def _describe(incident: Incident, found: Problems) -> None:
    """Say what is wrong, where more requests have not failed before."""
    failing = found.failing
    if (0 if failing is None else failing.failures) < incident.failures:
        return
    incident.problem = found.sentences[0]
    if failing is not None:
        incident.operation, incident.share, incident.code = failing.operation, round(failing.share, 6), failing.code
        incident.failures = failing.failures


def change_before(changes: Iterable[Change], since: float) -> Change | None:
    """The change that something may have begun with: the last one, or the likeliest of those that came with it."""
    near = [each for each in changes if each.kind in CAUSES and -_tolerance(each) <= since - each.at <= BEFORE_SECONDS]
    last = max((each.at for each in near), default=0.0)
    together = [each for each in near if last - each.at <= ONE_DEPLOYMENT_SECONDS]
    return min(together, key=lambda each: (CAUSES.index(each.kind), -each.at), default=None)


def _tolerance(change: Change) -> float:
    return NOTICED_LATE_SECONDS if change.kind in NOTICED_LATE else AFTER_SECONDS


def is_told(incident: Incident, now: float) -> bool:
    """Whether operators are still told of it."""
    return incident.until is None or now - incident.until <= TOLD_SECONDS


def sentence_of(incident: Incident, now: float, found: Problems | None = None) -> str:
    """`Degraded since 02:41 UTC: ... Began 2 min after the release `4f2a9c`.`, or `Recovered at 02:47 UTC after 94 s.`;
    `found` is what is wrong now."""
    if incident.until is not None:
        length = shown_length(incident.until - incident.since)
        return f"Recovered at {_clock(incident.until, now)} after {length}."
    began = "" if incident.change is None else f" {_began(incident.change, incident.since)}"
    status, problem = (incident.status, incident.problem) if found is None else (found.status, found.sentences[0])
    return f"{status.capitalize()} since {_clock(incident.since, now)}: {problem}{began}"


def shown_incident(incident: Incident, now: float, route_of: Callable[[str], str]) -> dict[str, Any]:
    """As JSON. `seconds` is how long it has lasted."""
    change = incident.change
    return {
        "status": incident.status,
        "since": shown_moment(incident.since),
        "problem": incident.problem,
        "operation": incident.operation,
        "route": None if incident.operation is None else route_of(incident.operation),
        "share": incident.share,
        "code": incident.code,
        "change": None if change is None else shown_change(change),
        "recovered_at": shown_moment_or_none(incident.until),
        "seconds": round((now if incident.until is None else incident.until) - incident.since, 3),
        "sentence": sentence_of(incident, now),
    }


def shown_length(seconds: float) -> str:
    """`94 s`, `12 min`, `3 h`: to one percent or so."""
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.0f} h"


def _began(change: Change, since: float) -> str:
    words = {
        "release": f"the release `{change.subject}`" if change.subject else "a release",
        "migration": f"the migration `{change.subject}`" if change.subject else "a migration",
        "reload": "a reload",
        "start": "the start",
    }.get(change.kind, f"this: {change.summary.rstrip('.')}")
    seconds = since - change.at
    return f"Began {shown_length(seconds)} after {words}." if seconds > TOGETHER_SECONDS else f"Began with {words}."


def _clock(moment: float, now: float) -> str:
    """The time of day, with the date where it is another one."""
    at, today = (datetime.fromtimestamp(each, UTC) for each in (moment, now))
    return f"{at:%H:%M} UTC" if at.date() == today.date() else f"{at:%Y-%m-%d %H:%M} UTC"
