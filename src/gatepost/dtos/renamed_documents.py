"""Documents of pydantic models in dialects that rename: from the names that clients know to those of the class, and
back.

pydantic reads and writes such documents itself, so they are renamed before and after. Read once per class, at start.
"""

from collections.abc import Mapping, Sequence
from typing import Any, cast, get_args, get_origin

from gatepost.declaring.wire_names import WireName
from gatepost.dtos.body_errors import unknown_field
from gatepost.dtos.structured_members import (
    Member,
    alternatives_of,
    has_members,
    members_of,
    pydantic_keys,
    pydantic_members,
    renamed,
    without_metadata,
)
from gatepost.dtos.violations import Violation
from gatepost.json_pointers import escape, tokens_of
from gatepost.pydantic_models import is_pydantic


class DocumentNames:
    """The names in documents of one annotation. Filled after it is made, because classes may be recursive."""

    def __init__(self) -> None:
        self._inside: dict[str, tuple[str, DocumentNames]] = {}
        self._outside: dict[str, tuple[str, DocumentNames]] = {}
        self._each: DocumentNames | None = None
        self._replaced: frozenset[str] = frozenset()
        self._is_closed = False

    def add_class(self, members: Sequence[tuple[Member, str, "DocumentNames"]], *, is_closed: bool) -> None:
        """Know the members of a class by the names that clients know, and by the keys that they are written by. One
        that `is_closed` has no others."""
        for member, written, inner in members:
            self._inside[member.key] = member.name, inner
            self._outside[written] = member.key, inner
        self._replaced = frozenset(member.name for member, _, _ in members) - self._inside.keys()
        self._is_closed = is_closed

    def add_own_names(
        self,
        members: Sequence[tuple[Member, str, "DocumentNames"]],
        keys: Mapping[str, str | None],
        *,
        is_closed: bool,
    ) -> None:
        """Know the members of a class that says its own names, which stay as they are: those that it is written by, and
        all the `keys` that it is read by."""
        for member, written, inner in members:
            read = [key for key, name in keys.items() if name == member.name] if keys else [member.key]
            self._inside.update({key: (key, inner) for key in read})
            self._outside[written] = written, inner
        self._inside.update({key: (key, DocumentNames()) for key, name in keys.items() if name is None})
        self._is_closed = is_closed

    def add_written(self, name: str, sent: str) -> None:
        """Know a member that is only written."""
        self._outside[name] = sent, DocumentNames()

    def add_elements(self, inner: "DocumentNames") -> None:
        """Know the elements of a list, or the values of an object whose keys are data."""
        self._each = inner

    def add_alternative(self, other: "DocumentNames") -> None:
        """Know one more type of a union."""
        self._inside.update(other._inside)
        self._outside.update(other._outside)
        self._replaced = (self._replaced | other._replaced) - self._inside.keys()
        self._each = self._each or other._each

    def read(self, document: Any, unknown: list[Violation], pointer: str = "") -> Any:
        """A document of a client, as the class names its members. What a closed class does not know is left out, and
        added to `unknown`."""
        if isinstance(document, list):
            return [
                item if self._each is None else self._each.read(item, unknown, f"{pointer}/{index}")
                for index, item in enumerate(cast("Any", document))
            ]
        if not isinstance(document, dict):
            return document
        found: dict[str, Any] = {}
        for key, item in cast("dict[str, Any]", document).items():
            below = f"{pointer}/{escape(key)}"
            name, inner = self._inside.get(key, (key, self._each))
            if key not in self._inside and (self._is_closed or key in self._replaced):
                unknown.append(unknown_field(key, self._inside, below))
            else:
                found[name] = item if inner is None else inner.read(item, unknown, below)
        return found

    def write(self, document: Any) -> Any:
        """What pydantic wrote, as clients know it."""
        if isinstance(document, list):
            each = self._each
            return cast("Any", document) if each is None else [each.write(item) for item in cast("Any", document)]
        if not isinstance(document, dict):
            return document
        found: dict[str, Any] = {}
        for key, item in cast("dict[str, Any]", document).items():
            name, inner = self._outside.get(key, (key, self._each))
            found[name] = item if inner is None else inner.write(item)
        return found

    def located(self, violation: Violation) -> Violation:
        """A violation at the place that the client sent."""
        names: DocumentNames | None = self
        pointer = ""
        for token in tokens_of(violation.pointer):
            sent, names = (token, None) if names is None else names._step(token)
            pointer = f"{pointer}/{escape(sent)}"
        return Violation(violation.code, violation.detail, pointer, params=violation.params)

    def _step(self, name: str) -> tuple[str, "DocumentNames | None"]:
        known = ((key, inner) for key, (inside, inner) in self._inside.items() if inside == name)
        return next(known, (name, self._each))


