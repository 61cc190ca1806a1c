"""The epoch: which history of the database this is. It is raised after a restore to an earlier point.

Versions of rows are reused then, and what was revoked since is as if it had never been. So tokens, cursors and entity
tags carry the epoch in which they were made, and those of another one are not accepted. It is 0 until it is raised for
the first time, and then nothing of it is written anywhere. `database/epoch_row.py` reads it; whatever is composed of it
is composed again when it rises, so that requests do nothing for it.
"""

from collections.abc import Callable


class Epoch:
    """The epoch that this process knows; `is_known` once a database has told it; `tag_prefix` is what entity tags begin
    with.

    It only rises: connections that are opened at the same moment may tell of it in another order than it was raised in.
    """

    __slots__ = ("_observers", "is_known", "tag_prefix", "value")

    def __init__(self) -> None:
        self.value = 0
        self.is_known = False
        self.tag_prefix = ""
        self._observers: list[Callable[[], None]] = []

    def on_raise(self, observe: Callable[[], None]) -> None:
        """Call this each time when the epoch has risen."""
        self._observers.append(observe)

    def note(self, value: int) -> None:
        """The database says that this is the epoch."""
        self.is_known = True
        if value <= self.value:
            return
        self.value = value
        self.tag_prefix = f"{value}-"
        for observe in self._observers:
            observe()
