"""Request bodies: of creations and changes, and of own endpoints."""

from collections.abc import Collection, Mapping
from enum import Enum
from typing import Any

import msgspec

from gatepost.controllers.endpoint_bodies import BodyParameter, BoundDTO
from gatepost.controllers.signatures import MISSING
from gatepost.declaring.wire_names import WireName
from gatepost.dtos.body_envelopes import BodyEnvelope
from gatepost.dtos.path_keys import PATH_TEXT
from gatepost.models.entity import Attribute
from gatepost.models.served_model import ServedModel
from gatepost.models.shape import Form
from gatepost.openapi.annotation_schemas import AnnotationSchemas
from gatepost.openapi.audience import Audience
from gatepost.openapi.components import Components, Schema
from gatepost.openapi.docstrings import described, own_docs
from gatepost.openapi.examples import NO_EXAMPLE, example_of, example_of_annotation
from gatepost.openapi.row_schemas import described_attribute
from gatepost.openapi.schema_parts import object_schema, or_null
from gatepost.openapi.shape_schemas import ShapeSchemas

JSON = "application/json"
MERGE_PATCH = "application/merge-patch+json"

_PLAIN_DEFAULTS = (bool, int, str)


class BodyObjects:
    """The request bodies of one document."""

    def __init__(self, components: Components, shapes: ShapeSchemas, audience: Audience, wire_name: WireName) -> None:
        self._components = components
        self._shapes = shapes
        self._audience = audience
        self._wire_name = wire_name

    def of_verb(self, served: ServedModel, verb: str, method: str, envelope: BodyEnvelope | None) -> Schema:
        """The body of a creation, or of a change."""
        fields = self._audience.fields(served)
        is_change = verb == "update"
        settable = fields.updatable if is_change else fields.creatable
        members = served.bodies.get(verb)
        attributes = served.entity.attributes if members is None else members
        shown = {name: item for name, item in attributes.items() if name in settable and not served.fields[name].hidden}
        dto = served.resource.updates if is_change else served.resource.creates
        name = f"{served.entity.name}{verb.title()}" if dto is None else dto.__name__
        keys = served.addressed.entity.key.names
        schema = self._components.schema(
            ("body", served, verb),
            name,
            lambda: self._schema(
                shown,
                frozenset() if is_change else served.required & settable,
                own_docs(dto) if dto else "",
                is_new=not is_change,
                keys=keys,
            ),
            f"{served.entity.name}{verb.title()}",
        )
        example = self._example(shown, is_partial=is_change, required=served.required)
        return _body(schema, envelope, _types(method, is_merged=is_change), example)

    def of_endpoint(self, body: BodyParameter, method: str, envelope: BodyEnvelope | None) -> Schema:
        """The body of an endpoint."""
        is_required = body.default is MISSING
        if body.raw is not None:
            return {
                "required": False,  # what is empty is bytes as well
                "description": f"At most {body.raw.bytes_max} bytes.",
                "content": {kind: {"schema": {}} for kind in ("application/octet-stream", "*/*")},
            }
        if body.dto is not None:
            schema = or_null(self._dto(body.dto), body.dto.may_be_null)
            return _body(schema, envelope, _types(method, is_merged=body.dto.is_partial), NO_EXAMPLE, is_required)
        schema = AnnotationSchemas(self._components, "request", self._wire_name).schema(body.annotation)
        # Of a class whose members clients know by other names none is made.
        example = example_of_annotation(body.annotation) if self._wire_name is str else NO_EXAMPLE
        return _body(schema, envelope, _types(method, is_merged=False), example, is_required)

    def _dto(self, bound: BoundDTO) -> Schema:
        fields = self._audience.fields(bound.served)
        settable = fields.updatable if bound.is_partial else fields.creatable
        shown = {name: item for name, item in bound.attributes.items() if name in settable}
        required = frozenset[str]() if bound.is_partial else bound.served.required & shown.keys()
        name = f"{bound.dto.__name__}{'Partial' if bound.is_partial else ''}"
        key = ("body", bound.dto, bound.is_partial)
        docs = own_docs(bound.dto)
        return self._components.schema(
            key, name, lambda: self._schema(shown, required, docs, is_new=not bound.is_partial), f"{name}Body"
        )

    def _schema(
        self,
        attributes: Mapping[str, Attribute],
        required: Collection[str],
        docs: str,
        *,
        is_new: bool,
        keys: Collection[str] = (),
    ) -> Schema:
        """The schema of a body with these members, of which those in `keys` become a part of the row's path."""
        properties = {item.wire_name: self._property(item, is_new=is_new) for item in attributes.values()}
        for item in (attributes[name] for name in keys if name in attributes):
            if item.shape.form is Form.TEXT:
                properties[item.wire_name].setdefault("pattern", PATH_TEXT)
        needed = [item.wire_name for name, item in attributes.items() if name in required]
        return described(object_schema(properties, needed, is_closed=True), docs)

    def _property(self, attribute: Attribute, *, is_new: bool) -> Schema:
        schema = described_attribute(self._shapes.request(attribute.shape, attribute.name), attribute)
        default = default_of(attribute) if is_new else NO_EXAMPLE
        return dict(schema) if default is NO_EXAMPLE else {**schema, "default": default}

    def _example(self, attributes: Mapping[str, Attribute], *, is_partial: bool, required: Collection[str]) -> Any:
        found = {
            item.wire_name: example_of(item.shape, item.wire_name)
            for name, item in attributes.items()
            if is_partial or name in required or not item.nullable
        }
        if is_partial:
            known = {name: value for name, value in found.items() if value is not NO_EXAMPLE}
            return dict([next(iter(known.items()))]) if known else NO_EXAMPLE
        needed = {item.wire_name for name, item in attributes.items() if name in required}
        known = {name: value for name, value in found.items() if value is not NO_EXAMPLE}
        return known if known.keys() >= needed else NO_EXAMPLE


def default_of(attribute: Attribute) -> Any:
    """The value that a column gets where a body has none, as it stands in JSON; `NO_EXAMPLE` where it is computed."""
    default: Any = attribute.column.default
    if default is None or not default.is_scalar:
        return NO_EXAMPLE
    value = default.arg
    if attribute.shape.form is Form.ENUM:
        value = value.value if isinstance(value, Enum) else dict(attribute.shape.choices).get(value, NO_EXAMPLE)
    if isinstance(value, _PLAIN_DEFAULTS):
        return str(value) if attribute.shape.is_text else value
    try:
        return msgspec.to_builtins(value) if attribute.shape.form is not Form.DOCUMENT else NO_EXAMPLE
    except TypeError:
        return NO_EXAMPLE


def _types(method: str, *, is_merged: bool) -> tuple[str, ...]:
    return (MERGE_PATCH, JSON) if method == "PATCH" and is_merged else (JSON,)


def _body(
    schema: Schema, envelope: BodyEnvelope | None, types: tuple[str, ...], example: Any, is_required: bool = True
) -> Schema:
    if envelope is not None:
        schema = object_schema({envelope.key: schema}, [envelope.key], is_closed=True)
        example = example if example is NO_EXAMPLE else {envelope.key: example}
    media: Schema = {"schema": schema, **({} if example is NO_EXAMPLE else {"example": example})}
    return {"required": is_required, "content": dict.fromkeys(types, media)}
