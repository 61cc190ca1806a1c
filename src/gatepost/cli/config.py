"""`gatepost config show`, and the reference page of all settings: both are made from `settings.py`."""

import dataclasses
import os
import sys
from collections.abc import Iterator, Mapping
from typing import Any

from gatepost.cli.output import print_rows
from gatepost.environment import load_settings
from gatepost.logging.text import MASK
from gatepost.server.safety import warn_of_unknown
from gatepost.settings import Settings

CONCERNS = {
    "server": "Server",
    "database": "Database",
    "auth": "Authentication",
    "gate": "Gate",
    "streams": "Streams",
    "valkey": "Valkey",
    "log": "Log",
    "admin": "Admin",
    "records": "Records",
    "alerts": "Alerts",
}


def print_settings(*, as_json: bool) -> None:
    """Print every setting with its value and where it came from; secrets are masked."""
    rows = list(rows_of(load_settings(os.environ), os.environ))
    print_rows(rows, as_json=as_json, columns=("variable", "value", "unit", "source", "description"))
    warn_of_unknown(os.environ)


def rows_of(settings: Settings, environ: Mapping[str, str]) -> Iterator[dict[str, Any]]:
    """One row per setting: variable, value (masked), unit, source, description."""
    for concern in dataclasses.fields(settings):
        values = getattr(settings, concern.name)
        for item in dataclasses.fields(values):
            value = getattr(values, item.name)
            variable: str = item.metadata["variable"]
            yield {
                "variable": variable,
                "value": MASK if item.metadata["secret"] and value is not None else _shown(value),
                "unit": item.metadata["unit"],
                "source": _source(variable, value, item.default, environ),
                "description": item.metadata["description"],
            }


def reference_page() -> str:
    """docs/reference/settings.md."""
    lines = [
        "# Settings",
        "",
        "Settings are read once, at start, from the environment. `gatepost config show` prints their values and where",
        "they came from. A variable marked *secret* may be read from a file: `DATABASE_URL_FILE=/run/secrets/url`.",
        "",
        "This page is made from `src/gatepost/settings.py` by `python -m gatepost.cli.config`.",
    ]
    defaults = Settings()
    for name, title in CONCERNS.items():
        concern = getattr(defaults, name)
        summary = (type(concern).__doc__ or "").strip().splitlines()[0]
        lines += ["", f"## {title}", "", summary, "", "| variable | default | what it is |", "| --- | --- | --- |"]
        lines += [_reference_row(item) for item in dataclasses.fields(concern)]
    return "\n".join(lines) + "\n"


def _reference_row(item: "dataclasses.Field[Any]") -> str:
    unit = f" {item.metadata['unit']}" if item.metadata["unit"] and item.default is not None else ""
    default = f"`{_shown(item.default)}{unit}`" if item.default not in (None, ()) else "none"
    secret = " *Secret.*" if item.metadata["secret"] else ""
    return f"| `{item.metadata['variable']}` | {default} | {item.metadata['description']}.{secret} |"


def _shown(value: Any) -> str | None:
    if isinstance(value, tuple):
        return ",".join(str(part) for part in value)  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
    if isinstance(value, bool):
        return "true" if value else "false"
    return None if value is None else str(value)


def _source(variable: str, value: Any, default: Any, environ: Mapping[str, str]) -> str:
    if environ.get(f"{variable}_FILE") and not environ.get(variable):
        return f"{variable}_FILE"
    if environ.get(variable):
        return "environment"
    return "default" if value == default else "derived"


if __name__ == "__main__":
    sys.stdout.write(reference_page())
