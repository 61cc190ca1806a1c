"""Middlewares as they are declared: ordinary ASGI middlewares of any framework."""

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias, cast

from gatepost.asgi import ASGIApp
from gatepost.errors import ConfigurationError

Wrap: TypeAlias = Callable[[ASGIApp], ASGIApp]
"""From an application to one around it: a class `Middleware(app)`, a function, a `functools.partial` with options."""


def checked_middleware(given: Sequence[Any]) -> tuple[Wrap, ...]:
    """The middlewares, of which the first is outermost. Starlette's `Middleware(GZipMiddleware, minimum_size=500)` is
    one as well. Raises `ConfigurationError`."""
    return tuple(_checked(each) for each in given)


def _checked(given: Any) -> Wrap:
    if callable(given):
        return cast("Wrap", given)
    parts = getattr(given, "cls", None), getattr(given, "args", ()), getattr(given, "kwargs", {})  # as Starlette's
    if not callable(parts[0]):
        raise ConfigurationError(
            f"middleware= has {given!r}, which is not a middleware.",
            location="App",
            hint="Write a class or a function that takes an ASGI application and returns one; options by partial().",
        )
    made: Callable[..., ASGIApp] = cast("Any", parts[0])
    return lambda app: made(app, *parts[1], **parts[2])
