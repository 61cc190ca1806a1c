"""Schemas of JSON Schema 2020-12, taken apart for comparison: references resolved, `allOf` merged, and one variant for
each type and each branch of `anyOf` and `oneOf`.
"""

import operator
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, cast

Schema = Mapping[str, Any]


class InvalidDocument(ValueError):
    """What should be an OpenAPI document is not one. The text is a sentence."""


NOTHING: Schema = {"enum": []}
"""The schema `false`: no value fits."""

_BRANCHES = ("anyOf", "oneOf")
_TYPES_OF = {bool: "boolean", int: "integer", float: "number", str: "string", list: "array", dict: "object"}

_BOUNDS: Mapping[str, Callable[[Any, Any], bool]] = {
    "minimum": operator.ge,
    "maximum": operator.le,
    "exclusiveMinimum": operator.gt,
    "exclusiveMaximum": operator.lt,
}

_LOWEST = ("maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties")
_HIGHEST = ("minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties")


class SchemaReader:
    """Reads the schemas of one OpenAPI document, `root`."""

    def __init__(self, root: Mapping[str, Any]) -> None:
        self._root = root

    def variants(self, schema: object) -> list[Schema]:
        """The schemas without references and branches, one of which a value has to fit. Each has one type or none, and
        each value of an `enum` is the `const` of its own."""
        return [variant for branch in self._branches(schema, ()) for variant in _by_value(branch)]

    def resolved(self, part: object) -> Mapping[str, Any]:
        """A part of the document, such as a parameter or a response, without its reference. Raises `InvalidDocument`
        for a reference that leads nowhere."""
        found: Any = part
        seen: set[str] = set()
        while "$ref" in (current := _mapping(found)):
            reference: str = current["$ref"]
            if reference in seen:
                raise InvalidDocument(f"The reference {reference!r} leads to itself.")
            seen.add(reference)
            beside = {key: value for key, value in current.items() if key != "$ref"}
            found = {**_mapping(self._at(reference)), **beside}
        return current

    def _at(self, reference: str) -> object:
        if not reference.startswith("#/"):
            raise InvalidDocument(f"The reference {reference!r} leads out of the document.")
        found: Any = self._root
        for step in reference[2:].split("/"):
            name = step.replace("~1", "/").replace("~0", "~")
            if not isinstance(found, Mapping) or name not in found:
                raise InvalidDocument(f"The reference {reference!r} leads nowhere.")
            found = cast("Schema", found)[name]
        return found

    def _branches(self, schema: object, outer: tuple[str, ...]) -> Iterator[Schema]:
        """The alternatives of a schema. `outer` are the references that led here."""
        if schema is True:
            schema = {}
        elif schema is False:
            schema = NOTHING
        found = _mapping(schema)
        reference = found.get("$ref")
        if isinstance(reference, str):
            if reference in outer:
                raise InvalidDocument(f"The reference {reference!r} leads to itself.")
            beside = {key: value for key, value in found.items() if key != "$ref"}
            parts = [self._at(reference), *([beside] if _asserts(beside) else [])]
            yield from self._all_of(parts, (*outer, reference))
            return
        for key in ("allOf", *_BRANCHES):
            if key in found:
                beside = {name: value for name, value in found.items() if name != key}
                if key == "allOf":
                    yield from self._all_of([beside, *found[key]], outer)
                else:
                    for branch in found[key]:
                        yield from self._all_of([beside, branch], outer)
                return
        yield found

    def _all_of(self, parts: Sequence[object], outer: tuple[str, ...]) -> Iterator[Schema]:
        """The alternatives of a value that has to fit every part."""
        first, *others = parts
        if not others:
            yield from self._branches(first, outer)
            return
        for left in self._branches(first, outer):
            for right in self._all_of(others, outer):
                yield _both(left, right)


def admits(variant: Schema, value: Any) -> bool:
    """Whether a plain value fits the type, the values and the bounds of a variant."""
    if "const" in variant and not _equal(variant["const"], value):
        return False
    kind = type_of(value)
    wanted = variant.get("type")
    if wanted is not None and wanted != kind and not (wanted == "number" and kind == "integer"):
        return False
    if kind in ("integer", "number"):
        return all(fits(value, variant[name]) for name, fits in _BOUNDS.items() if name in variant)
    if kind == "string":
        return bool(variant.get("minLength", 0) <= len(value) <= variant.get("maxLength", len(value)))
    return True


def type_of(value: Any) -> str:
    """The type of JSON that a value has."""
    return "null" if value is None else _TYPES_OF[type(value)]


def _equal(left: Any, right: Any) -> bool:
    return type_of(left) == type_of(right) and bool(left == right)


def _by_value(schema: Schema) -> Iterator[Schema]:
    """A schema of one type for each type, and of one value for each value of its `enum`."""
    types = schema.get("type")
    rest = {key: value for key, value in schema.items() if key not in ("type", "enum")}
    kinds: list[str | None] = [types] if types is None or isinstance(types, str) else list(types)
    if "number" in kinds:
        kinds = [kind for kind in kinds if kind != "integer"]
    typed = [rest if kind is None else {**rest, "type": kind} for kind in kinds]
    if "enum" not in schema:
        yield from typed
        return
    for value in schema["enum"]:
        if any(admits(variant, value) for variant in typed):
            yield {"type": type_of(value), "const": value}


def _both(left: Schema, right: Schema) -> Schema:
    """A schema that admits what both admit."""
    merged = dict(left)
    for key, value in right.items():
        merged[key] = value if key not in merged else _joined(key, merged[key], value)
    return merged


def _joined(key: str, left: Any, right: Any) -> Any:
    join = _JOINED.get(key)
    return right if left == right or join is None else join(left, right)


def _joined_properties(left: Schema, right: Schema) -> Schema:
    names = dict.fromkeys([*left, *right])
    return {name: _every(*(part[name] for part in (left, right) if name in part)) for name in names}


def _every(*parts: Any) -> Any:
    return parts[0] if len(parts) == 1 else {"allOf": [*parts]}


def _types(kinds: str | Sequence[str]) -> list[str]:
    listed = [kinds] if isinstance(kinds, str) else [*kinds]
    return [*listed, "integer"] if "number" in listed else listed


_JOINED: Mapping[str, Callable[[Any, Any], Any]] = {
    **dict.fromkeys(_LOWEST, min),
    **dict.fromkeys(_HIGHEST, max),
    "required": lambda left, right: [*dict.fromkeys([*left, *right])],
    "type": lambda left, right: [kind for kind in _types(left) if kind in _types(right)],
    "enum": lambda left, right: [value for value in left if any(_equal(value, other) for other in right)],
    "properties": _joined_properties,
    "items": _every,
    "additionalProperties": _every,
}
"""How keywords of two schemas are joined that both have to hold; of any other, the second counts."""


def _asserts(beside: Schema) -> bool:
    """Whether what stands beside a reference says more than words."""
    return bool(beside.keys() - {"title", "description", "default", "examples", "deprecated"})


def _mapping(found: object) -> Mapping[str, Any]:
    if not isinstance(found, Mapping):
        raise InvalidDocument(f"{found!r} stands where an object belongs.")
    return cast("Mapping[str, Any]", found)
