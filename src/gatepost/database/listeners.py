"""Which functions of an application listen to SQLAlchemy's events, and what they are called in messages.

SQLAlchemy wraps a listener once or more before it keeps it, and keeps listeners of its own and of Gatepost's in the
same collections. Outside the request path.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

from gatepost.sources import location_of

_NOT_THE_APPLICATION = frozenset({"sqlalchemy", "gatepost"})

_MUTABLE = "sqlalchemy.ext.mutable"


class Listener(NamedTuple):
    """A function of the application that listens to an event. Printed, it names both and the function's location."""

    event: str
    function: Callable[..., Any]

    def __str__(self) -> str:
        name = getattr(self.function, "__name__", type(self.function).__name__)
        return f"{self.event} listener {name}{_in_brackets(location_of(self.function))}"


def listeners_of(event: str, kept: Iterable[Callable[..., Any]]) -> Iterator[Listener]:
    """The listeners among what SQLAlchemy keeps for an event that are the application's."""
    for each in kept:
        function = _unwrapped(each)
        if _package(function) not in _NOT_THE_APPLICATION:
            yield Listener(event, function)


def is_coerced(kept: Iterable[Callable[..., Any]]) -> bool:
    """Whether one of an attribute's listeners is that of a `Mutable` type, which makes its own objects of values."""
    return any(getattr(_unwrapped(each), "__module__", None) == _MUTABLE for each in kept)


def _unwrapped(function: Any) -> Any:
    """The function that was registered: SQLAlchemy's wrappers all call it `fn`."""
    while _package(function) == "sqlalchemy" and callable(inner := _enclosed(function)):
        function = inner
    return function


def _enclosed(function: Any) -> Any:
    code, cells = getattr(function, "__code__", None), getattr(function, "__closure__", None) or ()
    names = () if code is None else code.co_freevars
    return next((cell.cell_contents for free, cell in zip(names, cells, strict=True) if free == "fn"), None)


def _package(function: Any) -> str:
    return str(getattr(function, "__module__", "")).partition(".")[0]


def _in_brackets(location: str) -> str:
    return f" ({location})" if location else ""
