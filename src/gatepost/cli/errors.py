"""`gatepost errors`: the errors that nobody expected, as the monitor of a server keeps them, of all its instances."""

import sys
from typing import Any
from urllib.parse import quote

from gatepost.cli.admin_client import ask
from gatepost.cli.output import print_json, print_rows
from gatepost.logging.console import print_success, print_warning
from gatepost.logging.records import shown_exception
from gatepost.logging.text import escaped
from gatepost.records.folded_tracebacks import folded

COLUMNS = ("id", "state", "kind", "where", "count", "users", "last_at", "message")
_FIELDS = (
    "state",
    "where",
    "count",
    "users",
    "first_at",
    "last_at",
    "resolved_at",
    "returned_at",
    "releases",
    "instances",
)
_OF_SAMPLE = ("request_id", "method", "route", "operation", "during", "release")


def list_errors(state: str, *, port: int | None, as_json: bool) -> None:
    """Print the groups, the one that happened last first."""
    groups: list[dict[str, Any]] = ask("GET", "/errors", port=port)["errors"]
    print_rows([group for group in groups if state in {"all", group["state"]}], as_json=as_json, columns=COLUMNS)


def show_error(identifier: str, *, port: int | None, is_full: bool, as_json: bool) -> None:
    """Print a group with its samples; with `is_full` every frame of their tracebacks. Raises ConfigurationError where
    there is none."""
    group = ask("GET", _path(identifier), port=port)
    if as_json:
        print_json(group)
        return
    lines = [f"{group['id']}  {group['message']}", *_fields(group, _FIELDS)]
    for sample in group["samples"]:
        lines += ["", sample["at"], *_fields(sample, _OF_SAMPLE)]
        lines += [f"  before  {event['at']}  {event['event']}{_words(event['fields'])}" for event in sample["before"]]
        text = sample["traceback"]
        text = text if is_full else folded(text, sample["own_files"], "; --full shows them")
        lines += shown_exception(text).splitlines()
    sys.stdout.write("".join(f"{escaped(line)}\n" for line in lines))


def resolve_error(identifier: str, *, port: int | None, as_json: bool) -> None:
    """Have a group resolved. Raises ConfigurationError where there is none."""
    group = ask("PUT", _path(identifier), {"state": "resolved"}, port=port)
    if as_json:
        print_json(group)
        return
    reason = group["only_here_because"]
    where = "at all instances" if reason is None else "at this instance alone"
    print_success(f"{group['id']} is resolved {where}. If it comes back, it is open again, and says so.")
    if reason is not None:
        print_warning(reason)


def _path(identifier: str) -> str:
    return f"/errors/{quote(identifier, safe='')}"


def _fields(values: dict[str, Any], names: tuple[str, ...]) -> list[str]:
    width = max(map(len, names))
    return [
        f"  {name.replace('_', ' '):{width}}  {_text(values[name])}" for name in names if values[name] not in (None, [])
    ]


def _words(fields: dict[str, Any]) -> str:
    return "".join(f" {name}={_text(value)}" for name, value in fields.items() if value is not None)


def _text(value: str | float | list[str]) -> str:
    return ", ".join(value) if isinstance(value, list) else str(value)
