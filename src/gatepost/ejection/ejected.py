"""What `gatepost eject` writes, whichever part of a resource it is."""

from collections.abc import Iterable
from keyword import iskeyword

import msgspec

from gatepost.errors import ConfigurationError
from gatepost.models.entity import Attribute
from gatepost.models.served_model import ServedModel


class Ejected(msgspec.Struct, frozen=True):
    """The source of a part, the arguments of the resource, which is declared at `declared_at`, that put it in place of
    what is derived, and what there is to know: where to put it, and what differs."""

    model: str
    part: str
    declared_at: str
    source: str
    resource: dict[str, str]
    notes: list[str] = []


def check_writable(served: ServedModel, part: str, attributes: Iterable[Attribute]) -> None:
    """Raise `ConfigurationError` for an attribute whose name Python source cannot have, such as one that was mapped by
    the name of its column."""
    for each in attributes:
        if iskeyword(each.name) or not each.name.isidentifier():
            raise ConfigurationError(
                f"{each.name!r} is not a name in Python source.",
                location=f"{served.entity.name}.{part}",
                hint=f"Map the column {each.column.name!r} to an attribute of another name.",
            )


def nothing_to_write(served: ServedModel, part: str, problem: str, hint: str) -> ConfigurationError:
    """The error for a part that no source can be written for."""
    return ConfigurationError(problem, location=f"{served.entity.name}.{part}", hint=hint)


def plural_of(served: ServedModel) -> str | None:
    """The plural of the model's name, as the table's name has it; None where that is another word."""
    name, table = served.entity.name, served.entity.table.name.replace("_", "").lower()
    endings = {"y": name[:-1] + "ies"} if name.endswith("y") else {}
    return next((each for each in (name + "s", name + "es", *endings.values()) if each.lower() == table), None)
