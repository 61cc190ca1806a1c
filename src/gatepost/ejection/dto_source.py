"""`gatepost eject Book.dto`: the fields that responses show and bodies set, as data transfer objects."""

from collections.abc import Sequence
from typing import NamedTuple

from gatepost.declaring.policies import is_nobody
from gatepost.ejection.ejected import Ejected, check_writable, nothing_to_write
from gatepost.ejection.module_source import ModuleSource, Names, docstring_lines
from gatepost.ejection.written_types import type_of
from gatepost.models.entity import Attribute
from gatepost.models.served_model import ServedModel

RULES = (
    "The rules of fields (`fields=` of the resource), constraints and defaults stay with the resource and the model, "
    "and hold here as well. Members that you add are columns, `computed(...)` or other DTOs."
)

DIFFERENCES = {
    "answers": "A response has these members alone: `expand` is not offered beside a DTO. `fields` chooses among them.",
    "updates": "A PATCH takes these members alone: it may not repeat what the server keeps, such as the key.",
}
"""In what a DTO is not what is derived, by the argument that names it."""


class DTOPart(NamedTuple):
    """A class to write: the end of its name, the arguments of `Resource` that name it, and its members."""

    suffix: str
    arguments: tuple[str, ...]
    description: str
    members: Sequence[Attribute]


def dto_source(served: ServedModel) -> Ejected:
    """The DTOs of a resource that has none of its own. Raises `ConfigurationError` where it has them all."""
    model = served.entity.model
    parts = _parts(served)
    if not parts:
        raise nothing_to_write(
            served,
            "dto",
            f"has nothing to write out: Resource({model.__name__}) shows and takes nothing, or names its own DTOs.",
            "Say who may do what: Resource(..., read=..., write=...). A DTO that is named is yours already.",
        )
    for part in parts:
        check_writable(served, "dto", part.members)
    taken = {member.name for part in parts for member in part.members}
    names = Names(taken | {f"{model.__name__}{part.suffix}" for part in parts})
    written, base = names.of_class(model), names.of("gatepost", "DTO")
    module, arguments = ModuleSource(names), dict[str, str]()
    for part in parts:
        name = f"{model.__name__}{part.suffix}"
        arguments |= dict.fromkeys(part.arguments, name)
        docstring = docstring_lines(f"{part.description} of {model.__name__}.", indent=4)
        members = [f"{each.name}: {type_of(model, each, names)}" for each in part.members]
        module.add_class(f"class {name}({base}[{written}]):", [*docstring, "", *members])
    head = f"What clients see and send of {model.__name__}, written out by `gatepost eject`."
    text = module.text(head, RULES, *(DIFFERENCES[each] for each in DIFFERENCES if each in arguments))
    return Ejected(model.__name__, "dto", served.resource.source, text, arguments)


def _parts(served: ServedModel) -> list[DTOPart]:
    """The classes that the resource does not have: creations and changes share one where they set the same."""
    resource = served.resource
    answers = () if resource.answers or resource.lists else shown(served)
    creates = () if resource.creates else settable(served, "create")
    updates = () if resource.updates else settable(served, "update")
    found = [DTOPart("Answer", ("answers", "lists"), "What responses show", answers)]
    if creates == updates:
        found.append(DTOPart("Body", ("creates", "updates"), "What a creation or a change sets", creates))
    else:
        found.append(DTOPart("Body", ("creates",), "What a creation sets", creates))
        found.append(DTOPart("Changes", ("updates",), "What a change sets", updates))
    # A body has a method `row`, so that no member can be called so: such a body stays derived.
    return [
        part
        for part in found
        if part.members and (part.suffix == "Answer" or all(member.name != "row" for member in part.members))
    ]


def shown(served: ServedModel) -> Sequence[Attribute]:
    """The attributes that responses show to some actor."""
    if all(is_nobody(served.policies[action]) for action in ("list", "get")):
        return ()
    return [each for name, each in served.entity.attributes.items() if not is_nobody(served.rules[name].read)]


def settable(served: ServedModel, action: str) -> Sequence[Attribute]:
    """The attributes that bodies of an action may have for some actor: a change may repeat what a creation sets."""
    if not served.is_possible(action):
        return ()
    actions = ("create", "update") if action == "update" else ("create",)
    return [
        each
        for name, each in served.entity.attributes.items()
        if not (each.is_expression or each.managed)
        and not all(is_nobody(getattr(served.rules[name], action)) for action in actions)
    ]
