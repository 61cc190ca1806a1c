"""Whether SQL that a service sends does nothing but read: then a lost connection leaves nothing in doubt.

Says yes only where that is certain by the text: a SELECT whose functions are all known. Everything else may write.
"""

import re
from functools import lru_cache

from gatepost.database.sql_tokens import HARMLESS

_BEGINS = re.compile(
    r"\s*(?:\(\s*)*(?:SELECT|WITH|VALUES|TABLE|SHOW|SAVEPOINT|RELEASE|ROLLBACK|SET|LOCK|DECLARE|FETCH|MOVE|CLOSE)\b",
    re.IGNORECASE,
)
_LITERAL = re.compile(r"'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"(?!\s*\()")
_LOCKS = re.compile(r"\bFOR\s+(?:NO\s+KEY\s+)?UPDATE\b", re.IGNORECASE)
_WRITES = re.compile(r"\b(?:INSERT|UPDATE|DELETE|MERGE|INTO|CREATE|COPY|CALL|DO)\b|--|/\*|\$\w*\$", re.IGNORECASE)
_CALL = re.compile(r"([\w.\"]+)\s*\(")


@lru_cache(maxsize=1024)
def only_reads(sql: str) -> bool:
    """Whether this statement changes no row, by its text. False where that is not certain."""
    if _BEGINS.match(sql) is None or "\\" in sql:  # an escape may end a literal elsewhere
        return False
    bare = _LOCKS.sub("", _LITERAL.sub("''", sql))
    if _WRITES.search(bare) is not None:
        return False
    return all(name.lower() in HARMLESS for name in _CALL.findall(bare))
