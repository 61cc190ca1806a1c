"""Paths into JSON documents, which a resource declares for filters: `Resource(filter=["data.color"])`.

Each path has a B-tree index of the value at its end. A containment (`data @> '{"color": "red"}'`), which one GIN index
serves for all paths, is not used: PostgreSQL cannot estimate how many rows it finds, and reads the whole table in the
order of its key where it expects many.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple, cast

import sqlalchemy as sa
from msgspec import inspect
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.dialects.postgresql import operators as json_operators
from sqlalchemy.sql.elements import Grouping
from sqlalchemy.sql.operators import json_getitem_op, json_path_getitem_op
from sqlalchemy.types import TypeEngine

from gatepost.models.index_uses import Use
from gatepost.models.literals import literal_text
from gatepost.models.operators import Operator
from gatepost.pydantic_models import is_pydantic

SEPARATOR = "."


def field_of(name: str) -> str:
    """The field that a path begins with; a name without a path is one."""
    return name.partition(SEPARATOR)[0]


def keys_of(path: str) -> list[str]:
    """The keys that a path leads over."""
    return path.split(SEPARATOR)[1:]


def value_at(column: sa.ColumnElement[Any], path: str) -> sa.ColumnElement[Any]:
    """The JSON value at the end of a path; NULL where there is none. The keys are part of the SQL, as in the index."""
    return sa.func.jsonb_extract_path(column, *map(literal_text, keys_of(path)), type_=JSONB())


class DocumentPath(NamedTuple):
    """What an expression reads of a document: the value at the end of these keys."""

    column: "sa.Column[Any]"
    keys: list[str]


def document_path(expression: Any) -> DocumentPath | None:
    """The path that an expression is, such as `value_at()` or `data["color"].astext`; None for any other."""
    if isinstance(expression, Grouping | sa.Label):
        return document_path(cast("Any", expression).element)
    if isinstance(expression, sa.Function) and expression.name.startswith(("jsonb_extract_path", "json_extract_path")):
        column, *texts = expression.clauses
        keys = [_literal(text) for text in texts]
        if isinstance(column, sa.Column) and None not in keys:
            return DocumentPath(column, cast("list[str]", keys))
    if isinstance(expression, sa.BinaryExpression) and cast("Any", expression).operator in _STEPS:
        left, right = cast("Any", expression).left, cast("Any", expression).right
        inner = DocumentPath(cast("Any", left), []) if isinstance(left, sa.Column) else document_path(left)
        key = getattr(right, "value", None)
        names: Any = [key] if isinstance(key, str) else key
        if inner is not None and isinstance(names, list | tuple):
            return DocumentPath(inner.column, [*inner.keys, *map(str, cast("Iterable[Any]", names))])
    return None


_AS_TEXT: Any = json_operators
_STEPS: Any = (json_getitem_op, json_path_getitem_op, _AS_TEXT.ASTEXT, _AS_TEXT.JSONPATH_ASTEXT)


def _literal(element: Any) -> str | None:
    """The text of a `literal_text()`."""
    is_literal = isinstance(element, sa.ColumnClause) and element.is_literal and element.name[:1] == "'"
    return element.name[1:-1].replace("''", "'") if is_literal else None


def path_operators(path: str) -> dict[str, Operator]:
    """What a path can be filtered by. A text in a query string may stand for several JSON values, so that each value of
    these operators is a list of them."""

    def is_one_of(column: sa.ColumnElement[Any], values: Any) -> sa.ColumnElement[bool]:
        return value_at(column, path) == sa.any_(values)

    found = (
        Operator("eq", Use.EQUAL, is_one_of, bound_as=_values),
        Operator("in", Use.EQUAL, is_one_of, "list", convert=_all_values, bound_as=_values),
    )
    return {item.name: item for item in found}


def _values(kind: TypeEngine[Any]) -> TypeEngine[Any]:
    return sa.ARRAY(JSONB())


def _all_values(members: Iterable[Iterable[Any]]) -> list[Any]:
    return [value for values in members for value in values]


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
