"""Bytes of responses that have begun and that their clients have not yet taken: bounded, because they are memory.

The gate counts them (`gateway/large_responses.py`); what would make many more asks here before it reads them. The rows
that a service loads for a page count as well, for as long as its request has them.
"""

from gatepost.errors import Overloaded

BYTES_MAX = 256 * 1_048_576
"""Of one process. Beyond it no statement is sent whose rows the declaration does not bound."""


class ResponseBacklog:
    """`pending` is how many bytes wait for their clients, or are reserved for rows that services load."""

    __slots__ = ("bytes_max", "pending")

    def __init__(self, bytes_max: int = BYTES_MAX) -> None:
        self.bytes_max = bytes_max
        self.pending = 0

    def check(self) -> None:
        """Raise 503 `overloaded` while the backlog is full."""
        if self.pending >= self.bytes_max:
            raise Overloaded("overloaded", "Too many responses wait for their clients.", retry_after_seconds=1)

    def reserve(self, size: int) -> None:
        """Count bytes that are about to be read, until `release`. Raises 503 `overloaded` while the backlog is full:
        a page that is larger than all of it can be read while there is nothing else."""
        self.check()
        self.pending += size

    def release(self, size: int) -> None:
        """Count them no more."""
        self.pending -= size
