"""Small parts that schemas of all kinds have."""

from collections.abc import Mapping
from typing import Any

from gatepost.openapi.components import Schema

RELATION_FILTERS = "x-relation-filters"
"""Of an operation: the relations that its filters may follow, each with the operation whose filters go on from there,
or with the names of the fields."""

PERSONAL_EXTENSION = "x-personal"
"""Of a member: true where its values are personal data."""


def or_null(schema: Schema, nullable: bool) -> Schema:
    """The schema of a value that may be null."""
    if not nullable or not schema:  # anything is null as well
        return schema
    kind = schema.get("type")
    if isinstance(kind, str) and "enum" not in schema:
        return {**schema, "type": [kind, "null"]}
    if schema.keys() <= {"anyOf", "description"} and "anyOf" in schema:
        return {**schema, "anyOf": [*schema["anyOf"], {"type": "null"}]}
    return {"anyOf": [schema, {"type": "null"}]}


def object_schema(properties: Mapping[str, Any], required: list[str], *, is_closed: bool = False) -> Schema:
    """The schema of an object; one that is closed has no other members."""
    found: Schema = {"type": "object", "properties": dict(properties)}
    if required:
        found["required"] = required
    if is_closed:
        found["additionalProperties"] = False
    return found
