"""`Finding`: what one look at an instance says of one thing that can be wrong."""

from typing import Literal, NamedTuple

Severity = Literal["page", "ticket"]
"""Whether somebody is to look now, or on the next day."""


class Finding(NamedTuple):
    """Whether something is wrong (`holds`; None where nobody knows), with numbers and the command that shows more.

    One that `is_local` is about this instance alone, not about what it shares with others. It becomes an
    alert once it has held for `for_seconds`, and ends once it has not for `clear_seconds`.

    `causes` are the names of alerts that it may follow from: while it `is_explained` by one of those, it is told with
    that one, and not by itself. None where only the times of the two say whether it is.
    """

    name: str
    severity: Severity
    holds: bool | None
    sentence: str
    look_at: str
    for_seconds: float = 0.0
    clear_seconds: float = 30.0
    is_local: bool = False
    causes: tuple[str, ...] = ()
    is_explained: bool | None = None
