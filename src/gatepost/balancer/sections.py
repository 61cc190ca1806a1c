"""Reads a configuration file of HAProxy: its sections, each with what it inherits from `defaults`.

Outside the request path: for `gatepost doctor --haproxy`. It reads the lines, and knows the meaning of none but those.
"""

import shlex
from collections.abc import Iterator
from dataclasses import dataclass, field

_KINDS = frozenset(
    {"global", "defaults", "frontend", "backend", "listen", "userlist", "peers", "resolvers", "mailers", "cache"}
    | {"program", "http-errors", "ring", "log-forward", "fcgi-app", "crt-store", "traces"}
)


@dataclass(frozen=True)
class Directive:
    """A line: its number and its words, without quotes and comments."""

    line: int
    words: tuple[str, ...]

    def starts_with(self, *words: str) -> bool:
        """Whether these are its first words."""
        return self.words[: len(words)] == words


@dataclass
class Section:
    """`kind` and `name` are those of its first line; `directives` begin with those of its `defaults`."""

    kind: str
    name: str
    line: int
    directives: list[Directive] = field(default_factory=list[Directive])

    def all_of(self, *words: str) -> list[Directive]:
        """The directives that begin with these words, in order."""
        return [directive for directive in self.directives if directive.starts_with(*words)]

    def last_of(self, *words: str) -> Directive | None:
        """The one that counts of a directive that may stand once: the last."""
        return next(reversed(self.all_of(*words)), None)


def read_sections(text: str) -> list[Section]:
    """The sections of a file. Lines before the first one are left out, as HAProxy refuses them."""
    found: list[Section] = []
    defaults: dict[str, Section] = {}
    latest: Section | None = None
    for directive in _directives(text):
        kind, *rest = directive.words
        if kind not in _KINDS:
            if found:
                found[-1].directives.append(directive)
            continue
        section = Section(kind, rest[0] if rest and rest[0] != "from" else "", directive.line)
        named = rest[rest.index("from") + 1] if "from" in rest[:-1] else None
        inherited = latest if named is None else defaults.get(named)
        if inherited is not None and (kind in ("frontend", "backend", "listen") or (kind == "defaults" and named)):
            section.directives += inherited.directives
        if kind == "defaults":
            latest = defaults[section.name] = section
        found.append(section)
    return found


def _directives(text: str) -> Iterator[Directive]:
    for number, line in enumerate(text.splitlines(), 1):
        try:
            words = shlex.split(line, comments=True)
        except ValueError:  # quotes that do not close, which HAProxy refuses
            words = line.split()
        if words:
            yield Directive(number, tuple(words))
