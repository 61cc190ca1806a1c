"""What is said of an alert that has changed: the subject and text of a mail, the JSON of a webhook."""

import os
from collections.abc import Sequence
from typing import Any

import msgspec

from gatepost.alerting.alerts import Alert
from gatepost.alerting.texts import one_line, sendable
from gatepost.moments import shown_moment, shown_moment_or_none

SUBJECT_LENGTH_MAX = 150


class AlertMessage(msgspec.Struct, frozen=True):
    """What is sent. `type` is that of the webhook: alert.firing, alert.resolved or alert.test."""

    type: str
    subject: str
    text: str
    data: dict[str, Any]


def message_of(
    alert: Alert, instance: str, release: str | None, note: str | None = None, followers: Sequence[str] = ()
) -> AlertMessage:
    """What to say of an alert as it is now. `note` says why several instances may say the same; `followers` are the
    names of alerts that follow from it."""
    kind = "resolved" if alert.state == "resolved" else "firing"
    mark = "resolved" if kind == "resolved" else alert.severity
    lines = [
        alert.sentence,
        "",
        f"Alert     {alert.name} ({alert.id}), {alert.severity}",
        f"Instance  {instance}" + (f", release {release}" if release else ""),
        f"Since     {shown_moment(alert.since)}",
    ]
    if alert.resolved_at is not None:
        lines.append(f"Resolved  {shown_moment(alert.resolved_at)}" + (f", by {alert.by}" if alert.by else ""))
    if followers:
        lines.append(f"With it   {', '.join(followers)}")
    lines.append(f"Look at   {alert.look_at}")
    if kind == "firing":
        lines.append(f'Silence   gatepost alerts silence {alert.id} --for 2h --reason "..."')
    if note:
        lines += ["", note]
    data = {
        "id": alert.id,
        "name": sendable(alert.name),
        "severity": alert.severity,
        "state": alert.state,
        "sentence": sendable(alert.sentence),
        "look_at": alert.look_at,
        "since": shown_moment(alert.since),
        "resolved_at": shown_moment_or_none(alert.resolved_at),
        "instance": instance,
        "release": release,
        "followers": list(followers),
        "note": note,
    }
    return AlertMessage(
        f"alert.{kind}", subject_of(f"[{mark}] {alert.name} at {instance}"), sendable("\n".join(lines) + "\n"), data
    )


def message_of_test(instance: str, operator: str) -> AlertMessage:
    """What `gatepost alerts test` sends."""
    said = f"This is a test of alerts, which {operator} asked for. Nothing is wrong."
    data = {"name": "test", "state": "test", "sentence": said, "instance": instance}
    return AlertMessage("alert.test", subject_of(f"[test] alerts of {instance}"), said + "\n", data)


def subject_of(text: str) -> str:
    """A subject that every mail library takes: in one line, without control characters, not too long."""
    return one_line(text, SUBJECT_LENGTH_MAX)


def new_id() -> str:
    """The id of a message, which stays the same when it is sent again."""
    return f"msg_{os.urandom(12).hex()}"
