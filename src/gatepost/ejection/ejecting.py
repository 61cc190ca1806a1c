"""Finds what `gatepost eject` is to write: `Book.service` is a model of the app and a part of its resource."""

from collections.abc import Collection
from pathlib import Path
from typing import NamedTuple

import msgspec

from gatepost.declaration import Declaration
from gatepost.declared_resources import DeclaredResources
from gatepost.ejection.dto_source import dto_source
from gatepost.ejection.ejected import Ejected
from gatepost.ejection.service_source import VERBS, service_source
from gatepost.errors import ConfigurationError
from gatepost.hints import did_you_mean
from gatepost.models.served_model import ServedModel
from gatepost.sources import location_of

PARTS = ("service", "dto")


class Asked(NamedTuple):
    """What is to be written: a part of the resource of a model, in a group of resources if one is named; of a service
    only the `verbs`, if there are any."""

    model: str
    part: str
    verbs: Collection[str] = ()
    group: str = ""


def parse_asked(target: str, verbs: Collection[str] = (), group: str = "") -> Asked:
    """What `Book.service` or `shop.models.Book.dto` names. Raises `ConfigurationError` for another form, and for verbs
    that do not exist."""
    model, _, part = target.rpartition(".")
    if not model or part not in PARTS:
        raise ConfigurationError(
            f"{target!r} is not a part of a resource.{did_you_mean(part, PARTS)}",
            hint="Write the model and the part: gatepost eject Book.service, or gatepost eject Book.dto.",
        )
    for verb in verbs:
        if verb not in VERBS:
            raise ConfigurationError(
                f"{verb!r} is not a verb.{did_you_mean(verb, VERBS)}",
                location="--verb",
                hint=f"The verbs are {', '.join(VERBS)}.",
            )
    if verbs and part != "service":
        raise ConfigurationError("A DTO has no verbs.", location="--verb", hint="Leave --verb out.")
    return Asked(model, part, verbs, group)


def eject(declaration: Declaration, asked: Asked) -> Ejected:
    """Write a part of a resource. Raises `ConfigurationError` where there is no such resource, or nothing to write."""
    declared = _group(declaration, asked.group)
    served = find_served(declared.catalog.served, asked)
    if asked.part == "dto":
        found = dto_source(served)
    else:
        model = served.entity.model
        of_app = None if declared.of_app is None else declared.of_app.services.get(model)
        found = service_source(served, declared.services.get(model), asked.verbs, of_app=of_app)
    return msgspec.structs.replace(found, notes=[*found.notes, *_placing(served)])


def _group(declaration: Declaration, name: str) -> DeclaredResources:
    by_name = {declared.group: declared for declared in declaration.all}
    found = by_name.get(name.strip("/").replace("/", "."))
    if found is None:
        groups = [each for each in by_name if each]
        raise ConfigurationError(
            f"The app has no group {name!r}.{did_you_mean(name, groups)}",
            location="--group",
            hint=f"Its groups are {', '.join(groups)}." if groups else "It has no groups: leave --group out.",
        )
    return found


def find_served(catalog: Collection[ServedModel], asked: Asked) -> ServedModel:
    """The resource that is asked for. Raises `ConfigurationError` where there is none, or where there are several."""
    by_name = {served.entity.name: served for served in catalog}
    full_names = {f"{each.entity.model.__module__}.{each.entity.name}": each for each in catalog}
    same = [name for name, each in full_names.items() if each.entity.name == asked.model]
    if len(same) > 1:
        raise ConfigurationError(
            f"Several models are called {asked.model}.", hint=f"Write {' or '.join(f'{n}.{asked.part}' for n in same)}."
        )
    found = full_names.get(asked.model) or by_name.get(asked.model)
    if found is None:
        raise ConfigurationError(
            f"No resource has the model {asked.model!r}.{did_you_mean(asked.model, by_name)}",
            hint=f"There are resources of {', '.join(by_name)}.",
        )
    return found


def _placing(served: ServedModel) -> list[str]:
    """Where the source can stand, if the model and the resource are declared in one file."""
    model, resource = location_of(served.entity.model), served.resource.source
    file = model.rpartition(":")[0]
    if not file or file != resource.rpartition(":")[0]:
        return []
    return [
        f"{Path(file).name} declares both {served.entity.name} and its resource, so it can import this only below the "
        f"model. Or put the classes there, between the two, or move the models to a file of their own."
    ]
