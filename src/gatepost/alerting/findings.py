"""`Finding`: what one look at an instance says of one thing that can be wrong."""

from typing import Literal, NamedTuple

Severity = Literal["page", "ticket"]
"""Whether somebody is to look now, or on the next day."""


class Finding(NamedTuple):
    """Whether something is wrong (`holds`; None where nobody knows), with numbers and the command that shows more.

    One that `is_local` is about this instance alone, not about what it shares with others. It becomes an
    alert once it has held for `for_seconds`, and ends once it has not for `clear_seconds`.
    """

    name: str
    severity: Severity
    holds: bool | None
    sentence: str
    look_at: str
    for_seconds: float = 0.0
    clear_seconds: float = 30.0
    is_local: bool = False
