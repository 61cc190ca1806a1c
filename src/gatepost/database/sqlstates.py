"""What each SQLSTATE means to a request: a table by class with exceptions by code (appendix A of its manual).

The text of a code decides, not asyncpg's class for it: a trigger may choose a code that no driver knows, and its class
still says what is meant. `failures.py` makes the response of a meaning.
"""

from enum import Enum, auto


class Meaning(Enum):
    """What an error says of the statement that failed."""

    MISTAKE = auto()
    """A mistake in the code or the set-up, even where `RAISE` chose the code."""
    STATEMENT = auto()
    """A mistake in a statement, a function or a trigger; where `RAISE` chose the code, the refusal of a write."""
    REFUSED = auto()
    """A trigger refuses the write."""
    VALUE = auto()
    """A value does not fit its column: the client's where a derived verb wrote it, otherwise a service's mistake."""
    LIMIT = auto()
    """A row is larger than PostgreSQL can store, or than an entry of an index may be."""
    CONSTRAINT = auto()
    """The row breaks a constraint."""
    CHECK_OPTION = auto()
    """The row breaks the check option of a view."""
    PRIVILEGE = auto()
    """The role lacks a right, or row level security refuses the row."""
    TRANSIENT = auto()
    """The transaction lost against another one; run again, it can succeed."""
    LOCKED = auto()
    """A lock did not become free in time."""
    SLOW = auto()
    """A statement took longer than its limit."""
    FULL = auto()
    """There is no room left."""
    OUT_OF_MEMORY = auto()
    """There is no memory left."""
    READ_ONLY = auto()
    """The transaction may only read, because of the server or by its own doing."""
    LOST = auto()
    """The connection is gone or refused; a mistake where the session goes on all the same."""
    EXPIRED = auto()
    """A transaction took longer than its limit, and its session has ended; a mistake where it goes on all the same."""


CLASSES = {
    "00": Meaning.STATEMENT,
    "01": Meaning.STATEMENT,
    "02": Meaning.STATEMENT,
    "03": Meaning.STATEMENT,
    "08": Meaning.LOST,
    "09": Meaning.STATEMENT,
    "0A": Meaning.STATEMENT,
    "0B": Meaning.MISTAKE,
    "0F": Meaning.STATEMENT,
    "0L": Meaning.STATEMENT,
    "0P": Meaning.STATEMENT,
    "0Z": Meaning.STATEMENT,
    "10": Meaning.STATEMENT,
    "20": Meaning.STATEMENT,
    "21": Meaning.STATEMENT,
    "22": Meaning.MISTAKE,
    "23": Meaning.CONSTRAINT,
    "24": Meaning.STATEMENT,
    "25": Meaning.MISTAKE,
    "26": Meaning.MISTAKE,
    "27": Meaning.STATEMENT,
    "28": Meaning.LOST,
    "2B": Meaning.STATEMENT,
    "2D": Meaning.STATEMENT,
    "2F": Meaning.STATEMENT,
    "34": Meaning.STATEMENT,
    "38": Meaning.STATEMENT,
    "39": Meaning.STATEMENT,
    "3B": Meaning.STATEMENT,
    "3D": Meaning.LOST,
    "3F": Meaning.STATEMENT,
    "40": Meaning.TRANSIENT,
    "42": Meaning.STATEMENT,
    "44": Meaning.CHECK_OPTION,
    "53": Meaning.FULL,
    "54": Meaning.MISTAKE,
    "55": Meaning.STATEMENT,
    "57": Meaning.LOST,
    "58": Meaning.MISTAKE,
    "72": Meaning.MISTAKE,
    "F0": Meaning.MISTAKE,
    "HV": Meaning.MISTAKE,
    "P0": Meaning.STATEMENT,
    "XX": Meaning.MISTAKE,
}
"""By the first two characters. A class that is not listed is one that somebody made up: as STATEMENT."""

CODES = {
    "22001": Meaning.VALUE,
    "22003": Meaning.VALUE,
    "22007": Meaning.VALUE,
    "22008": Meaning.VALUE,
    "22021": Meaning.VALUE,
    "22P02": Meaning.VALUE,
    "22P05": Meaning.VALUE,
    "25006": Meaning.READ_ONLY,
    "25P03": Meaning.LOST,
    "25P04": Meaning.EXPIRED,
    "40002": Meaning.CONSTRAINT,
    "42501": Meaning.PRIVILEGE,
    "53200": Meaning.OUT_OF_MEMORY,
    "53300": Meaning.LOST,
    "54000": Meaning.LIMIT,
    "55P03": Meaning.LOCKED,
    "57014": Meaning.SLOW,
    "P0000": Meaning.MISTAKE,
    "P0001": Meaning.REFUSED,
    "P0004": Meaning.MISTAKE,
}
"""The exceptions to CLASSES."""


def meaning_of(state: str | None) -> Meaning:
    """The meaning of a SQLSTATE."""
    code = state or "XX000"
    return CODES.get(code) or CLASSES.get(code[:2], Meaning.STATEMENT)
