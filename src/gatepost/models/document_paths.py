"""Paths into JSON documents, which a resource declares for filters: `Resource(filter=["data.color"])`.

Such a filter is a containment, `data @> '{"color": "red"}'`: one GIN index of the column serves all its paths, however
long the values are. It compares as JSON does: numbers by their value, texts letter by letter.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, cast

import sqlalchemy as sa
from msgspec import inspect
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.types import TypeEngine

from gatepost.models.index_uses import Use
from gatepost.models.json_of import is_pydantic
from gatepost.models.operators import Operator

SEPARATOR = "."


def field_of(name: str) -> str:
    """The field that a path begins with; a name without a path is one."""
    return name.partition(SEPARATOR)[0]


def path_operators(path: str) -> dict[str, Operator]:
    """What a path can be filtered by. A text in a query string may stand for several JSON values, so that each value of
    these operators is a list of them."""
    keys = path.split(SEPARATOR)[1:]

    def equal(values: Iterable[Any]) -> list[Any]:
        return [_document(keys, value) for value in values]

    def equal_to_one(members: Iterable[Iterable[Any]]) -> list[Any]:
        return equal(value for values in members for value in values)

    def has(values: Iterable[Any]) -> list[Any]:
        return equal([value] for value in values)

    found = (
        Operator("eq", Use.CONTAINMENT, _contains, convert=equal, bound_as=_documents),
        Operator("in", Use.CONTAINMENT, _contains, "list", convert=equal_to_one, bound_as=_documents),
        Operator("has", Use.CONTAINMENT, _contains, convert=has, bound_as=_documents),
    )
    return {item.name: item for item in found}


def _contains(column: sa.ColumnElement[Any], documents: Any) -> sa.ColumnElement[bool]:
    return column.bool_op("@>")(sa.any_(documents))


def _documents(kind: TypeEngine[Any]) -> TypeEngine[Any]:
    return sa.ARRAY(JSONB())


def _document(keys: list[str], value: Any) -> Any:
    """The smallest document with this value at the end of the path."""
    for key in reversed(keys):
        value = {key: value}
    return value


def unknown_key(kind: Any, keys: Sequence[str]) -> tuple[str, list[str]] | None:
    """The first key of a path that documents of a class (`JSONOf`) never have, and those that they have there instead.
    None where the path may exist."""
    info: Any = inspect.type_info(kind)
    for key in keys:
        members = _members(info)
        if members is None:
            return None
        if key not in members:
            return key, list(members)
        info = members[key]
    return None


def _members(info: Any) -> Mapping[str, Any] | None:
    """The types of the members by their keys; None where any key may be there."""
    if isinstance(info, inspect.UnionType):
        parts = [_members(part) for part in info.types]
        return None if None in parts else _united(cast("list[Mapping[str, Any]]", parts))
    if isinstance(info, inspect.CustomType) and is_pydantic(info.cls):
        return _pydantic_members(info.cls)
    if isinstance(info, inspect.StructType | inspect.DataclassType | inspect.TypedDictType):
        tag = getattr(info, "tag_field", None)
        found = {field.encode_name: field.type for field in info.fields}
        return found if tag is None else {tag: inspect.StrType(), **found}
    return None if isinstance(info, inspect.CustomType | inspect.DictType | inspect.AnyType) else {}


def _united(parts: Iterable[Mapping[str, Any]]) -> Mapping[str, Any]:
    found: dict[str, tuple[Any, ...]] = {}
    for part in parts:
        for key, info in part.items():
            found[key] = (*found.get(key, ()), info)
    return {key: infos[0] if len(infos) == 1 else inspect.UnionType(infos) for key, infos in found.items()}


def _pydantic_members(kind: Any) -> Mapping[str, Any] | None:
    if kind.model_config.get("extra") == "allow":
        return None
    return {
        field.serialization_alias or field.alias or name: inspect.type_info(field.annotation)
        for name, field in kind.model_fields.items()
    }
