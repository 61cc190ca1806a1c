"""DTOs as bodies: which attributes of the model a body may have, with the constraints of the model and of the DTO.

Outside the request path; `dto_members.py` reads the members.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from gatepost.declaring.dto import DTO, declared_of, model_of
from gatepost.declaring.policies import is_nobody
from gatepost.errors import ConfigurationError
from gatepost.mistakes import Mistakes
from gatepost.models.annotations import Annotations
from gatepost.models.dto_members import DeclaredMember, check_has_members, declared_members, read_column
from gatepost.models.entity import Attribute
from gatepost.models.served_model import ServedModel
from gatepost.models.shape import Shape, shape_of


def read_body(
    dto: type[DTO[Any]], served: ServedModel, mistakes: Mistakes, actions: Sequence[str]
) -> Mapping[str, Attribute]:
    """The attributes that bodies of this class may set, by name, in one of the `actions` at least. What is wrong with a
    member becomes a mistake."""
    found: dict[str, Attribute] = {}
    with mistakes.check(declared_of(dto).source):
        check_has_members(dto)
    for member in declared_members(dto, mistakes):
        with mistakes.check(lambda member=member: member.source):  # type: ignore[misc]
            attribute = _attribute(member, served)
            _check_settable(member, served, actions)
            found[member.name] = attribute
    return found


def _check_settable(member: DeclaredMember, served: ServedModel, actions: Sequence[str]) -> None:
    rules = served.rules[member.name]
    if all(is_nobody(getattr(rules, action)) for action in actions):
        name = served.entity.name
        raise ConfigurationError(
            f"{name}.{member.name} is set by nobody: each body that has it would be refused.",
            location=member.location,
            hint=f'Leave it out, or say who sets it: Resource({name}, fields={{"{member.name}": Field(write=...)}}).',
        )


def check_model(dto: type[DTO[Any]], served: ServedModel, argument: str) -> None:
    """Raise `ConfigurationError` where a DTO that a resource names is one of another model."""
    model = model_of(dto)
    if model is None or not issubclass(served.entity.model, model):
        name = served.entity.name
        raise ConfigurationError(
            f"{dto.__name__} is a DTO of {getattr(model, '__name__', 'no model')}.",
            location=f"Resource({name}, {argument}=...)",
            hint=f"Write class {dto.__name__}(DTO[{name}]).",
        )


def _attribute(member: DeclaredMember, served: ServedModel) -> Attribute:
    entity, name = served.entity, member.name
    if name == "row":
        raise ConfigurationError(
            "is called as the method that makes a row of a body.",
            location=member.location,
            hint=f"Set {entity.name}.row by a Struct as the body.",
        )
    relations = {*entity.relations, *served.relations}
    if member.assigned is not None or name in relations:
        raise ConfigurationError(
            f"is {'a relation' if name in relations else 'not a column'}, and a body holds columns.",
            location=member.location,
            hint=f"Leave it out of the body of {entity.name}; for what is not a column, write a Struct.",
        )
    attribute = read_column(member, served).attribute
    if attribute.is_expression or attribute.managed:
        raise ConfigurationError(
            f"{entity.name}.{name} is {'an expression' if attribute.is_expression else 'kept by the server'}, and no "
            "body can set it.",
            location=member.location,
            hint="Leave it out of the class that is used as a body.",
        )
    declared = Annotations(member.dto).of(name)
    if not (declared.value or declared.elements):
        return attribute
    narrower = shape_of(attribute.column.type, declared.value, declared.elements)
    return msgspec.structs.replace(attribute, shape=_narrowed(attribute.shape, narrower))


def _narrowed(shape: Shape, narrower: Shape) -> Shape:
    """A shape with the declared constraints of another one as well."""
    items = shape.items
    if items is not None and narrower.items is not None:
        items = _narrowed(items, narrower.items)
    return msgspec.structs.replace(
        shape,
        constraints=(*shape.constraints, *narrower.constraints),
        misfits=(*shape.misfits, *narrower.misfits),
        items=items,
    )