def document_names(annotation: Any, wire_name: WireName, *, is_closed: bool) -> DocumentNames:
    """The names in documents of an annotation. Where they are `is_closed`, a model that does not say `extra=` has no
    members but its own."""
    reader = _Reader(wire_name, is_closed=is_closed)
    found = reader.names(annotation)
    reader.join_unions()
    return found


class _Reader:
    def __init__(self, wire_name: WireName, *, is_closed: bool) -> None:
        self._wire_name = wire_name
        self._is_closed = is_closed
        self._known: dict[Any, DocumentNames] = {}
        self._unions: list[tuple[DocumentNames, DocumentNames]] = []

    def join_unions(self) -> None:
        """Give unions the names of their types, which are all read by now. Inner ones come first."""
        for union, alternative in self._unions:
            union.add_alternative(alternative)

    def names(self, annotation: Any) -> DocumentNames:
        plain, _ = without_metadata(annotation)
        types = [item for item in alternatives_of(plain) if item is not type(None)]
        if len(types) == 1 and types != [plain]:
            return self.names(types[0])
        if types != [plain]:
            return self._union(types)
        if is_pydantic(plain) or has_members(plain):
            return self._known[plain] if plain in self._known else self._of_class(plain)
        arguments = [item for item in get_args(plain) if item is not ...]
        origin, found = get_origin(plain), DocumentNames()
        if isinstance(origin, type) and issubclass(origin, Mapping) and len(arguments) > 1:
            found.add_elements(self.names(arguments[1]))
        elif arguments:
            found.add_elements(self._union(arguments))
        return found

    def _union(self, types: Sequence[Any]) -> DocumentNames:
        found = DocumentNames()
        self._unions += [(found, self.names(each)) for each in types]
        return found

    def _of_class(self, kind: Any) -> DocumentNames:
        found = self._known[kind] = DocumentNames()
        if getattr(kind, "__pydantic_root_model__", False):
            self._unions.append((found, self.names(kind.model_fields["root"].annotation)))
            return found
        own = pydantic_members(kind) if is_pydantic(kind) else members_of(kind)
        members = own if _has_choices(kind) else renamed(kind, own, self._wire_name)
        has_own_names = members is own
        known = [
            (member, written, self.names(member.annotation))
            for member, written in zip(members, _written(kind, own), strict=True)
        ]
        is_closed = self._is_closed and is_pydantic(kind) and kind.model_config.get("extra") is None
        if has_own_names:
            found.add_own_names(known, pydantic_keys(kind) if is_pydantic(kind) else {}, is_closed=is_closed)
        else:
            found.add_class(known, is_closed=is_closed)
        for name in () if has_own_names else getattr(kind, "model_computed_fields", ()):
            found.add_written(name, self._wire_name(name))
        return found


def _written(kind: Any, members: Sequence[Member]) -> Sequence[str]:
    """The keys that the members of a class have where it is written."""
    if not is_pydantic(kind):
        return [member.key for member in members]
    fields = [kind.model_fields[member.name] for member in members]
    return [
        field.serialization_alias or field.alias or member.name for field, member in zip(fields, members, strict=True)
    ]


def _has_choices(kind: Any) -> bool:
    """Whether members are read from several places, as `AliasChoices` says: such a class says all of its names."""
    aliases = [field.validation_alias for field in kind.model_fields.values()] if is_pydantic(kind) else []
    return any(not isinstance(alias, str | None) for alias in aliases)
