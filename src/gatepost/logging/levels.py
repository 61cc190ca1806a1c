"""How much each category writes: as the settings say, or for a while as an operator does, in all processes at once.

Off the request path. The four levels of a process are looked up for each line; what operators change stands
in memory that the processes of a server share, and each adopts it when it writes its next batch.
"""

import logging
import mmap
import struct
import time
from collections.abc import Callable
from typing import Any, NamedTuple

from gatepost.logging.lines import CATEGORIES, Category
from gatepost.shared_files import reduced, shared_file

LEVEL_NAMES = ("debug", "info", "warning", "error")

# Level (0: as the settings say), and until when, in seconds of the clock that all processes of a machine have, and that
# is never set.
_entry = struct.Struct("<Id")


class Change(NamedTuple):
    """A level that is in force for a while. `until` is in seconds since the epoch."""

    level: int
    until: float


class LevelTable:
    """The changes, in a file that is mapped by all processes of a server."""

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor
        self._memory = mmap.mmap(descriptor, mmap.PAGESIZE)

    @classmethod
    def shared(cls, name: str) -> "LevelTable":
        """A table without changes; `name` is what the system shows."""
        return cls(shared_file(name, mmap.PAGESIZE))

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickled for a process that is being spawned, it is its descriptor."""
        return reduced(LevelTable, self.descriptor)

    def set(self, category: Category, level: int, seconds: float) -> None:
        """Let a category write from `level` on, for so long."""
        _entry.pack_into(self._memory, _place(category), level, time.monotonic() + seconds)

    def reset(self, category: Category) -> None:
        """Let a category write what the settings say."""
        _entry.pack_into(self._memory, _place(category), 0, 0.0)

    def changes(self) -> dict[Category, Change]:
        """Those that are in force."""
        now, elapsed = time.time(), time.monotonic()
        found: dict[Category, Change] = {}
        for category in CATEGORIES:
            level, until = _entry.unpack_from(self._memory, _place(category))
            if level and until > elapsed:
                found[category] = Change(level, now + until - elapsed)
        return found


class Levels:
    """The lowest level that each category writes, in `of`, as numbers of the standard library.

    `refresh` adopts what is changed in the `table`, and calls `on_change` where that makes a difference.
    """

    def __init__(
        self, level: int = logging.INFO, table: LevelTable | None = None, on_change: Callable[[], None] = lambda: None
    ) -> None:
        self._level = level
        self._table = table
        self._on_change = on_change
        self.of: dict[Category, int] = {category: self._bounded(category, level) for category in CATEGORIES}

    @property
    def lowest(self) -> int:
        """What loggers have to let through."""
        return min(self.of.values())

    def refresh(self) -> None:
        """Adopt what operators have changed. Cheap: called with every batch."""
        if self._table is None:
            return
        changes = self._table.changes()
        levels: dict[Category, int] = {}
        for category in CATEGORIES:
            change = changes.get(category)
            levels[category] = self._bounded(category, self._level if change is None else change.level)
        if levels != self.of:
            self.of.update(levels)
            self._on_change()

    @staticmethod
    def _bounded(category: Category, level: int) -> int:
        """Warnings of the category `security` are always written: who changes levels cannot hide that."""
        return min(level, logging.WARNING) if category == "security" else level


def level_number(name: str) -> int:
    """The standard library's number of a level."""
    return logging.getLevelNamesMapping()[name.upper()]


def level_name(number: int) -> str:
    """Which of the four a level of the standard library is: what is critical is an error as well."""
    return LEVEL_NAMES[min(max(number // 10 - 1, 0), 3)]


def _place(category: Category) -> int:
    return CATEGORIES.index(category) * 16
