"""Entity tags: the version of a row, and a digest of the fields that the actor is shown on it; before them the epoch
(`epoch.py`), where there is one.

The digest is computed when a statement is compiled. Only where the rule of a field depends on the row does the
statement return which of the rules hold, and the digest follows from them.
"""

from collections.abc import Callable
from functools import lru_cache
from hashlib import blake2b

from gatepost.database.connection import Record
from gatepost.models.rows import Columns, version_column
from gatepost.models.selections import RowSelection
from gatepost.models.table_refs import TableRef

DIGEST_BYTES = 4
"""A digest tells apart the few views of one row. It authenticates nothing, so that collisions need no defence."""

DIGESTS_MAX = 1024

ReadTag = Callable[[Record], str]
"""Makes the text of an entity tag from a record."""


def add_tag(columns: Columns, source: TableRef, shown: RowSelection, prefix: str) -> ReadTag:
    """Select what the entity tag of a row of `source` depends on, and return the function that makes it. `shown` are
    all the fields that the actor is shown, whichever of them are asked for. The tag begins with `prefix`."""
    version = columns.add(version_column(source))
    if not shown.ruled:
        digest = digest_of(shown.names)
        if prefix:
            return lambda record: f"{prefix}{record[version]}.{digest}"
        return lambda record: f"{record[version]}.{digest}"
    # Several fields often have one rule: equal ones are evaluated once.
    indexes = {rule: columns.add(rule.outcome(source)) for rule in dict.fromkeys(rule for _, rule in shown.ruled)}
    by_name = {name: indexes[rule] for name, rule in shown.ruled}
    fields = [(name, by_name.get(name)) for name in shown.names]

    def read(record: Record) -> str:
        names = tuple([name for name, index in fields if index is None or record[index]])
        return f"{prefix}{record[version]}.{digest_of(names)}"

    return read


@lru_cache(DIGESTS_MAX)
def digest_of(names: tuple[str, ...]) -> str:
    """The digest of the names of the fields on a row, in the order in which it shows them."""
    return blake2b("\0".join(names).encode(), digest_size=DIGEST_BYTES).hexdigest()
