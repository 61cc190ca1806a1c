"""`gatepost config show`, and the reference page of all settings: both are made from `settings.py`."""

import dataclasses
import os
import sys
from typing import Any

from gatepost.cli.output import print_rows
from gatepost.environment import load_settings
from gatepost.server.safety import warn_of_unknown
from gatepost.server.setting_rows import setting_rows, shown_setting
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
    "backups": "Backups",
}


def print_settings(*, as_json: bool) -> None:
    """Print every setting with its value and where it came from; secrets are masked."""
    rows = list(setting_rows(load_settings(os.environ), os.environ))
    print_rows(rows, as_json=as_json, columns=("variable", "value", "unit", "source", "description"))
    warn_of_unknown(os.environ)


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
    default = f"`{shown_setting(item.default)}{unit}`" if item.default not in (None, ()) else "none"
    secret = " *Secret.*" if item.metadata["secret"] else ""
    return f"| `{item.metadata['variable']}` | {default} | {item.metadata['description']}.{secret} |"


if __name__ == "__main__":
    sys.stdout.write(reference_page())
