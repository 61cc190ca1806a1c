"""Types of Python as JSON Schema: bodies and results of own endpoints, and documents with a form.

What `dtos/structured_json.py` reads, and what msgspec writes, member by member.
"""

from collections.abc import Callable, Mapping, Sequence
from enum import EnumType
from typing import Annotated, Any, Literal, cast, get_args, get_origin

import msgspec

from gatepost.declaring.wire_names import WireName
from gatepost.dtos.structured_json import LISTS, column_type_of
from gatepost.dtos.structured_members import (
    alternatives_of,
    has_members,
    has_places,
    is_struct,
    members_of,
    renamed,
    without_metadata,
)
from gatepost.dtos.structured_unions import tag_of
from gatepost.models.constraints import declared_constraints
from gatepost.models.shape import Form, shape_of
from gatepost.openapi.components import Components, Schema
from gatepost.openapi.docstrings import described, own_docs
from gatepost.openapi.pydantic_schemas import pydantic_schemas
from gatepost.openapi.schema_parts import object_schema, or_null
from gatepost.openapi.shape_schemas import ShapeSchemas, Use, constraint_schema
from gatepost.pydantic_models import is_pydantic

_OBJECTS = (dict, Mapping)
_LIST_TYPES = (*LISTS,)

_WRITTEN: Mapping[Form, Schema] = {
    Form.DECIMAL: {"type": "string", "format": "decimal"},
    Form.FLOAT: {"type": ["number", "null"], "format": "double"},  # null for NaN
    Form.INTEGER: {"type": "integer"},
    Form.TIME: {"type": "string"},
    Form.INTERVAL: {"type": "string"},
}
"""What msgspec writes for values of Python, where a body may hold something else."""


