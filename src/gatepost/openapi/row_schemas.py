"""Rows as responses show them: the fields of a resource, or the members of a DTO, as far as the audience sees them.

A schema lists as required what every row shows. With `fields=` a response has fewer members, so a read is described by
the schema of the row and, beside it, by one of chosen fields.
"""

from collections.abc import Iterator
from typing import Any

from gatepost.models.dto_members import ColumnMember, ComputedMember, DTOMembers, Member
from gatepost.models.entity import Attribute
from gatepost.models.personal_values import is_personal
from gatepost.models.served_model import ServedModel
from gatepost.openapi.audience import Audience
from gatepost.openapi.components import Components, Schema
from gatepost.openapi.docstrings import described, own_docs
from gatepost.openapi.examples import NO_EXAMPLE, example_of
from gatepost.openapi.schema_parts import PERSONAL_EXTENSION, object_schema, or_null
from gatepost.openapi.shape_schemas import ShapeSchemas

Property = tuple[str, Schema, bool, Any]
"""A member of a row: its name, its schema, whether every row shows it, and an example."""


class RowSchemas:
    """The schemas of rows in one document."""

    def __init__(self, components: Components, shapes: ShapeSchemas, audience: Audience) -> None:
        self._components = components
        self._shapes = shapes
        self._audience = audience

    def row(self, served: ServedModel, dto: DTOMembers | None) -> Schema:
        """A reference to the schema of a row, as the DTO shows it."""
        name, key = self.name(served, dto), dto or served
        return self._components.schema(("row", key), name, lambda: self._schema(served, dto), f"{name}Response")

    def read(self, served: ServedModel, dto: DTOMembers | None) -> Schema:
        """A row that is read, of which a client may have chosen the fields."""
        name, key = f"{self.name(served, dto)}Fields", dto or served
        chosen = self._components.schema(
            ("fields", key), name, lambda: self._schema(served, dto, is_chosen=True), f"{name}Response"
        )
        return {"anyOf": [self.row(served, dto), chosen]}

    def name(self, served: ServedModel, dto: DTOMembers | None) -> str:
        """What the schemas of a row are called by."""
        return served.entity.name if dto is None else dto.dto.__name__

    def names(self, served: ServedModel, dto: DTOMembers | None) -> list[str]:
        """The members that clients may choose."""
        if dto is None:
            return [served.wire_names[name] for name in self._audience.fields(served).shown]
        return [dto.wire_names[member.name] for member in self._members(dto)]

    def expandable(self, served: ServedModel) -> dict[str, ServedModel]:
        """What the relations lead to that can be expanded, by their names."""
        found = {
            relation.wire_name: self._audience.relation(served, name, expands=True)
            for name, (relation, _) in served.relations.items()
        }
        return {name: target for name, target in found.items() if target is not None}

    def _schema(self, served: ServedModel, dto: DTOMembers | None, *, is_chosen: bool = False) -> Schema:
        found = [*(self._fields(served) if dto is None else self._dto_properties(dto))]
        properties = {name: schema for name, schema, _, _ in found}
        if dto is None:
            for name, target in self.expandable(served).items():
                properties[name] = or_null(self.row(target, None), True)
        required = [] if is_chosen else [name for name, _, is_always, _ in found if is_always]
        schema = object_schema(properties, required)
        if is_chosen:
            return {**schema, "description": "Of the row what `fields` names."}
        example = {name: value for name, _, is_always, value in found if is_always and value is not NO_EXAMPLE}
        docs = own_docs(served.entity.model if dto is None else dto.dto)
        schema = described(schema, docs)
        return {**schema, "examples": [example]} if example.keys() >= {*required} and example else schema

    def _fields(self, served: ServedModel) -> Iterator[Property]:
        fields = self._audience.fields(served)
        for name in fields.shown:
            attribute = served.entity.attributes[name]
            yield self._property(attribute.wire_name, attribute, is_always=name in fields.always)

    def _dto_properties(self, dto: DTOMembers) -> Iterator[Property]:
        for member in self._members(dto):
            name = dto.wire_names[member.name]
            is_always = self._audience.may_see(member.read) is True
            if isinstance(member, ColumnMember):
                yield self._property(name, member.attribute, is_always=is_always)
            elif isinstance(member, ComputedMember):
                yield name, self._computed(member), is_always, example_of(member.field.attribute.shape, name)
            else:
                row = self.row(member.shown.served, member.shown)
                many: Schema = {"type": "array", "items": row, "maxItems": member.count}
                schema = or_null(row, member.may_be_none) if member.count is None else many
                yield name, schema, is_always, NO_EXAMPLE

    def _members(self, dto: DTOMembers) -> list[Member]:
        return [member for member in dto.members if self._audience.may_see(member.read) is not False]

    def _property(self, name: str, attribute: Attribute, *, is_always: bool) -> Property:
        schema = described_attribute(self._shapes.response(attribute.shape, attribute.name), attribute)
        return name, schema, is_always, example_of(attribute.shape, name)

    def _computed(self, member: ComputedMember) -> Schema:
        attribute = member.field.attribute
        schema = self._shapes.response(attribute.shape, attribute.name)
        return schema if member.may_be_none else without_null(schema)


def described_attribute(schema: Schema, attribute: Attribute) -> Schema:
    """The schema of a column's values with what the model says of them: its `doc=`, else its `comment=`, and that they
    are personal."""
    column = attribute.column
    found = described(schema, str(column.doc or column.comment or ""))
    return {**found, PERSONAL_EXTENSION: True} if is_personal(column) else found


def without_null(schema: Schema) -> Schema:
    """The schema of what is never null, although its shape might be."""
    kind = schema.get("type")
    if isinstance(kind, list):
        return {**schema, "type": kind[0]}
    if "anyOf" in schema:
        kept = [part for part in schema["anyOf"] if part != {"type": "null"}]
        return kept[0] if len(kept) == 1 else {**schema, "anyOf": kept}
    return schema
