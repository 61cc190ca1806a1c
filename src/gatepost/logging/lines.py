"""What the log knows of a line beside its text: its category, and whether it must not be lost.

A category is one of four, as users filter by them; a kind is two bits that decide which files get the line and whether
it may wait in the reserve.
"""

from collections.abc import Sequence
from typing import Literal, Protocol, get_args

Category = Literal["access", "error", "application", "security"]
CATEGORIES: tuple[Category, ...] = get_args(Category)

ORDINARY = 0
ERROR = 1
"""The bit of a line at level ERROR or above, of any category."""
SECURITY = 2
"""The bit of a line of the category `security`, at any level."""


class Sink(Protocol):
    """Where lines end: a descriptor, or a folder of files."""

    def put(self, lines: Sequence[tuple[int, bytes]]) -> int:
        """Write lines with their kinds, waiting for the reader; how many could not be written."""
        ...


def category_of(given: object, *, is_error: bool) -> Category:
    """The category of a line whose author gave this one, or none."""
    if given in CATEGORIES:
        return given
    return "error" if is_error else "application"


def kind_of(category: object, *, is_error: bool) -> int:
    """The bits of a line."""
    return (ERROR if is_error else ORDINARY) | (SECURITY if category == "security" else ORDINARY)
