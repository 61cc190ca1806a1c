"""`gatepost changes`: what has changed at a server, as its monitor keeps it."""

from typing import Any
from urllib.parse import urlencode

from gatepost.cli.admin_client import ask
from gatepost.cli.durations import moment_in
from gatepost.cli.output import print_json, print_rows
from gatepost.logging.console import print_success
from gatepost.moments import shown_moment

COLUMNS = ("at", "kind", "summary")


def print_changes(
    since: str | None, until: str | None, instance: str | None, *, port: int | None, as_json: bool
) -> None:
    """Print them, the newest first. Raises ConfigurationError."""
    query = {
        name: shown_moment(moment_in(text, f"--{name}"))
        for name, text in (("since", since), ("until", until))
        if text is not None
    }
    if instance is not None:
        query["instance"] = instance
    found: list[dict[str, Any]] = ask("GET", f"/changes?{urlencode(query)}", port=port)["changes"]
    if as_json:
        print_json(found)
    elif found:
        several = instance is not None
        print_rows(found, as_json=False, columns=("at", "instance", *COLUMNS[1:]) if several else COLUMNS)
    else:
        print_success("Nothing has changed." if instance in {None, "all"} else f"No change of {instance} is known.")
