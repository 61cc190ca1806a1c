"""What a worker tells the monitor of its application."""

import os
import time

import msgspec

from gatepost.composition import Composition
from gatepost.records.application import ApplicationReported, OperationRow, SettingRow
from gatepost.server.operation_rows import operation_rows
from gatepost.server.setting_rows import setting_rows
from gatepost.settings import Settings


def application_report(composition: Composition, settings: Settings, release: str | None) -> ApplicationReported:
    """Its operations and mounts, the settings of this process, and its release."""
    return ApplicationReported(
        msgspec.convert(operation_rows(composition, settings), list[OperationRow]),
        msgspec.convert(list(setting_rows(settings, os.environ)), list[SettingRow]),
        release,
        time.time(),
    )
