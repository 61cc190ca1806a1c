"""Which objects of a session nobody else can change before the transaction ends, as they are in the database."""

from typing import Any


class RowLocks:
    """The objects whose rows one transaction has locked and read, or written."""

    def __init__(self) -> None:
        # By identity of the object, which is kept with them.
        self._held: dict[int, Any] = {}

    def add(self, row: Any) -> None:
        """The row of this object is locked, and the object shows it."""
        self._held[id(row)] = row

    def holds(self, row: Any) -> bool:
        """Whether the row of this object is locked."""
        return id(row) in self._held

    def clear(self) -> None:
        """A savepoint was rolled back, which ends the locks that were taken in it."""
        self._held.clear()
