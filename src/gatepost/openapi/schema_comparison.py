"""What a change of a schema breaks: requests that were accepted and are refused, and responses with what clients never
had to expect.

Requests may accept more, responses may show less of what was possible. An object of a response may have members that
its schema does not name, because clients ignore them; one of a request may not, because the server refuses them.
"""

import json
from collections.abc import Collection, Iterator, Sequence
from typing import Any, Literal, NamedTuple

from gatepost.openapi.list_patterns import names_of
from gatepost.openapi.schema_variants import Schema, SchemaReader, admits

Direction = Literal["request", "response"]

_NUMBERS = ("number", "integer")

_AT_LEAST = ("minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties")
_AT_MOST = ("maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties")

_COMPARED_WHOLE = (
    "not",
    "if",
    "then",
    "else",
    "patternProperties",
    "propertyNames",
    "contains",
    "prefixItems",
    "dependentRequired",
    "dependentSchemas",
    "unevaluatedProperties",
    "unevaluatedItems",
)
"""Keywords of which no change is known to be harmless."""


VALUE_LENGTH_MAX = 60
"""Of a value that a sentence shows."""


class SchemaChange(NamedTuple):
    """What a change breaks: where in the value, as a JSON pointer in which `*` stands for every element, and what."""

    pointer: str
    what: str


class SchemaComparison:
    """Compares schemas of one direction, of an old document with those of a new one."""

    def __init__(self, old: SchemaReader, new: SchemaReader, direction: Direction) -> None:
        self._old = old
        self._new = new
        self._is_request = direction == "request"
        self._compared: set[tuple[str, str]] = set()

    def changes(self, old: object, new: object, pointer: str = "") -> list[SchemaChange]:
        """What breaks from one schema to the other. A pair of schemas that contains itself is compared once."""
        pair = (json.dumps(old, sort_keys=True), json.dumps(new, sort_keys=True))
        if pair in self._compared:
            return []
        self._compared.add(pair)
        try:
            return list(self._variants(self._old.variants(old), self._new.variants(new), pointer))
        finally:
            self._compared.discard(pair)

    def _variants(self, old: Sequence[Schema], new: Sequence[Schema], pointer: str) -> Iterator[SchemaChange]:
        """What was accepted has to be accepted; what is shown has to be what could be shown."""
        given, allowed = (old, new) if self._is_request else (new, old)
        for variant in given:
            similar = [other for other in allowed if _is_similar(variant, other)]
            if not similar:
                said = "is no longer accepted" if self._is_request else "may be the value now"
                yield SchemaChange(pointer, f"{_description(variant)} {said}")
                continue
            pairs = [(variant, other) if self._is_request else (other, variant) for other in similar]
            found = [list(self._variant(before, after, pointer)) for before, after in pairs]
            yield from min(found, key=len)

    def _variant(self, old: Schema, new: Schema, pointer: str) -> Iterator[SchemaChange]:
        """What breaks between two schemas of the same type."""
        yield from self._bounds(old, new, pointer)
        yield from self._object(old, new, pointer)
        if "items" in old or "items" in new:
            yield from self.changes(old.get("items", {}), new.get("items", {}), f"{pointer}/*")
        for keyword in _COMPARED_WHOLE:
            if old.get(keyword) != new.get(keyword):
                yield SchemaChange(pointer, f"`{keyword}` is another")

    def _bounds(self, old: Schema, new: Schema, pointer: str) -> Iterator[SchemaChange]:
        given, allowed = (old, new) if self._is_request else (new, old)
        value = given.get("const")
        if value is not None and "const" not in allowed:
            return  # `admits` has compared it
        for keyword in (*_AT_LEAST, *_AT_MOST):
            bound, own = allowed.get(keyword), given.get(keyword)
            if bound is None:
                continue
            if own is None or (own < bound if keyword in _AT_LEAST else own > bound):
                yield SchemaChange(pointer, self._changed(keyword, old, new))
        if "multipleOf" in allowed and not _is_multiple(given.get("multipleOf"), allowed["multipleOf"]):
            yield SchemaChange(pointer, self._changed("multipleOf", old, new))
        if "format" in allowed and given.get("format") != allowed["format"]:
            yield SchemaChange(pointer, self._changed("format", old, new))
        if "pattern" in allowed and not _is_within(given.get("pattern"), allowed["pattern"]):
            yield SchemaChange(pointer, self._changed_pattern(old, new))
        if allowed.get("uniqueItems") and not given.get("uniqueItems"):
            yield SchemaChange(pointer, self._changed("uniqueItems", old, new))

    def _object(self, old: Schema, new: Schema, pointer: str) -> Iterator[SchemaChange]:
        before, after = old.get("properties", {}), new.get("properties", {})
        for name in before:
            place = f"{pointer}/{_escaped(name)}"
            if name in after:
                yield from self.changes(before[name], after[name], place)
            else:
                yield SchemaChange(place, "is no longer accepted" if self._is_request else "is gone")
        was_required, is_required = set(old.get("required", ())), set(new.get("required", ()))
        if self._is_request:
            for name in sorted(is_required - was_required):
                yield SchemaChange(f"{pointer}/{_escaped(name)}", "is required now")
        else:
            for name in sorted((was_required - is_required) & after.keys()):
                yield SchemaChange(f"{pointer}/{_escaped(name)}", "may be absent now")
        yield from self._others(old.get("additionalProperties", True), new.get("additionalProperties", True), pointer)

    def _others(self, old: object, new: object, pointer: str) -> Iterator[SchemaChange]:
        """Members that no schema names: those of a map, and those that a request may add."""
        if self._is_request and new is False and old is not False:
            yield SchemaChange(pointer, "other members are no longer accepted")
        elif old not in (True, False) and new is not False:
            yield from self.changes(old, new, f"{pointer}/*")

    def _changed_pattern(self, old: Schema, new: Schema) -> str:
        """What became of a pattern: of one that lists names, which."""
        before, after = (names_of(schema.get("pattern", "")) for schema in (old, new))
        if before is None or after is None:
            return self._changed("pattern", old, new)
        if self._is_request:
            return f"no longer accepts {_listed(before - after)}"
        return f"may hold {_listed(after - before)} now"

    def _changed(self, keyword: str, old: Schema, new: Schema) -> str:
        return f"`{keyword}` was {_value(old.get(keyword))} and is {_value(new.get(keyword))}"


