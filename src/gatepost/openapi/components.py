"""The reusable parts of one document, each made once."""

import re
from collections.abc import Callable, Collection, Hashable, Mapping
from copy import copy
from typing import Any

Schema = dict[str, Any]
"""A schema of JSON Schema 2020-12, or another object of OpenAPI."""

_OTHER = re.compile(r"[^A-Za-z0-9._-]+")


class Components:
    """Parts by section ("schemas", "parameters") and name. A part is known by its key: the same key again gives a
    reference to the same part, another key never does, whatever its name."""

    def __init__(self) -> None:
        self.sections: dict[str, dict[str, Any]] = {}
        self._names: dict[tuple[str, Hashable], str] = {}
        self._scope = ""
        self._scoped: Collection[str] = ()

    def scoped(self, scope: str, sections: Collection[str]) -> "Components":
        """The parts of the same document, where those that are made from now on in these sections are parts of their
        own: their names begin with the scope."""
        found = copy(self)
        found._scope, found._scoped = scope, sections
        return found

    def ref(self, section: str, key: Hashable, name: str, make: Callable[[], Any], other: str = "") -> Schema:
        """A reference to a part, which `make` makes at its first use: by `name`, or by `other` where another part has
        it. A part may refer to itself."""
        if section in self._scoped:
            key, name, other = (self._scope, key), self._in_scope(name), other and self._in_scope(other)
        known = self._names.get((section, key))
        if known is None:
            parts = self.sections.setdefault(section, {})
            known = self._names[section, key] = _free(parts, name, other)
            parts[known] = None  # taken
            parts[known] = make()
        return {"$ref": f"#/components/{section}/{known}"}

    def _in_scope(self, name: str) -> str:
        return f"{self._scope}{'' if name[:1].isalpha() else '.'}{name}"

    def schema(self, key: Hashable, name: str, make: Callable[[], Schema], other: str = "") -> Schema:
        """A reference to a schema, whose title is its name."""

        known = (self._scope, key) if "schemas" in self._scoped else key

        def made() -> Schema:
            found = make()
            return {"title": self._names["schemas", known], **found}

        return self.ref("schemas", key, name, made, other)

    def sorted(self) -> Mapping[str, Any]:
        """The parts by section, in the order of their names."""
        return {
            section: {name: parts[name] for name in sorted(parts)} for section, parts in sorted(self.sections.items())
        }


def _free(taken: Mapping[str, Any], name: str, other: str) -> str:
    name = _written(name)
    if name not in taken:
        return name
    name = _written(other) or name
    found, number = name, 2
    while found in taken:
        found, number = f"{name}{number}", number + 1
    return found


def _written(name: str) -> str:
    return _OTHER.sub("_", name).strip("_")
