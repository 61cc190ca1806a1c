"""Compiled statements of an app, cached by the shape of the request. Bounded, because clients choose the shapes."""

from collections.abc import Callable, Hashable
from typing import Any, TypeVar, cast

from gatepost.bounded_cache import BoundedCache

P = TypeVar("P")

PLANS_MAX = 2048
"""Shapes kept; compiling one again takes about 300 us."""


class Plans:
    """A bounded cache of compiled statements."""

    __slots__ = ("_kept", "bigint_as_string", "page_bytes_max")

    def __init__(self, *, bigint_as_string: bool, page_bytes_max: int) -> None:
        self._kept = BoundedCache[Hashable, Any](PLANS_MAX)
        self.bigint_as_string = bigint_as_string
        self.page_bytes_max = page_bytes_max

    def get(self, shape: Hashable, make: Callable[[], P]) -> P:
        """The plan of this shape, made at its first use."""
        found = self._kept.get(shape)
        if found is None:
            found = self._kept[shape] = make()
        return cast("P", found)