def _listed(names: Collection[str]) -> str:
    """Names of a list; with a minus only where they are not there without."""
    return ", ".join(sorted(name for name in names if not (name.startswith("-") and name[1:] in names)))


def _is_similar(given: Schema, allowed: Schema) -> bool:
    """Whether a schema is about values of the same kind as another."""
    if "const" in given:
        return admits(allowed, given["const"])
    if "const" in allowed:
        return False
    wanted, kind = allowed.get("type"), given.get("type")
    return wanted is None or wanted == kind or (wanted == "number" and kind == "integer")


def _is_multiple(given: Any, allowed: Any) -> bool:
    return given is not None and (given / allowed) % 1 == 0


def _is_within(given: str | None, allowed: str) -> bool:
    """Whether every text of a pattern fits another, as far as that can be told."""
    if given is None or given == allowed:
        return given is not None
    names, others = names_of(given), names_of(allowed)
    return names is not None and others is not None and names <= others


def _description(variant: Schema) -> str:
    if "const" in variant:
        return _value(variant["const"])
    kind = variant.get("type")
    return "any value" if kind is None else f"a value of the type {kind!r}"


def _value(value: Any) -> str:
    text = "not there" if value is None else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= VALUE_LENGTH_MAX else f"{text[:VALUE_LENGTH_MAX]}..."


def _escaped(name: str) -> str:
    return name.replace("~", "~0").replace("/", "~1")
