"""`gatepost alerts`: what a server on this machine finds wrong, asked of its admin socket."""

import sys
from typing import Any
from urllib.parse import quote

from gatepost.cli.admin_client import ask
from gatepost.cli.durations import seconds_in
from gatepost.cli.output import print_json, print_table
from gatepost.errors import ConfigurationError
from gatepost.logging.console import print_success
from gatepost.logging.text import escaped


def print_alerts(*, port: int | None, shows_all: bool, as_json: bool) -> bool:
    """Print them. Whether one fires."""
    found = ask("GET", "/alerts", port=port)
    shown = [each for each in found["alerts"] if shows_all or each["state"] != "resolved"]
    if as_json:
        print_json({**found, "alerts": shown})
    elif shown:
        names = ("id", "name", "state", "severity", "since", "follows_name", "sentence")
        rows = [[each[name] for name in names] for each in shown]
        print_table(["id", "name", "state", "severity", "since", "follows", "what"], rows)
    else:
        print_success("Nothing is wrong.")
    if not as_json:
        for each in found["silences"]:
            _say(f"{each['name']} is silenced until {each['until']} by {each['by']}: {each['reason']}")
        if not found["channels"]:
            _say("Alerts are sent to nobody: set GATEPOST_ALERT_MAIL_TO or GATEPOST_ALERT_WEBHOOK_URL.")
    return any(each["state"] == "firing" for each in shown)


def print_alert(alert: str, *, port: int | None, as_json: bool) -> bool:
    """Print one. Whether it fires."""
    found = ask("GET", _path(alert), port=port)
    if as_json:
        print_json(found)
        return bool(found["state"] == "firing")
    _say(found["sentence"])
    words = {
        "alert": f"{found['name']} ({found['id']}), {found['severity']}",
        "state": found["state"],
        "since": found["since"],
        "resolved": found["resolved_at"],
        "until": found["silenced_until"],
        "follows": found["follows"] and f"{found['follows_name']} ({found['follows']}), and is told with it",
        "followers": ", ".join(found["followers"]),
        "by": found["by"],
        "reason": found["reason"],
        "look at": found["look_at"],
    }
    for name, value in words.items():
        if value:
            _say(f"  {name:<9} {value}")
    for each in found["deliveries"]:
        outcome = f" ({each['outcome']})" if each["outcome"] else ""
        _say(f"  {each['channel']:<9} {each['state']} after {each['attempts']} attempts{outcome}, {each['created_at']}")
    return bool(found["state"] == "firing")


def silence_alert(alert: str, reason: str, duration: str, *, port: int | None, as_json: bool) -> None:
    """Silence those of a name."""
    body = {"state": "silenced", "reason": reason, "seconds": seconds_in(duration, "--for")}
    found = ask("PUT", _path(alert), body, port=port)["alert"]
    if as_json:
        print_json(found)
    elif found is None:
        print_success(f"{alert} does not fire; nobody is told of it for {duration}.")
    else:
        print_success(f"{found['name']} is silenced until {found['silenced_until']}.")


def resolve_alert(alert: str, reason: str, *, port: int | None, as_json: bool) -> None:
    """End one."""
    found = ask("PUT", _path(alert), {"state": "resolved", "reason": reason}, port=port)["alert"]
    if as_json:
        print_json(found)
    else:
        print_success(f"{found['name']} is resolved.")


def send_test(*, port: int | None, as_json: bool) -> bool:
    """Send a test on all channels. Whether it arrived on each."""
    found: list[dict[str, Any]] = ask("PUT", "/alert-test", {}, port=port)["deliveries"]
    if as_json:
        print_json(found)
    if not found:
        raise ConfigurationError(
            "There is nobody to send alerts to.",
            hint="Set GATEPOST_ALERT_MAIL_TO and GATEPOST_SMTP_URL, or GATEPOST_ALERT_WEBHOOK_URL, for the server.",
        )
    if not as_json:
        for each in found:
            said = "arrived" if each["is_delivered"] else "did not arrive"
            _say(f"{each['channel']}: {said} ({each['outcome']})")
    return all(each["is_delivered"] for each in found)


def _path(alert: str) -> str:
    return f"/alerts/{quote(alert, safe=':')}"


def _say(text: str) -> None:
    sys.stdout.write(escaped(text) + "\n")
