"""The operations of an application as operators read them: who may, how often, which code responds, which fields are
personal.

Outside the request path: of `gatepost routes`, and of what a worker tells its monitor at its start.
"""

from typing import Any

from gatepost.composition import Composition
from gatepost.declaring.policies import anyone
from gatepost.models.personal_values import is_personal
from gatepost.models.served_model import ServedModel
from gatepost.operations import Operation, RouteRules
from gatepost.settings import Settings


def operation_rows(composition: Composition, settings: Settings) -> list[dict[str, Any]]:
    """The rows of the table: the operations, the mounts, and the paths that mounts declare."""
    personal = {
        (each.group, path): personal_fields(served)
        for each in composition.declaration.all
        for path, served in each.catalog.by_path.items()
    }
    rows = [
        _row(operation, settings, personal.get((operation.group, operation.resource or ""), []))
        for operation in composition.operations
    ]
    return rows + [_mount_row(rules, settings) for rules in composition.rules if rules.is_foreign]


def _row(operation: Operation, settings: Settings, personal: list[str]) -> dict[str, Any]:
    return {
        "method": operation.method,
        "path": operation.path,
        "operation": operation.name,
        "allow": repr(operation.allow),
        "rate_limit": limit_of(operation.rules, settings),
        "handler": handler_of(operation),
        "personal": personal,
        "is_probe": operation.rules.kind == "probe",
    }


def personal_fields(served: ServedModel) -> list[str]:
    """The fields of a resource that are personal data, as clients know them, without those that nobody is shown."""
    return [
        attribute.wire_name
        for name, attribute in served.entity.attributes.items()
        if is_personal(attribute.column) and not served.fields[name].hidden
    ]


def handler_of(operation: Operation) -> str:
    """What responds, and where it is written."""
    if operation.replaces is not None:
        return f"{operation.source}, in place of what is derived from {operation.replaces}"
    if not operation.orm_reasons:
        return operation.source
    return f"{operation.source}, through the ORM: {'; '.join(operation.orm_reasons)}"


def _mount_row(rules: RouteRules, settings: Settings) -> dict[str, Any]:
    return {
        "method": "*",
        "path": rules.pattern,
        "operation": f"mount {rules.pattern.removesuffix('/*')}",
        "allow": repr(anyone),
        "rate_limit": limit_of(rules, settings),
        "handler": "mount=",
        "personal": [],
        "is_probe": rules.kind == "probe",
    }


def limit_of(rules: RouteRules, settings: Settings) -> str:
    """The limits of a route, those of its kind where it declares none."""
    if rules.limits:
        return ", ".join(str(limit) for _, limit in rules.limits)
    if rules.kind == "probe":
        return "none"
    return str(settings.gate.auth_limit if rules.kind == "auth" else settings.gate.api_limit)
