"""How long the value at the end of a path into a document with a form (`JSONOf`) may be, as its class declares it.

Asked when the app is built, for the entries of indexes.
"""

import dataclasses
import enum
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, cast, get_args, get_origin, get_type_hints
from uuid import UUID

import msgspec

from gatepost.models.constraints import declared_constraints
from gatepost.pydantic_models import is_pydantic

_CHARACTER_BYTES_MAX = 4
_SCALAR_BYTES_MAX = 512
"""More than an entry has for a number with as many digits as Gatepost admits, a date or a UUID."""

_SCALARS = (NoneType, bool, int, float, Decimal, UUID, datetime, date, time, timedelta)


def value_bytes_max(kind: Any, keys: Sequence[str]) -> int | None:
    """The most bytes that a text, a number or the like at the end of a path of this class has; None where nothing
    bounds it, and where no single value is there."""
    found = [_bytes_max(annotation) for annotation in _at(kind, keys)]
    return None if None in found or not found else max(cast("list[int]", found))


def _at(annotation: Any, keys: Sequence[str]) -> list[Any]:
    """The annotations of what may be at the end of a path; `Any` where that is not known."""
    if not keys:
        return [annotation]
    found: list[Any] = []
    for part in _parts(annotation):
        members = _members(_plain(part))
        if members is None:
            return [Any]
        if keys[0] in members:
            found += _at(members[keys[0]], keys[1:])
    return found


def _parts(annotation: Any) -> list[Any]:
    """The parts of a union, with what is said of the whole."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return [Annotated[(part, *arguments[1:])] for part in _parts(arguments[0])]
    return [each for part in arguments for each in _parts(part)] if origin in (Union, UnionType) else [annotation]


def _plain(annotation: Any) -> Any:
    return get_args(annotation)[0] if get_origin(annotation) is Annotated else annotation


def _metadata(annotation: Any) -> tuple[Any, ...]:
    return get_args(annotation)[1:] if get_origin(annotation) is Annotated else ()


def _members(kind: Any) -> Mapping[str, Any] | None:
    """The annotations of a class's members by their keys; None where any key may be there."""
    if not isinstance(kind, type):
        return None
    if is_pydantic(kind):
        model: Any = kind
        return {
            field.serialization_alias or field.alias or name: Annotated[(field.annotation, *field.metadata, None)]
            for name, field in model.model_fields.items()
        }
    if issubclass(kind, msgspec.Struct):
        config = kind.__struct_config__
        tag: dict[str, Any] = {} if config.tag_field is None else {config.tag_field: Literal[config.tag]}
        return tag | {field.encode_name: field.type for field in msgspec.structs.fields(kind)}
    if dataclasses.is_dataclass(cast("Any", kind)):
        return get_type_hints(cast("Any", kind), include_extras=True)
    return {} if issubclass(kind, (*_SCALARS, str)) else None


def _bytes_max(annotation: Any) -> int | None:
    sizes = [_part_bytes_max(_plain(part), _metadata(part)) for part in _parts(annotation)]
    return None if None in sizes else max(cast("list[int]", sizes))


def _part_bytes_max(kind: Any, metadata: Iterable[Any]) -> int | None:
    if get_origin(kind) is Literal:
        return max(_text_bytes(value) for value in get_args(kind))
    if kind is None:
        return _SCALAR_BYTES_MAX
    if not isinstance(kind, type):
        return None
    if issubclass(kind, enum.Enum):
        return max((_text_bytes(item.value) for item in kind), default=0)
    if issubclass(kind, str):
        lengths = [*_lengths(metadata)]
        return min(lengths) * _CHARACTER_BYTES_MAX if lengths else None
    return _SCALAR_BYTES_MAX if issubclass(kind, _SCALARS) else None


def _text_bytes(value: object) -> int:
    return len(str(value).encode())


def _lengths(metadata: Iterable[Any]) -> list[int]:
    kept = list(metadata)
    found = [item.value for _, item in declared_constraints(kept) if item.name == "max_length"]
    return found + [item.max_length for item in kept if isinstance(item, msgspec.Meta) and item.max_length is not None]
