"""How much each category writes. One value in each process, made of its settings."""

import logging

from gatepost.logging.lines import CATEGORIES, Category


class Levels:
    """The lowest level that each category writes, in `of`, as numbers of the standard library."""

    def __init__(self, level: int = logging.INFO) -> None:
        self.of: dict[Category, int] = dict.fromkeys(CATEGORIES, level)

    @property
    def lowest(self) -> int:
        """What loggers have to let through."""
        return min(self.of.values())
