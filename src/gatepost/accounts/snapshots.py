"""The part of a user's row that is kept in memory: the key as the model has it, and a read-only snapshot for
policies."""

from collections.abc import Callable
from types import MappingProxyType
from typing import Any, cast
from uuid import UUID

import msgspec
from sqlalchemy import Column

from gatepost.actor import ActorId
from gatepost.database.statements import DIALECT
from gatepost.errors import ConfigurationError
from gatepost.models.entity import Entity

SECRET = "password_hash"  # noqa: S105 - the name of the attribute whose column is in no snapshot

_FREEZE: dict[type, Callable[[Any], Any]] = {set: frozenset, bytearray: bytes}


def key_parser(entity: Entity) -> Callable[[str], ActorId]:
    """The function from the key as text to its value; it raises `ValueError` for a text that is not a key.

    Raises `ConfigurationError` for a key that no token can carry.
    """
    kind = entity.single_key.shape.python_type
    if kind not in (UUID, int, str):
        raise ConfigurationError(
            f"has a key of type {getattr(kind, '__name__', kind)}.",
            location=f"{entity.name}.{entity.single_key.name}",
            hint="Give users a key of type UUID, int or str.",
        )
    return _parse_int if kind is int else cast("Callable[[str], ActorId]", kind)


def value_reader(column: Column[Any]) -> Callable[[Any], Any]:
    """The function from asyncpg's value to the one the ORM would give."""
    processor = cast("Any", column.type).dialect_impl(DIALECT).result_processor(DIALECT, None)
    return processor if processor is not None else _same


def kept_names(entity: Entity) -> list[str]:
    """The attributes of a snapshot: all except those of the password hash's column."""
    secret = entity.attributes[SECRET].column
    return [name for name, item in entity.attributes.items() if item.column is not secret]


def frozen(value: Any) -> Any:
    """A value that cannot be changed at any depth: requests share a snapshot. Lists become tuples, dicts mapping
    proxies; an instance of the application's own class stays as it is."""
    # Not recursive, because another program may have stored a document of any depth.
    values: list[Any] = [value]
    for item in values:  # grows meanwhile: each container stands before what it holds
        if item.__class__ is dict:
            values.extend(item.values())
        elif item.__class__ in (list, tuple):
            values.extend(item)
    done: dict[int, Any] = {}
    for item in reversed(values):
        if item.__class__ is dict:
            done[id(item)] = MappingProxyType({name: done.get(id(held), held) for name, held in item.items()})
        elif item.__class__ in (list, tuple):
            done[id(item)] = tuple([done.get(id(held), held) for held in item])
        elif item.__class__ in _FREEZE:
            done[id(item)] = _FREEZE[item.__class__](item)
    return done.get(id(value), value)


def snapshot_type(entity: Entity) -> Callable[..., Any]:
    """The frozen struct with the model's attributes, without the password hash."""
    return msgspec.defstruct(f"{entity.name}Snapshot", kept_names(entity), frozen=True)


def snapshot_reader(entity: Entity) -> Callable[[Any], Any]:
    """The function from a row to its snapshot."""
    snapshot = snapshot_type(entity)
    readers = [(name, value_reader(entity.attributes[name].column)) for name in kept_names(entity)]

    def read(row: Any) -> Any:
        return snapshot(*(frozen(reader(row[name])) for name, reader in readers))

    return read


def _same(value: Any) -> Any:
    return value


def _parse_int(text: str) -> int:
    value = int(text) if len(text) <= 20 else 1 << 64
    if not -(1 << 63) <= value < 1 << 63:
        raise ValueError("beyond a bigint")
    return value
