"""Which events are changes that operators look for, and the sentence for each. In the process where they happen."""

from collections.abc import Callable
from typing import Any

from gatepost import events
from gatepost.events import Events
from gatepost.records.changes import Change, ChangeKind, change


def _level(event: events.LogLevelChanged) -> str:
    lines = f"Lines of the category {event.log_category}"
    if event.log_level is None:
        return f"{lines} have the level of the settings again ({event.operator})."
    return f"{lines} are written from {event.log_level} on for {event.seconds / 60:g} min ({event.operator})."


def _error(event: events.ErrorGroupFound) -> str:
    news = "has come back" if event.has_returned else "was met for the first time"
    return f"{event.kind} in {event.where} {news}: gatepost errors show {event.fingerprint}."


def _fired(event: events.AlertFired) -> str:
    follows = "" if event.follows is None else f" (follows from {event.follows})"
    return f"Fires: {event.alert_name}{follows}. {event.sentence}"


_SENTENCES: dict[type[Any], tuple[ChangeKind, Callable[[Any], str]]] = {
    events.WorkerDied: (
        "worker_death",
        lambda event: f"Worker {event.worker} (process {event.pid}) ended by {event.ended_by}.",
    ),
    events.WorkerReplaced: (
        "reload",
        lambda event: f"Process {event.pid} has taken the place of {event.old_pid} as worker {event.worker}.",
    ),
    events.WorkerNotReplaced: (
        "reload",
        lambda event: f"Worker {event.worker} was not replaced: {event.reason}.",
    ),
    events.MonitorDied: (
        "monitor_death",
        lambda event: f"The monitor (process {event.pid}) ended by {event.ended_by}.",
    ),
    events.LogLevelChanged: ("level", _level),
    events.ErrorGroupFound: ("error", _error),
    events.ErrorGroupResolved: (
        "operator",
        lambda event: f"The errors {event.fingerprint} were resolved ({event.operator}).",
    ),
    events.LimitsReset: (
        "operator",
        lambda event: f"The rate limits of one {event.limit_kind} were filled again ({event.operator}).",
    ),
    events.DatabaseLost: ("database", lambda event: f"A process lost the database at {event.address}."),
    events.DatabaseRestored: ("database", lambda event: f"The database is back after {event.seconds:.1f} s."),
    events.DatabaseReadOnly: ("database", lambda _: "The database takes no writes."),
    events.DatabaseWritable: (
        "database",
        lambda event: f"The database takes writes again after {event.seconds:.1f} s.",
    ),
    events.EpochRaised: (
        "database",
        lambda event: (
            f"The database has the epoch {event.epoch}: it was restored, or an operator has begun one. All users sign "
            "in again."
        ),
    ),
    events.SchemaChanged: (
        "migration",
        lambda event: f"Tables are not those of the models: {', '.join(event.tables)}.",
    ),
    events.AlertFired: ("alert", _fired),
    events.AlertResolved: ("alert", lambda event: f"Resolved: {event.alert_name}."),
    events.AlertDismissed: (
        "alert",
        lambda event: f"Resolved by {event.operator}: {event.alert_name}. {event.reason}",
    ),
    events.ConsoleOpened: (
        "operator",
        lambda event: f"{event.operator} has opened the console in a browser, with the token of the admin port.",
    ),
    events.OperatorActed: ("operator", lambda event: f"{event.act}: {event.detail} By {event.operator}."),
    events.AlertSilenced: (
        "alert",
        lambda event: (
            f"Silenced for {event.seconds / 60:g} min by {event.operator}: {event.alert_name}. {event.reason}"
        ),
    ),
    events.AlertsTested: ("operator", lambda event: f"{event.operator} had alerts tested: {event.outcome}."),
    events.SessionStopped: ("operator", lambda event: f"{event.outcome} By {event.operator}."),
    events.RecordsRevealed: (
        "operator",
        lambda event: f"Clients and users were shown whole on the page {event.page} of the console ({event.operator}).",
    ),
    events.SchemaRestored: ("migration", lambda _: "The tables are those of the models again."),
}


def change_of(event: Any) -> Change | None:
    """The change that an event is; None where it is none."""
    found = _SENTENCES.get(event.__class__)
    if found is None:
        return None
    kind, sentence = found
    return change(kind, sentence(event), operator=getattr(event, "operator", None))


def subscribe_changes(source: Events, keep: Callable[[Change], object]) -> None:
    """Give each event that is a change to `keep`."""

    def note(event: Any) -> None:
        found = change_of(event)
        if found is not None:
            keep(found)

    for event_type in _SENTENCES:
        source.subscribe(event_type, note)
