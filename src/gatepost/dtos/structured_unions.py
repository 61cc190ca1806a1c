"""Unions: which of its types a JSON value is, by its kind of JSON, and for objects by their tag."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal
from enum import EnumType
from typing import Any, Literal, NamedTuple, cast, get_args, get_origin

from gatepost.dtos.foreign_types import Read
from gatepost.dtos.json_input import noun_of
from gatepost.dtos.strict_json import as_node
from gatepost.dtos.structured_members import alternatives_of, has_members, has_places, is_struct, without_metadata
from gatepost.dtos.structured_objects import not_a_choice, object_of
from gatepost.dtos.violations import Violation, wrong_type
from gatepost.errors import ConfigurationError
from gatepost.json_pointers import escape
from gatepost.pydantic_models import is_pydantic

_NUMBERS = (int, Decimal)
_ALL: tuple[type, ...] = (str, bool, *_NUMBERS, list, dict)
_NOUNS: Mapping[type, str] = {
    str: "a text",
    bool: "true or false",
    int: "a number",
    Decimal: "a number",
    list: "a list",
    dict: "an object",
}


class Alternative(NamedTuple):
    """One type of a union: `kinds` are the Python types of the JSON values that it may be."""

    kinds: tuple[type, ...]
    read: Read
    tag: tuple[str, Any] | None


def union_reader(types: Sequence[Any], reader: Callable[[Any], Read], json_kind: Any, location: str) -> Read:
    """The reader of a union without null. `json_kind` says by which kinds of JSON the values of a column's type are
    written. Raises `ConfigurationError` where two types are objects that nothing tells apart."""
    found = [Alternative(_kinds_of(item, json_kind), reader(item), tag_of(item)) for item in types]
    by_kind = {kind: [item for item in found if kind in item.kinds] for kind in _ALL}
    readers = {kind: _one_of(items) for kind, items in by_kind.items() if items}
    objects = by_kind[dict]
    if len(objects) > 1:
        readers[dict] = _tagged_reader(objects, types, location)
    expected = " or ".join(dict.fromkeys(_NOUNS[kind] for kind in readers))

    def read(value: Any) -> Any:
        if value.__class__ not in readers:
            raise wrong_type(expected, noun_of(as_node(value)))
        return readers[value.__class__](value)

    return read


def tag_of(annotation: Any) -> tuple[str, Any] | None:
    """The member of the documents of a tagged Struct that says so, and its value."""
    kind = get_origin(annotation) or annotation
    if not is_struct(kind) or kind.__struct_config__.array_like or kind.__struct_config__.tag is None:
        return None
    return kind.__struct_config__.tag_field, kind.__struct_config__.tag


def _one_of(items: Sequence[Alternative]) -> Read:
    """The reader of the first type that a value fits; the violations are those of the last."""
    if len(items) == 1:
        return items[0].read

    def read(value: Any) -> Any:
        for item in items[:-1]:
            try:
                return item.read(value)
            except Violation:
                continue
        return items[-1].read(value)

    return read


def _tagged_reader(items: Sequence[Alternative], types: Sequence[Any], location: str) -> Read:
    fields = {None if item.tag is None else item.tag[0] for item in items}
    by_tag = {item.tag[1]: item.read for item in items if item.tag is not None}
    if None in fields or len(fields) > 1 or len(by_tag) < len(items):
        names = " | ".join(getattr(item, "__name__", str(item)) for item in types)
        raise ConfigurationError(
            f"has {names}, whose documents nothing tells apart.",
            location=location,
            hint='Declare them as Structs with a tag: class Card(msgspec.Struct, tag="card").',
        )
    field = str(fields.pop())

    def read(value: Any) -> Any:
        given = object_of(value)
        if field not in given:
            raise Violation("required", "The field is missing.", f"/{escape(field)}")
        tag = given[field]
        if tag.__class__ not in (str, int) or tag not in by_tag:
            raise not_a_choice([*by_tag], f"/{escape(field)}")
        return by_tag[tag](value)

    return read


def _kinds_of(annotation: Any, json_kind: Callable[[Any], tuple[type, ...] | None]) -> tuple[type, ...]:
    plain, _ = without_metadata(annotation)
    if len(parts := alternatives_of(plain)) > 1:
        return tuple({kind for part in parts for kind in _kinds_of(part, json_kind)})
    if (kinds := json_kind(plain)) is not None:
        return kinds
    if isinstance(plain, EnumType):
        return _kinds_of_values([member.value for member in cast("Iterable[Any]", plain)])
    if get_origin(plain) is Literal:
        return _kinds_of_values(get_args(plain))
    if has_members(plain) or is_pydantic(plain):
        return (dict,)
    return (list,) if has_places(plain) else _ALL


def _kinds_of_values(values: Sequence[Any]) -> tuple[type, ...]:
    return tuple({value.__class__ for value in values})
