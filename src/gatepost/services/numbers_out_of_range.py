"""Numbers that a `Select` of an own endpoint computes with and that PostgreSQL or its driver cannot hold: most are made
of what a client sent."""

import re

import asyncpg
from asyncpg.exceptions import (
    InvalidRowCountInLimitClauseError,
    InvalidRowCountInResultOffsetClauseError,
    NumericValueOutOfRangeError,
)

from gatepost.models.select_shapes import NumberOutOfRange, RowCountOutOfRange

_ROW_COUNTS = (InvalidRowCountInLimitClauseError, InvalidRowCountInResultOffsetClauseError)
"""What PostgreSQL says of a LIMIT or OFFSET that it has computed."""

_ARGUMENT = re.compile(r"query argument \$[0-9]+: (-?[0-9]+) ")
"""Where the driver quotes a number that it cannot send."""


def number_out_of_range(error: BaseException) -> NumberOutOfRange | None:
    """What an error of PostgreSQL or the driver says of a number; None for other errors."""
    if isinstance(error, _ROW_COUNTS):
        return RowCountOutOfRange()
    if isinstance(error, NumericValueOutOfRangeError):
        return NumberOutOfRange()
    if isinstance(error, asyncpg.DataError) and isinstance(error.__cause__, OverflowError):
        found = _ARGUMENT.search(str(error))
        return NumberOutOfRange(int(found[1]) if found else None)
    return None
