"""Names of derived constraints and indexes: deterministic, and never longer than PostgreSQL's limit.

Outside the request path. Errors are described by constraint name (`constraint_violations.py`) and migrations compare by
name, so neither would find a name that PostgreSQL had truncated.
"""

import hashlib
from collections.abc import Callable
from typing import cast

from sqlalchemy.dialects.postgresql import dialect
from sqlalchemy.engine import Dialect

DIALECT = cast("Callable[..., Dialect]", dialect)(paramstyle="named")
"""PostgreSQL's dialect, to compile expressions without a connection (and without doubling every `%`)."""

NAME_BYTES_MAX = 63


def schema_name(*parts: str) -> str:
    """The parts joined by `_`; a long name keeps its beginning and ends in a hash of the whole."""
    name = "_".join(parts)
    if len(name.encode()) <= NAME_BYTES_MAX:
        return name
    ending = "_" + hashlib.sha256(name.encode()).hexdigest()[:8]
    return name.encode()[: NAME_BYTES_MAX - len(ending)].decode(errors="ignore") + ending


def quote(name: str) -> str:
    """An identifier, in quotes where it needs them."""
    return DIALECT.identifier_preparer.quote(name)


def qualified(name: str, schema: str | None) -> str:
    """A table's, index's or type's name as SQL, with its schema where that is not the default one."""
    return quote(name) if schema is None else f"{quote(schema)}.{quote(name)}"


def full_name(name: str, schema: str | None) -> str:
    """The name for people, with its schema where that is not the default one."""
    return name if schema is None else f"{schema}.{name}"
