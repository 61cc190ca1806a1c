"""Pydantic models as JSON Schema: pydantic makes it, and the members get the names that clients know."""

from collections.abc import Mapping
from typing import Any, cast, get_args, get_origin

from gatepost.declaring.wire_names import WireName
from gatepost.dtos.renamed_documents import document_names
from gatepost.dtos.structured_members import has_members, members_of, pydantic_members, renamed, without_metadata
from gatepost.openapi.components import Schema
from gatepost.pydantic_models import is_pydantic


def pydantic_schemas(kind: Any, wire_name: WireName, *, is_request: bool) -> tuple[Schema, Mapping[str, Schema]]:
    """The schema of a model, and those of the classes inside it, to which it refers as `#/$defs/...`."""
    mode = "validation" if is_request else "serialization"
    found = cast("Schema", kind.model_json_schema(mode=mode, by_alias=True))
    inner = cast("Mapping[str, Schema]", found.pop("$defs", {}))
    if wire_name is not str:
        classes = _classes_in(kind, {})
        _rename(found, kind, wire_name, is_request=is_request)
        for name, schema in inner.items():
            # Of two classes with one name, pydantic says the modules as well.
            known = classes.get(name) or classes.get(name.rpartition("__")[2])
            if known is not None:
                _rename(schema, known, wire_name, is_request=is_request)
    return found, inner


def _rename(schema: Schema, kind: Any, wire_name: WireName, *, is_request: bool) -> None:
    properties = schema.get("properties")
    if not properties:
        return
    own = pydantic_members(kind) if is_pydantic(kind) else members_of(kind)
    if is_request:
        keys = {old.key: new.key for old, new in zip(own, renamed(kind, own, wire_name), strict=True)}
    else:
        written = document_names(kind, wire_name, is_closed=False).write(dict.fromkeys(properties))
        keys = dict(zip(properties, written, strict=True))
    schema["properties"] = {keys.get(name, name): value for name, value in properties.items()}
    if "required" in schema:
        schema["required"] = [keys.get(name, name) for name in schema["required"]]


def _classes_in(annotation: Any, found: dict[str, Any]) -> dict[str, Any]:
    """The classes with members in an annotation, and inside of them, by their names."""
    plain, _ = without_metadata(annotation)
    kind = get_origin(plain) or plain
    if (is_pydantic(plain) or has_members(plain)) and kind.__name__ not in found:
        found[kind.__name__] = kind
        for member in pydantic_members(plain) if is_pydantic(plain) else members_of(plain):
            _classes_in(member.annotation, found)
    for part in get_args(plain):
        _classes_in(part, found)
    return found
