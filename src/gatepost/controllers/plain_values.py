"""Plain data that endpoints return, as JSON: Structs, dataclasses and pydantic models alike. In dialects that rename,
members of classes have the names that clients know. Keys of dicts are data, and stay."""

import dataclasses
from collections.abc import Callable, Mapping
from collections.abc import Set as AbstractSet
from functools import partial
from typing import Any, NamedTuple, cast

import msgspec

from gatepost.controllers.responses import encode
from gatepost.declaring.wire_names import WireName
from gatepost.dtos.renamed_documents import document_names
from gatepost.dtos.structured_members import Member, is_struct, renamed
from gatepost.models.json_of import document_of
from gatepost.pydantic_models import is_pydantic

_SCALARS = (str, int, float, bool, type(None), bytes)


class _Written(NamedTuple):
    """How instances of a class are written: their members by the names that msgspec gives them, and their tag. Where
    the class `omits_defaults`, only msgspec knows which of its members an instance shows."""

    members: Mapping[str, Member]
    tag: Mapping[str, Any]
    omits_defaults: bool


def value_encoder(wire_name: WireName) -> Callable[[Any], bytes]:
    """What writes values as JSON."""
    if wire_name is str:
        return encode
    renaming = _Renaming(wire_name)
    return lambda value: encode(renaming.of(value))


class _Renaming:
    """Makes dicts and lists of what has renamed members. Each class is read once."""

    def __init__(self, wire_name: WireName) -> None:
        self._wire_name = wire_name
        self._classes: dict[type[Any], Callable[[Any], Any]] = {}

    def of(self, value: Any) -> Any:
        """The value with the names that clients know."""
        kind = value.__class__
        if kind in _SCALARS:
            return value
        if isinstance(value, dict):
            return {key: self.of(item) for key, item in cast("Mapping[Any, Any]", value).items()}
        if isinstance(value, list | tuple | AbstractSet):
            return [self.of(item) for item in cast("list[Any]", value)]
        if kind not in self._classes:
            self._classes[kind] = self._read(kind)
        return self._classes[kind](value)

    def _members(self, value: Any, written: _Written) -> dict[str, Any]:
        shown = _shown(value) if written.omits_defaults else written.members
        found = {each.key: getattr(value, each.name) for name, each in written.members.items() if name in shown}
        return {**written.tag, **{key: self.of(item) for key, item in found.items() if item is not msgspec.UNSET}}

    def _read(self, kind: type[Any]) -> Callable[[Any], Any]:
        """What makes a dict of an instance of a class, or leaves it to the encoder."""
        if is_struct(kind):
            config = cast("Any", kind).__struct_config__
            if config.array_like:
                return _unchanged
            members = [Member(item.name, item.encode_name, None, True) for item in msgspec.structs.fields(kind)]
            tag = {} if config.tag is None else {config.tag_field: config.tag}
            return self._written(kind, members, tag, omits_defaults=config.omit_defaults)
        if dataclasses.is_dataclass(kind):
            members = [Member(item.name, item.name, None, True) for item in dataclasses.fields(kind)]
            return self._written(kind, members, {}, omits_defaults=False)
        if is_pydantic(kind):
            names = document_names(kind, self._wire_name, is_closed=False)
            return lambda value: names.write(document_of(value))
        return _unchanged

    def _written(
        self, kind: type[Any], members: list[Member], tag: Mapping[str, Any], *, omits_defaults: bool
    ) -> Callable[[Any], Any]:
        names = [member.key for member in members]
        found = dict(zip(names, renamed(kind, members, self._wire_name), strict=True))
        return partial(self._members, written=_Written(found, tag, omits_defaults))


def _unchanged(value: Any) -> Any:
    return value


def _shown(value: Any) -> Mapping[str, Any]:
    """The members of an instance that msgspec would write."""
    return cast("Mapping[str, Any]", msgspec.to_builtins(value, enc_hook=lambda item: None))