class AnnotationSchemas:
    """The schemas of annotations in one document, of what is sent or of what is shown. `wire_name` makes the names of
    members whose class gives them none of its own."""

    def __init__(self, components: Components, use: Use, wire_name: WireName = str) -> None:
        self._components = components
        self._is_request = use == "request"
        self._use = use
        self._wire_name = wire_name

    def schema(self, annotation: Any) -> Schema:
        """The schema of what an annotation admits."""
        plain, metadata = without_metadata(annotation)
        types = alternatives_of(plain)
        if types != (plain,):
            return self._union([Annotated[item, *metadata] if metadata else item for item in types])
        if plain in (None, type(None)):
            return {"type": "null"}
        if (kind := column_type_of(plain)) is not None:
            return self._scalar(kind, metadata)
        constraints = [item for _, item in declared_constraints(metadata)]
        found = self._of_class(plain) or self._of_parts(get_origin(plain) or plain, get_args(plain))
        return {**found, **_constraint_schema(constraints, found)} if constraints else found

    def _scalar(self, kind: Any, metadata: tuple[Any, ...]) -> Schema:
        shape = shape_of(kind, metadata)
        schemas = ShapeSchemas(self._components)
        if self._is_request:
            return schemas.request(shape, "")
        return _WRITTEN.get(shape.form) or schemas.request(shape.unconstrained, "")

    def _union(self, types: Sequence[Any]) -> Schema:
        parts = [item for item in types if without_metadata(item)[0] is not type(None)]
        schemas = [self.schema(item) for item in parts]
        tags = [tag_of(without_metadata(item)[0]) for item in parts]
        if len(parts) == 1:
            found = schemas[0]
        elif all(tags) and all("$ref" in schema for schema in schemas):
            known = cast("list[tuple[str, Any]]", tags)
            mapping = {str(tag): schema["$ref"] for (_, tag), schema in zip(known, schemas, strict=True)}
            found = {"oneOf": schemas, "discriminator": {"propertyName": known[0][0], "mapping": mapping}}
        else:
            found = {"anyOf": schemas}
        return or_null(found, len(parts) < len(types))

    def _of_class(self, annotation: Any) -> Schema | None:
        if is_pydantic(annotation):
            return self._pydantic(annotation)
        if isinstance(annotation, EnumType):
            values = [member.value for member in cast("Any", annotation)]
            return self._component(annotation, lambda kind: {"enum": values})
        make = self._members if has_members(annotation) else self._places if has_places(annotation) else None
        return None if make is None else self._component(annotation, make)

    def _of_parts(self, origin: Any, arguments: tuple[Any, ...]) -> Schema:
        if origin is Literal:
            return {"const": arguments[0]} if len(arguments) == 1 else {"enum": [*arguments]}
        if origin in _OBJECTS:
            return {"type": "object", "additionalProperties": self.schema(arguments[1]) if arguments else {}}
        if origin is tuple and arguments and ... not in arguments:
            return _tuple_schema([self.schema(item) for item in arguments])
        if origin in _LIST_TYPES:
            return {"type": "array", "items": self.schema(arguments[0]) if arguments else {}}
        return {}

    def _component(self, annotation: Any, make: Callable[[Any], Schema]) -> Schema:
        kind = get_origin(annotation) or annotation

        def made() -> Schema:
            return described(make(annotation), own_docs(kind))

        key = (annotation, self._use, self._wire_name is str)
        return self._components.schema(key, _name_of(annotation), made, f"{_name_of(annotation)}{self._use.title()}")

    def _members(self, annotation: Any) -> Schema:
        kind = get_origin(annotation) or annotation
        properties: dict[str, Any] = {}
        required: list[str] = []
        tag = tag_of(annotation)
        if tag is not None:
            properties[tag[0]] = {"type": "string" if isinstance(tag[1], str) else "integer", "const": tag[1]}
            required.append(tag[0])
        is_sparse = is_struct(kind) and kind.__struct_config__.omit_defaults
        for member in renamed(annotation, members_of(annotation), self._wire_name):
            properties[member.key] = self.schema(member.annotation)
            may_be_unset = msgspec.UnsetType in get_args(without_metadata(member.annotation)[0])
            if member.is_required or not (self._is_request or is_sparse or may_be_unset or _is_typed_dict(kind)):
                required.append(member.key)
        return object_schema(properties, required, is_closed=self._is_request)

    def _places(self, annotation: Any) -> Schema:
        members = members_of(annotation)
        return _tuple_schema([self.schema(member.annotation) for member in members])

    def _pydantic(self, kind: Any) -> Schema:
        """The schema that pydantic makes, and those of the classes inside it."""
        key, name = (self._use, self._wire_name is str), _name_of(kind)

        def made() -> Schema:
            found, inner = pydantic_schemas(kind, self._wire_name, is_request=self._is_request)
            refs: dict[str, Schema] = {}
            for part in inner:
                refs[f"#/$defs/{part}"] = self._components.schema((kind, part, *key), part, lambda: {})
            for part, schema in inner.items():
                place = refs[f"#/$defs/{part}"]["$ref"].rpartition("/")[2]
                self._components.sections["schemas"][place] = {**_with_refs(schema, refs), "title": place}
            made = _with_refs({"additionalProperties": False, **found} if self._is_request else found, refs)
            return {key: value for key, value in made.items() if key != "title"}

        return self._components.schema((kind, *key), name, made, f"{name}{self._use.title()}")


def _with_refs(schema: Any, refs: Mapping[str, Schema]) -> Any:
    if isinstance(schema, dict):
        known = cast("dict[str, Any]", schema)
        return {
            key: refs[value]["$ref"] if key == "$ref" and value in refs else _with_refs(value, refs)
            for key, value in known.items()
        }
    return [_with_refs(item, refs) for item in cast("Any", schema)] if isinstance(schema, list) else schema


def _tuple_schema(items: list[Schema]) -> Schema:
    return {"type": "array", "prefixItems": items, "minItems": len(items), "maxItems": len(items)}


def _constraint_schema(constraints: Sequence[Any], found: Schema) -> Schema:
    return constraint_schema(constraints, Form.ARRAY) if found.get("type") == "array" else {}


def _is_typed_dict(kind: Any) -> bool:
    return hasattr(kind, "__required_keys__")


def _name_of(annotation: Any) -> str:
    name: str = getattr(annotation, "__name__", str(annotation))
    arguments = get_args(annotation)
    return name if not arguments else "_".join([name, *(getattr(item, "__name__", str(item)) for item in arguments)])
