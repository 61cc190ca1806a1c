"""What a worker tells its monitor of the application that it serves, at its start: operations and settings."""

import msgspec

from gatepost.records.reports import Report


class OperationRow(msgspec.Struct):
    """An operation, or a mount: who may, how often, and which code responds, as `gatepost routes` prints it. `personal`
    are the fields of its resource that are personal data; `is_probe` says that load balancers ask for it."""

    method: str
    path: str
    operation: str
    allow: str
    rate_limit: str
    handler: str
    personal: list[str] = []
    is_probe: bool = False


class SettingRow(msgspec.Struct):
    """A setting as `gatepost config show` prints it: secrets are masked."""

    variable: str
    value: str | None
    unit: str
    source: str


class ApplicationReported(Report):
    """What a worker serves, of which release, `at` which moment. It stands in place of all before."""

    operations: list[OperationRow]
    settings: list[SettingRow]
    release: str | None = None
    at: float = 0.0
