"""Fair sharing of connections while requests wait: no resource takes all of them, and sign-in always finds one.

A lock on one table makes every request for its resource hold a connection for as long as it waits. So connections count
for the resource in a request's path, but only under contention: while they come back quickly no request waits for the
sake of another, and nothing is counted. `docs/decisions/0018-locks-and-dead-connections.md` has the reasons.
"""

import time
from collections import Counter
from collections.abc import Callable, Collection, Set
from typing import NamedTuple

from gatepost.database.connection import PooledConnection
from gatepost.database.holders import Holder

SIZE_MIN = 4
"""A smaller pool is not shared."""

RESERVED_FOR_OTHERS = 2
"""Connections that one resource has to leave to the others; one of them is for sign-in and the loading of users."""

SLOW_SECONDS = 0.1
"""A request that has waited for so long shows that connections do not come back quickly."""

ACTIVE_SECONDS = 0.2
"""For how long sharing stays on each time that requests for other resources are found waiting."""

TIMEOUT_ACTIVE_SECONDS = 5.0
"""For how long a resource keeps to its share after its statements ran into their time limits, perhaps because of a
lock: later requests need not wait until the next one does."""

EXTENSION_SECONDS = 0.5
"""How much longer the others may wait when sharing begins: until one of the statements before them times out."""

ACCOUNTS = "(accounts)"
"""The resource of sign-in and of the loading of users; no path of a resource can be written like that."""


class FairSharing:
    """Shares out one pool. `is_on` says whether; then the idle connections are `spare`, out of the fast path's reach.

    `lent` says which connections are lent, `size` how many there are and `size_max` how many there can be.
    """

    def __init__(
        self, lent: Callable[[], Collection[PooledConnection]], size: Callable[[], int], size_max: Callable[[], int]
    ) -> None:
        self._lent = lent
        self._size = size
        self._size_max = size_max
        self._until = 0.0
        self._slow: dict[str | None, float] = {}
        self.spare: list[PooledConnection] = []
        self.is_on = False

    def is_due(self, waiting: Collection[Holder | None]) -> bool:
        """Whether one resource has all that it may have, and others wait. `waiting` are those that have waited for
        long. If so, sharing stays on for ACTIVE_SECONDS."""
        eligibility = self.eligibility()
        resources = {_resource_of(holder) for holder in waiting}
        is_due = bool(eligibility.full) and not resources <= eligibility.full
        if is_due:
            self._until = time.monotonic() + ACTIVE_SECONDS
        return is_due

    def note_timeout(self, holder: Holder | None) -> bool:
        """A statement of this holder ran into its limit. Whether its resource has to keep to its share from now on."""
        resource = _resource_of(holder)
        is_full = resource in self.eligibility().full
        if is_full:
            self._slow[resource] = time.monotonic() + TIMEOUT_ACTIVE_SECONDS
        return is_full

    def begin(self, idle: list[PooledConnection]) -> None:
        """Take over the idle connections."""
        self.is_on = True
        self.spare += idle
        idle.clear()

    def end(self, idle: list[PooledConnection]) -> None:
        """Hand the spare connections back."""
        self.is_on = False
        self._slow.clear()
        idle += self.spare
        self.spare.clear()

    def is_over(self) -> bool:
        """Whether no others have waited lately, and no statements have run into their limits."""
        now = time.monotonic()
        for resource in [resource for resource, until in self._slow.items() if until <= now]:
            del self._slow[resource]
        return now >= self._until and not self._slow

    def eligibility(self) -> "Eligibility":
        """Who may have one of the connections that are spare or can still be opened."""
        size_max = self._size_max()
        held = Counter(_resource_of(connection.holder) for connection in self._lent())
        held_max = size_max - RESERVED_FOR_OTHERS if size_max >= SIZE_MIN else size_max + 1
        full = {resource for resource, count in held.items() if count >= held_max}
        limited = full if time.monotonic() < self._until else full & self._slow.keys()
        free = len(self.spare) + max(0, size_max - self._size())
        return Eligibility(full, limited, free, reserved=1 if size_max >= SIZE_MIN else 0)


class Eligibility(NamedTuple):
    """Who may have a connection at one moment. `full` are the resources that have all that they may have while others
    wait, `limited` those to which that applies now, `free` is how many connections there are, and `reserved` how many
    of them are for accounts."""

    full: Set[str | None]
    limited: Set[str | None]
    free: int
    reserved: int

    def may_have_more(self, holder: Holder | None) -> bool:
        """Whether this holder's resource has less than it may have."""
        return _resource_of(holder) not in self.full

    def may_take(self, holder: Holder | None) -> bool:
        """Whether there is one for this holder, beside those that are reserved."""
        resource = _resource_of(holder)
        return self.free > (0 if resource == ACCOUNTS else self.reserved) and resource not in self.limited


def _resource_of(holder: Holder | None) -> str | None:
    return None if holder is None else holder.resource
