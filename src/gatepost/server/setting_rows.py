"""Settings as operators read them: each with its value, where that is no secret, and where it comes from.

Outside the request path: of `gatepost config show`, and of what a worker tells its monitor at its start.
"""

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any

from gatepost.logging.text import MASK
from gatepost.settings import Settings


def setting_rows(settings: Settings, environ: Mapping[str, str]) -> Iterator[dict[str, Any]]:
    """One row per setting: variable, value (masked), unit, source, description."""
    for concern in dataclasses.fields(settings):
        values = getattr(settings, concern.name)
        for item in dataclasses.fields(values):
            value = getattr(values, item.name)
            variable: str = item.metadata["variable"]
            yield {
                "variable": variable,
                "value": MASK if item.metadata["secret"] and value is not None else shown_setting(value),
                "unit": item.metadata["unit"],
                "source": _source(variable, value, item.default, environ),
                "description": item.metadata["description"],
            }


def shown_setting(value: Any) -> str | None:
    """A value as the environment would have it; None where there is none."""
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
