"""What `App(provide=)` maps classes to: functions that make what endpoints, controllers and services take by class."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

Make: TypeAlias = Callable[..., object | Awaitable[object] | AsyncIterator[object]]
"""A function, an async function, or an async generator that yields once and closes what it made behind the `yield`."""


@dataclass(frozen=True, slots=True)
class PerCall:
    """What is made for each call: see `per_call`."""

    make: Make


def per_call(make: Make) -> PerCall:
    """Make it for each call that takes it, and not once per process: `provide={Basket: per_call(make_basket)}`.

    The function may take the `Call`, the `Actor` and what else is provided, as parameters by their class. It runs
    before the transaction begins; an async generator goes on behind its `yield` when the transaction has ended, and is
    thrown the error that ended it.
    """
    return PerCall(make)


Provide: TypeAlias = Mapping[type[Any], object]
"""By class: a function or a class that makes it, `per_call(...)` of one, or the thing itself."""
