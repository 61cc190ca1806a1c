"""`gatepost doctor` on the environment: that of the server which runs here, or what is assumed where none does."""

import os
from collections.abc import Mapping
from typing import Any

from gatepost.cli.admin_client import find
from gatepost.cli.doctor_findings import DoctorFinding
from gatepost.errors import ConfigurationError
from gatepost.settings import Settings

VARIABLE = "GATEPOST_ENV"


def examine_environment(settings: Settings, environ: Mapping[str, str] = os.environ) -> DoctorFinding:
    """Whether the checks are made for the environment that is served: many of them differ."""
    assumed = settings.server.environment
    running = _running(settings)
    if running is not None:
        instance, environment = running
        if environment == assumed:
            return DoctorFinding("environment", True, f"{assumed}, as that of the server {instance}, which runs")
        detail = f"the server {instance}, which runs, is in {environment}; these are the checks for {assumed}"
        hint = f"Run it as the server runs, with its settings: {VARIABLE}={environment} gatepost doctor"
        return DoctorFinding("environment", False, detail, hint, is_warning=True)
    why = f"as {VARIABLE} says" if VARIABLE in environ else f"because {VARIABLE} is not set"
    detail = f"{assumed}, {why}; no server runs at port {settings.server.port} that could tell"
    return DoctorFinding("environment", True, detail)


def _running(settings: Settings) -> tuple[str, str] | None:
    """The instance and the environment of the server at the port of the settings; None where none can be asked."""
    try:
        found: dict[str, Any] | None = find("/application", port=settings.server.port)
    except ConfigurationError:
        return None
    if found is None:
        return None
    rows: dict[str, str] = {row["variable"]: row["value"] for row in found["settings"]}
    return (str(found["instance"]), rows[VARIABLE]) if VARIABLE in rows else None
