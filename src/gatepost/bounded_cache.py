"""The cache of everything whose keys clients can choose: a dictionary with a bound.

A foundation. Compiled statements, parsed queries and what a server said last are kept in it. Lookups are those of
`dict`, so that a hit on the hot path costs what a dictionary costs.
"""

from collections.abc import Callable
from typing import Any, TypeVar

K = TypeVar("K")
V = TypeVar("V")


class BoundedCache(dict[K, V]):
    """A dictionary of at most `size_max` entries: one more evicts the oldest, whether it was used since or not.

    `on_evict` is called with the key and the value of each that is evicted; `evictions` counts them. An entry that is
    replaced keeps its age.
    """

    __slots__ = ("_on_evict", "evictions", "size_max")

    def __init__(self, size_max: int, on_evict: Callable[[K, V], object] | None = None) -> None:
        super().__init__()
        self.size_max = size_max
        self.evictions = 0
        self._on_evict = on_evict

    def __setitem__(self, key: K, value: V) -> None:
        if len(self) >= self.size_max and key not in self:
            oldest = next(iter(self))
            evicted = self.pop(oldest)
            self.evictions += 1
            if self._on_evict is not None:
                self._on_evict(oldest, evicted)
        super().__setitem__(key, value)

    # Those of `dict` are written in C and would pass by the bound.
    update: Any = None
    setdefault: Any = None
    __ior__: Any = None
