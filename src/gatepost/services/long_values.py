"""Values that are too long for an index, or for a row: which fields to report.

PostgreSQL names the index of a B-tree whose entry is too long; of longer values, and of other indexes, it names
nothing. Then the fields are found by the sizes of the values that were sent.
"""

from collections.abc import Collection, Mapping
from typing import Any, TypeGuard

import asyncpg
import msgspec

from gatepost.errors import FieldError, Unprocessable
from gatepost.models.index_limits import ENTRY_BYTES_MAX, indexes_of
from gatepost.models.served_model import ServedModel

_UNCOMPRESSED_BYTES_MAX = 508
"""PostgreSQL tries to compress a longer value in an index; a shorter one is too long for none."""

DETAIL = "The value is too long for an index of the database."


def is_too_long(error: BaseException) -> TypeGuard[asyncpg.PostgresError]:
    """Whether PostgreSQL refuses the size of a row, or of its entry in an index."""
    return isinstance(error, asyncpg.PostgresError) and error.sqlstate == "54000"


def too_long_value(
    error: asyncpg.PostgresError, served: ServedModel, values: Mapping[str, Any]
) -> Unprocessable | None:
    """The refusal that reports the fields among `values` that are too long; None where none of them is, so that a
    trigger or a computed column is."""
    sizes = {name: size_of(value) for name, value in values.items() if name in served.entity.attributes}
    indexes = {index.name: index.columns for index in indexes_of(served.entity.table)}
    named = _names(served, indexes.get(error.constraint_name or "", ()))
    indexed = _names(served, [column for columns in indexes.values() for column in columns])
    for among in (named, indexed, sizes.keys()):
        found = _long({name: size for name, size in sizes.items() if name in among})
        if found:
            errors = [FieldError(f"/{name}", "too_long", DETAIL) for name in sorted(found)]
            return Unprocessable("invalid_body", "The body violates the declaration.", errors=errors)
    return None


def _long(sizes: Mapping[str, int]) -> Collection[str]:
    """Those that alone are too long for an index; where none is, those that may be too long together."""
    alone = [name for name, size in sizes.items() if size > ENTRY_BYTES_MAX]
    return alone or [name for name, size in sizes.items() if size > _UNCOMPRESSED_BYTES_MAX]


def _names(served: ServedModel, columns: Collection[Any]) -> set[str]:
    return {found.name for column in columns if (found := served.entity.attribute_of(column)) is not None}


def size_of(value: Any) -> int:
    """About how many bytes PostgreSQL stores of a value."""
    match value:
        case str():
            return len(value.encode(errors="replace"))
        case bytes():
            return len(value)
        case None | bool() | int() | float():
            return 8
        case list() | dict() | tuple():
            return len(msgspec.json.encode(value, enc_hook=str))
        case _:
            return len(str(value)) // 2
