"""A module of Python source: the names that it imports, and its text as a formatter would leave it."""

import sys
from collections.abc import Iterable, Iterator
from textwrap import wrap

from gatepost.errors import ConfigurationError

LINE_LENGTH_MAX = 88
"""Characters of a line: what formatters take without a setting."""

_INSTALLED = ("gatepost", "sqlalchemy")


class Names:
    """The names of a module that is being written. `taken` are those that mean something else in it, as members of its
    classes do."""

    def __init__(self, taken: Iterable[str] = ()) -> None:
        self._taken = set(taken)
        self._found: dict[tuple[str, str], str] = {}

    def of(self, module: str, name: str) -> str:
        """What to write for `name` of `module`, which is imported from there; by another name where two modules have
        the same."""
        if module == "builtins":
            return name
        found = self._found.get((module, name))
        if found is None:
            found = name
            if self._is_taken(found):
                found = f"{module.rpartition('.')[2].title().replace('_', '')}{name[0].upper()}{name[1:]}"
            while self._is_taken(found):
                found += "_"
            self._found[module, name] = found
        return found

    def of_class(self, kind: type) -> str:
        """What to write for a class. Raises `ConfigurationError` for one that no module can import."""
        outer, *inner = kind.__qualname__.split(".")
        if "<locals>" in inner or not hasattr(sys.modules.get(kind.__module__), outer):
            raise ConfigurationError(
                f"cannot be imported from {kind.__module__}, because it is not at the top level there.",
                location=kind.__qualname__,
                hint="Declare it at the top level of a module.",
            )
        return ".".join((self.of(kind.__module__, outer), *inner))

    def import_lines(self) -> Iterator[str]:
        """The import statements, in groups and in order as isort leaves them."""
        modules: dict[str, list[tuple[str, str]]] = {}
        for (module, name), written in self._found.items():
            modules.setdefault(module, []).append((name, written))
        groups = [sorted(each for each in modules if _group(each) == number) for number in range(3)]
        for number, group in enumerate(group for group in groups if group):
            if number:
                yield ""
            for module in group:
                pairs = sorted(modules[module], key=lambda pair: (_rank(pair[0]), pair))
                parts = [name if name == written else f"{name} as {written}" for name, written in pairs]
                yield from _import(module, parts)

    def _is_taken(self, name: str) -> bool:
        return name in self._taken or name in self._found.values()


class ModuleSource:
    """A module: its docstring, imports and classes."""

    def __init__(self, names: Names) -> None:
        self.names = names
        self._classes: list[list[str]] = []

    def add_class(self, header: str, lines: Iterable[str]) -> None:
        """Add a class: the statement that begins it, and the lines of its body, not indented."""
        self._classes.append([header, *(f"    {line}" if line else "" for line in lines)])

    def text(self, docstring: str, *paragraphs: str) -> str:
        """The whole module."""
        lines = [*docstring_lines(docstring, *paragraphs), "", *self.names.import_lines()]
        for each in self._classes:
            lines += ["", "", *each]
        return "\n".join(lines) + "\n"


def docstring_lines(first: str, *paragraphs: str, indent: int = 0) -> list[str]:
    """The lines of a docstring, in a block that is indented by so many characters. `first` fits in a line."""
    width = LINE_LENGTH_MAX - indent
    if not paragraphs:
        return [f'"""{first}"""']
    lines = [f'"""{first}']
    for paragraph in paragraphs:
        lines += ["", *wrap(paragraph, width, break_long_words=False, break_on_hyphens=False)]
    return [*lines, '"""']


def call_lines(opening: str, arguments: list[str], closing: str, *, indent: int) -> list[str]:
    """`opening(arguments)closing` in a line, where it fits behind the indentation, else with one argument per line."""
    line = f"{opening}({', '.join(arguments)}){closing}"
    if len(line) + indent <= LINE_LENGTH_MAX:
        return [line]
    inner = f"    {', '.join(arguments)}"
    if len(inner) + indent <= LINE_LENGTH_MAX:
        return [f"{opening}(", inner, f"){closing}"]
    return [f"{opening}(", *(f"    {each}," for each in arguments), f"){closing}"]


def _import(module: str, parts: list[str]) -> list[str]:
    line = f"from {module} import {', '.join(parts)}"
    if len(line) <= LINE_LENGTH_MAX:
        return [line]
    return [f"from {module} import (", *(f"    {part}," for part in parts), ")"]


def _group(module: str) -> int:
    """The place of a module among the imports: the standard library, what is installed, the application's own."""
    root = module.partition(".")[0]
    if root in sys.stdlib_module_names:
        return 0
    file = getattr(sys.modules.get(root), "__file__", None) or ""
    return 1 if root in _INSTALLED or "site-packages" in file else 2


def _rank(name: str) -> int:
    """Constants, then classes, then everything else."""
    if name.isupper() and len(name) > 1:
        return 0
    return 1 if name[:1].isupper() else 2
