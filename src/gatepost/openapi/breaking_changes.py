"""What a new OpenAPI document breaks for clients of an old one.

An operation is the same where method and path are, whatever the parameters of the path are called.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any, cast

import msgspec

from gatepost.openapi.schema_comparison import Direction, SchemaComparison
from gatepost.openapi.schema_parts import RELATION_FILTERS
from gatepost.openapi.schema_variants import InvalidDocument, SchemaReader

METHODS = ("get", "put", "post", "delete", "options", "head", "patch", "trace", "query")

_NAMED = re.compile(r"\{[^{}]*\}")

_CODE = "/code"
"""The member of a refusal that says why. Clients have to expect codes that they do not know: any change of a rule may
add one."""

Part = Mapping[str, Any]

EMPTY: Part = {}


class BreakingChange(msgspec.Struct, frozen=True):
    """What breaks: of which operation (`GET /api/books`), where in it, and what."""

    operation: str
    place: str
    what: str

    def __str__(self) -> str:
        return f"{self.operation}{', ' if self.place else ''}{self.place}: {self.what}."


def breaking_changes(old: Part, new: Part) -> list[BreakingChange]:
    """Everything that may break clients of the old document. Raises `InvalidDocument` for what is not OpenAPI."""
    return [*dict.fromkeys(_Documents(old, new).changes())]


class _Documents:
    def __init__(self, old: Part, new: Part) -> None:
        self._old, self._new = old, new
        self._before, self._after = SchemaReader(old), SchemaReader(new)

    def changes(self) -> Iterator[BreakingChange]:
        operations = {key: found for key, _, found in self._operations(self._new, self._after)}
        for key, label, old in self._operations(self._old, self._before):
            new = operations.get(key)
            if new is None:
                yield BreakingChange(label, "", "the operation is gone")
                continue
            for place, what in self._operation(old, new):
                yield BreakingChange(label, place, what)

    def _operations(self, document: Part, reader: SchemaReader) -> Iterator[tuple[str, str, Part]]:
        """Key, label and description of every operation; its parameters include those of its path."""
        paths = document.get("paths")
        if not isinstance(paths, Mapping) or not isinstance(document.get("openapi"), str):
            raise InvalidDocument("It is not an OpenAPI document: it lacks `openapi` or `paths`.")
        for path, given in cast("Part", paths).items():
            item = reader.resolved(given)
            for method in METHODS:
                if method in item:
                    operation = reader.resolved(item[method])
                    shared = [*item.get("parameters", ()), *operation.get("parameters", ())]
                    label = f"{method.upper()} {path}"
                    named = {**operation, "parameters": shared, "path": path}
                    yield f"{method} {_NAMED.sub('{}', path)}", label, named

    def _operation(self, old: Part, new: Part) -> Iterator[tuple[str, str]]:
        yield from self._parameters(old, new)
        yield from _relations(old.get(RELATION_FILTERS, EMPTY), new.get(RELATION_FILTERS, EMPTY))
        yield from self._body(old.get("requestBody"), new.get("requestBody"))
        yield from self._responses(old.get("responses", EMPTY), new.get("responses", EMPTY))
        yield from self._security(old, new)

    def _parameters(self, old: Part, new: Part) -> Iterator[tuple[str, str]]:
        before, after = _by_name(old, self._before), _by_name(new, self._after)
        for key, parameter in before.items():
            place, other = _label(parameter), after.get(key)
            if other is None:
                yield place, "is no longer accepted"
                continue
            if other.get("required") and not parameter.get("required"):
                yield place, "is required now"
            for keyword, usual in (("style", None), ("explode", None), ("allowReserved", False)):
                if parameter.get(keyword, usual) != other.get(keyword, usual):
                    yield place, f"`{keyword}` is another"
            yield from self._contents(_contents(parameter), _contents(other), "request", place)
        for key, other in after.items():
            if key not in before and other.get("required"):
                yield _label(other), "is new and required"

    def _body(self, old: object, new: object) -> Iterator[tuple[str, str]]:
        before = EMPTY if old is None else self._before.resolved(old)
        after = EMPTY if new is None else self._after.resolved(new)
        if old is not None and new is None:
            yield "the body", "is no longer accepted"
        elif after.get("required") and not before.get("required"):
            yield "the body", "is required now"
        if new is not None:
            yield from self._contents(before.get("content", EMPTY), after.get("content", EMPTY), "request", "the body")

    def _responses(self, old: Part, new: Part) -> Iterator[tuple[str, str]]:
        for status, given in old.items():
            place = f"the response {status}"
            if status not in new:
                yield place, "is gone"
                continue
            before, after = self._before.resolved(given), self._after.resolved(new[status])
            for where, what in self._contents(
                before.get("content", EMPTY), after.get("content", EMPTY), "response", place
            ):
                if status.startswith("2") or where != f"{place} {_CODE}":
                    yield where, what
            headers = after.get("headers", EMPTY)
            for name, header in before.get("headers", EMPTY).items():
                label = f"{place}, the header {name!r}"
                if name not in headers:
                    yield label, "is gone"
                    continue
                was, is_now = self._before.resolved(header), self._after.resolved(headers[name])
                if was.get("required") and not is_now.get("required"):
                    yield label, "may be absent now"
                yield from self._contents(_contents(was), _contents(is_now), "response", label)

    def _contents(self, old: Part, new: Part, direction: Direction, place: str) -> Iterator[tuple[str, str]]:
        """What breaks by the media types of a body, and by the schema of each."""
        for kind, content in old.items():
            if kind not in new:
                said = "is no longer accepted" if direction == "request" else "is gone"
                yield place, f"the media type {kind!r} {said}"
                continue
            comparison = SchemaComparison(self._before, self._after, direction)
            for pointer, what in comparison.changes(content.get("schema", EMPTY), new[kind].get("schema", EMPTY)):
                yield f"{place} {pointer}" if pointer else place, what

    def _security(self, old: Part, new: Part) -> Iterator[tuple[str, str]]:
        """Each way to be let in has to stay: a list of alternatives, each with the schemes that it needs."""
        after = _alternatives(new, self._new)
        for schemes in _alternatives(old, self._old):
            if not any(needed <= schemes for needed in after):
                label = " and ".join(sorted(schemes))
                yield (
                    "",
                    f"{label} does not suffice any more" if schemes else "it cannot be called anonymously any more",
                )


def _relations(old: Part, new: Part) -> Iterator[tuple[str, str]]:
    """The relations that filters may follow no more, and the fields of those that are named by their fields."""
    for name, before in old.items():
        after = new.get(name)
        if after is None:
            yield f"filters over {name!r}", "are no longer accepted"
        elif isinstance(before, list) and isinstance(after, list):
            for field in cast("list[str]", before):
                if field not in after:
                    yield f"filters by '{name}.{field}'", "are no longer accepted"


def _alternatives(operation: Part, document: Part) -> list[frozenset[str]]:
    """The sets of schemes each of which suffices; an empty one is anonymous."""
    found: list[Part] = operation.get("security", document.get("security", [])) or [EMPTY]
    return [frozenset(each) for each in found]


def _by_name(operation: Part, reader: SchemaReader) -> dict[tuple[str, str], Part]:
    """The parameters by name and location; those of the path by their place in it."""
    names = _NAMED.findall(operation["path"])
    found: dict[tuple[str, str], Part] = {}
    for given in operation["parameters"]:
        parameter = reader.resolved(given)
        name, location = parameter["name"], parameter["in"]
        if location == "path":
            name = str(names.index(f"{{{name}}}"))
        elif location == "header":
            name = name.lower()
        found[name, location] = parameter
    return found


def _label(parameter: Part) -> str:
    return f"the parameter {parameter['name']!r} ({parameter['in']})"


def _contents(parameter: Part) -> Part:
    """The content of a parameter or header, which most give by a schema alone."""
    content: Part | None = parameter.get("content")
    return {"": {"schema": parameter.get("schema", EMPTY)}} if content is None else content
