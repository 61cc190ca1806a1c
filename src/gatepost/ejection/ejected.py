"""What `gatepost eject` writes, whichever part of a resource it is."""

import msgspec

from gatepost.errors import ConfigurationError
from gatepost.models.catalog import ServedModel


class Ejected(msgspec.Struct, frozen=True):
    """The source of a part, the arguments of the resource, which is declared at `declared_at`, that put it in place of
    what is derived, and what there is to know: where to put it, and what differs."""

    model: str
    part: str
    declared_at: str
    source: str
    resource: dict[str, str]
    notes: list[str] = []


def nothing_to_write(served: ServedModel, part: str, problem: str, hint: str) -> ConfigurationError:
    """The error for a part that no source can be written for."""
    return ConfigurationError(problem, location=f"{served.entity.name}.{part}", hint=hint)


def plural_of(served: ServedModel) -> str | None:
    """The plural of the model's name, as the table's name has it; None where that is another word."""
    name, table = served.entity.name, served.entity.table.name.replace("_", "").lower()
    endings = {"y": name[:-1] + "ies"} if name.endswith("y") else {}
    return next((each for each in (name + "s", name + "es", *endings.values()) if each.lower() == table), None)
