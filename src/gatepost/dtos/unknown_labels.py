"""Labels of enums that the model does not know and the database may: only PostgreSQL can tell, when it reads one.

A label that a migration has added before the program knows it is shown, so it can be filtered by. A misspelt one is
refused, as it is for every enum.
"""

from collections.abc import Iterable, Iterator
from typing import Any, cast

from gatepost.dtos.parsers import text_of
from gatepost.dtos.violations import Violation
from gatepost.errors import Problem

LABEL_BYTES_MAX = 63


class UnknownLabel(str):
    """Such a label. Where the database has none, `violation` says what is wrong with it, and `refusal` is what the
    client is told."""

    violation: Violation
    refusal: Problem

    @classmethod
    def parse(cls, text: str) -> "UnknownLabel | None":
        """The label, where PostgreSQL could have it."""
        try:
            return cls(text) if 0 < len(text_of(text).encode()) <= LABEL_BYTES_MAX else None
        except Violation:
            return None


def unknown_labels(operand: Any) -> Iterator[UnknownLabel]:
    """Those in the operand of a filter."""
    operands = cast("Iterable[Any]", operand) if isinstance(operand, list) else [operand]
    return (item for item in operands if isinstance(item, UnknownLabel))
