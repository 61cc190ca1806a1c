"""`gatepost routes`: what was derived, and from where."""

import inspect
import os
from pathlib import Path
from typing import Any

from gatepost.cli.output import print_rows
from gatepost.cli.settings import quiet_settings
from gatepost.request import Action
from gatepost.server.loading import find_app, reference_of
from gatepost.settings import Settings

COLUMNS = ("method", "path", "action", "allow", "rate_limit", "handler")


def print_routes(reference: str | None, *, as_json: bool) -> None:
    """Print the table of the application's actions, in the order of their declaration."""
    settings = quiet_settings()
    app = find_app(reference_of(reference))
    rows = [_row(action, settings) for action in app.actions]
    print_rows(rows, as_json=as_json, columns=COLUMNS)


def _row(action: Action, settings: Settings) -> dict[str, Any]:
    return {
        "method": action.method,
        "path": action.pattern,
        "action": action.name,
        "allow": repr(action.allow),
        "rate_limit": _limit(action, settings),
        "handler": _source(action),
    }


def _limit(action: Action, settings: Settings) -> str:
    if action.limits:
        factor = settings.gate.limit_factor or 1
        return ", ".join(str(limit.times(factor)) for _, limit in action.limits)
    if action.kind == "system":
        return "none"
    return str(settings.gate.auth_limit if action.kind == "auth" else settings.gate.api_limit)


def _source(action: Action) -> str:
    source = action.source or _found_source(action)
    folder = str(Path.cwd()) + os.sep
    return source.removeprefix(folder)


def _found_source(action: Action) -> str:
    code = getattr(inspect.unwrap(action.handler), "__code__", None)
    return f"{code.co_filename}:{code.co_firstlineno}" if code else type(action.handler).__name__
