"""Whether the result of SQL may change while the rows of its tables do not: by time, chance, a setting or a session.

Says no only where that is certain by the text, in which a policy of the user may have put anything. Asked once per
compiled statement (`statements.py`), never of a request.
"""

import re

from gatepost.database.session_altering_sql import TOKEN, calls_unknown
from gatepost.database.sql_tokens import VARIABLES, VOLATILE

_UNCLEAR = re.compile(r"\\'|\$\w*\$|--|/\*")
"""A literal that may end elsewhere, or a comment."""


def is_volatile(sql: str) -> bool:
    """Whether this statement calls a function that is not known to depend on its arguments alone."""
    if _UNCLEAR.search(sql) is not None:
        return True
    tokens: list[str] = TOKEN.findall(sql)
    return any(
        word.lower() in VARIABLES
        or (word == "(" and (calls_unknown(tokens, place) or tokens[place - 1].strip('"').lower() in VOLATILE))
        for place, word in enumerate(tokens)
    )
