"""Whether SQL may leave something on its connection that outlives the transaction: a setting, a lock, a table.

Says no only where that is certain by the text: one SELECT, INSERT, UPDATE, DELETE or MERGE, or what a savepoint needs,
in which every function is known. Asked once per compiled statement (`compiler.py`), never of a request.
"""

import re
from functools import lru_cache

from gatepost.database.sql_tokens import FUNCTIONS, LASTING, WITHOUT_STATE

_BEGINS = frozenset(
    ["(", "SELECT", "WITH", "VALUES", "INSERT", "UPDATE", "DELETE", "MERGE", "SAVEPOINT", "RELEASE", "ROLLBACK"]
)
_UNCLEAR = re.compile(r"\\|\$\w*\$|--|/\*|;")
TOKEN = re.compile(r"'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"|::|[^\W\d][\w$]*|\d[\w.]*|\S")
_CALL = re.compile(r"(\w+)\"?\s*\(")
_NAME = re.compile(r"\"|[^\W\d]")
_NAMES_NO_CALL = frozenset(["INTO", "AS", "WITH", "RECURSIVE", "::", ")"])
"""What stands after one of these, before a bracket, is a table, an alias or a type."""

_KNOWN_FUNCTIONS = frozenset(FUNCTIONS.split())


@lru_cache(maxsize=1024)
def may_alter_session(sql: str) -> bool:
    """Whether this statement may leave something on its connection. True where that is not certain."""
    if _UNCLEAR.search(sql) is not None:  # a comment, or a literal that may end elsewhere
        return True
    tokens: list[str] = TOKEN.findall(sql)
    if not tokens or tokens[0].upper() not in _BEGINS:
        return True
    return any(sign == "(" and calls_unknown(tokens, place) for place, sign in enumerate(tokens))


def calls_session_function(sql: str) -> bool:
    """Whether a compiled statement calls a function of LASTING: a policy or an expression of the user may be part of
    it."""
    return any(name.lower() in LASTING for name in _CALL.findall(sql))


def calls_unknown(tokens: list[str], bracket: int) -> bool:
    """Whether the token before this bracket calls an unknown function."""
    first = last = bracket - 1
    if last < 0 or _NAME.match(tokens[last]) is None:
        return False
    while first >= 2 and tokens[first - 1] == ".":
        first -= 2
    if first > 0 and tokens[first - 1].upper() in _NAMES_NO_CALL:
        return False
    name = tokens[last]
    if first == last and not name.startswith('"'):
        return name.lower() not in WITHOUT_STATE
    if first != last and tokens[first].strip('"').lower() != "pg_catalog":
        return True
    return name.strip('"').lower() not in _KNOWN_FUNCTIONS
