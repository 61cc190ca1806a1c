"""What a document has and the value made of it lacks: pydantic and msgspec drop members that a class does not know, and
a client would lose them without a word.

The document is compared with the value itself, by the names that its classes are read by. Each pydantic model that says
`extra=` decides about its own unknown members.
"""

import dataclasses
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any, cast

from gatepost.dtos.body_errors import unknown_field
from gatepost.dtos.structured_members import is_struct, pydantic_keys
from gatepost.dtos.violations import Violation
from gatepost.json_pointers import escape
from gatepost.models.json_of import document_of
from gatepost.pydantic_models import is_pydantic


def dropped_members(given: Any, value: Any, pointer: str = "") -> Iterator[Violation]:
    """The members of a document that are not in the value that was made of it."""
    if _is_root(value):
        yield from dropped_members(given, value.root, pointer)
    elif isinstance(given, dict):
        yield from _of_object(cast("dict[str, Any]", given), value, pointer)
    elif isinstance(given, list) and isinstance(value, list | tuple):
        for index, (item, made) in enumerate(zip(cast("Any", given), cast("Any", value), strict=False)):
            yield from dropped_members(item, made, f"{pointer}/{index}")


def _is_root(value: Any) -> bool:
    """Whether a value is a pydantic model without members: its document is that of its root."""
    return bool(getattr(value.__class__, "__pydantic_root_model__", False))


def _of_object(given: dict[str, Any], value: Any, pointer: str) -> Iterator[Violation]:
    if isinstance(value, dict):
        made: Mapping[Any, Any] = cast("Any", value)
        if len(made) == len(given):  # keys of numbers, dates and the like are not the texts that were sent
            known: Mapping[str, Any] = dict(zip(given, made.values(), strict=True))
        else:
            known = {str(key): item for key, item in made.items()}
        yield from _compared(given, known, pointer)
    elif is_pydantic(value.__class__):
        keys = _pydantic_keys(value.__class__)
        known = {key: getattr(value, name, None) if name else given.get(key) for key, name in keys.items()}
        yield from _compared(given, known, pointer, is_open=value.model_config.get("extra") is not None)
    elif is_struct(value.__class__) or dataclasses.is_dataclass(value):
        document = document_of(value)
        if isinstance(document, dict):
            yield from _compared(given, cast("dict[str, Any]", document), pointer)


_pydantic_keys = lru_cache(1024)(pydantic_keys)


def _compared(
    given: dict[str, Any], known: Mapping[str, Any], pointer: str, *, is_open: bool = False
) -> Iterator[Violation]:
    for name, item in given.items():
        below = f"{pointer}/{escape(name)}"
        if name in known:
            yield from dropped_members(item, known[name], below)
        elif not is_open:
            yield unknown_field(name, known, below)
