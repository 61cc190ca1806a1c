"""Bodies of own endpoints: a Struct, a dataclass or a pydantic model, as the endpoint's signature says.

Read as documents with a form are (`structured_json.py`): strict JSON, exact numbers, constraints of annotated-types in
all kinds of classes, and every violation with its pointer. A good body is decoded in one pass; the strict reader reads
what is refused, or what only it can tell.
"""

from collections.abc import Callable, Sequence
from typing import Any, cast

import msgspec

from gatepost.declaring.wire_names import WireName
from gatepost.dtos import json_values
from gatepost.dtos.foreign_types import Read
from gatepost.dtos.json_values import Bounds, NumberReader, members
from gatepost.dtos.strict_json import may_hide_keys, may_hold_nul, read_json
from gatepost.dtos.structured_json import reader_of
from gatepost.dtos.structured_members import alternatives_of, has_members, without_metadata
from gatepost.dtos.violations import VIOLATIONS_MAX, Violation, raise_all
from gatepost.errors import Unprocessable
from gatepost.json_pointers import unescape
from gatepost.pydantic_models import is_pydantic

ReadBody = Callable[[bytes], Any]
"""From the bytes of a body to the value of a parameter. Raises `BadRequest("malformed_json")`, `Unprocessable`."""


def is_structure(annotation: Any) -> bool:
    """Whether an annotation is a class whose members are those of a JSON object, or a union of such classes."""
    plain, _ = without_metadata(annotation)
    types = [item for item in alternatives_of(plain) if item is not type(None)]
    if types != [plain]:
        return bool(types) and all(map(is_structure, types))
    return is_pydantic(plain) or has_members(plain)


def compile_structured_body(annotation: Any, location: str, bounds: Bounds, wire_name: WireName = str) -> ReadBody:
    """The reader of bodies that are instances of a class. `wire_name` makes the names of its members. Raises
    `ConfigurationError` for what no body can hold."""
    read = reader_of(annotation, location, wire_name)
    decoder = _Decoder(bounds)

    def read_body(body: bytes) -> Any:
        try:
            return read(decoder.decode(body))
        except _UNDECIDED:
            return _read_strictly(read, read_json(body), bounds)

    return read_body


_UNDECIDED = (msgspec.DecodeError, UnicodeDecodeError, RecursionError, Violation)
"""What the decoder and the readers of members raise for bodies that only the strict reader can decide."""


class _Decoder:
    """Decodes bodies that are certainly strict JSON within the bounds."""

    def __init__(self, bounds: Bounds) -> None:
        self._bounds = bounds
        self._numbers = NumberReader(bounds)
        self._decode = msgspec.json.Decoder(float_hook=self._numbers).decode

    def decode(self, body: bytes) -> Any:
        """The value. Raises one of `_UNDECIDED` where that is not certain."""
        self._numbers.surplus = 0
        value: Any = self._decode(body)
        count = members(value, self._bounds)
        outer = cast("dict[str, Any]", value) if isinstance(value, dict) else {}
        if body.count(b":") != count and may_hide_keys(body, outer, count - len(outer)):
            raise _UNCERTAIN
        if may_hold_nul(body) or not self._numbers.is_within(body):
            raise _UNCERTAIN
        return cast("Any", value)


_UNCERTAIN = Violation("wrong_type", "Only the strict reader can tell.")


def _read_strictly(read: Read, node: Any, bounds: Bounds) -> Any:
    """The value of a body. Raises `Unprocessable` that names every violation: of the bounds, and of the class in the
    rest."""
    beyond: list[Violation] = []
    try:
        value = json_values.read(node, bounds)
    except Violation as violation:
        beyond = [violation, *violation.others]
        value = json_values.read(_without(node, [item.pointer for item in beyond]), BOUNDLESS)
    try:
        raise_all([*beyond, *_violations_of(read, value, beyond)] if beyond else [])
        return read(value)
    except Violation as violation:
        raise refused_body([violation, *violation.others]) from None


BOUNDLESS = Bounds(depth=1_000_000, items=1_000_000_000, number_characters=1_000_000_000)
"""What is left of a body that exceeds its bounds is read without any."""


def _violations_of(read: Read, value: Any, beyond: Sequence[Violation]) -> list[Violation]:
    """What a class refuses of a body, without what follows from the values that were taken out of it."""
    try:
        read(value)
    except Violation as violation:
        found = [violation, *violation.others]
        return [item for item in found if not any(_are_related(item.pointer, other.pointer) for other in beyond)]
    return []


def _are_related(first: str, second: str) -> bool:
    return f"{first}/".startswith(f"{second}/") or f"{second}/".startswith(f"{first}/")


def _without(node: Any, pointers: Sequence[str]) -> Any:
    """A body with null in these places."""
    for pointer in pointers:
        if not pointer:
            return None
        *steps, last = (unescape(token) for token in pointer[1:].split("/"))
        parent = node
        for step in steps:
            parent = parent[_key(parent, step)]
        parent[_key(parent, last)] = None
    return node


def _key(node: Any, step: str) -> Any:
    return int(step) if isinstance(node, list) else step


def refused_body(violations: Sequence[Violation]) -> Unprocessable:
    """The refusal of a body with these violations."""
    errors = sorted(item.error() for item in violations[:VIOLATIONS_MAX])
    count = "one violation" if len(errors) == 1 else f"{len(errors)} violations"
    return Unprocessable("invalid_body", f"The body has {count}; see errors.", errors=errors)
