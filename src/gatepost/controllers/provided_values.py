"""What `App(provide=)` makes: once per process when the app starts, or for each call that takes it."""

import inspect
from collections.abc import AsyncGenerator, Collection, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from types import TracebackType
from typing import Any

from gatepost.actor import Actor
from gatepost.background import is_failure, report
from gatepost.call import Call
from gatepost.controllers.providers import Provider, Providers
from gatepost.errors import ConfigurationError
from gatepost.events import Events
from gatepost.sources import raised_at

Values = Mapping[type[Any], Any]
"""What is provided, by class."""


class ProvidedValues:
    """The things that one process has. Until `start`, these are only those that the application made itself."""

    def __init__(self, providers: Providers, events: Events) -> None:
        self._providers = providers
        self._events = events
        self._closing = AsyncExitStack()
        self.values: dict[type[Any], Any] = {item.key: item.make() for item in providers if item.is_there}

    async def start(self) -> None:
        """Make what is made once, in order. Raises `ConfigurationError` where a function raises, and closes what was
        made before it."""
        for provider in self._providers:
            if not provider.is_per_call:
                try:
                    self.values[provider.key] = await make(provider, self.values, self._closing, self._events)
                except Exception as error:
                    await self.stop()
                    raise _refusal(provider, error) from error

    async def stop(self) -> None:
        """Close what was made, the last one first."""
        self.values.clear()
        await self._closing.aclose()

    def get(self, key: type[Any]) -> Any:
        """What a class is provided by. Raises `ConfigurationError`."""
        if key in self.values:
            return self.values[key]
        if key in self._providers:
            hint = "Take it as a parameter of an endpoint."
            raise ConfigurationError(f"{key.__name__} is made for each call.", location="provided()", hint=hint)
        hint = f"Write App(provide={{{key.__name__}: ...}})."
        raise ConfigurationError(f"the app does not provide {key.__name__}.", location="provided()", hint=hint)

    def of_call(self, keys: Collection[type[Any]]) -> "CallValues | None":
        """What makes these for a call; None where none of them, nor what they need, is made for each."""
        providers = self._providers.needed_by(keys)
        return CallValues(providers, self.values, self._events) if providers else None


class CallValues:
    """Makes what one endpoint takes of what is made for each call."""

    def __init__(self, providers: Sequence[Provider], shared: Values, events: Events) -> None:
        self._providers = providers
        self._shared = shared
        self._events = events

    @asynccontextmanager
    async def made(self, call: Call) -> AsyncGenerator[Values]:
        """What is provided during a call: what was made for it is closed at the end of the block."""
        values: dict[type[Any], Any] = {**self._shared, Call: call, Actor: call.actor}
        async with AsyncExitStack() as closing:
            for provider in self._providers:
                values[provider.key] = await make(provider, values, closing, self._events)
            yield values


async def make(provider: Provider, values: Values, closing: AsyncExitStack, events: Events) -> Any:
    """Call the function of a provider with what it takes."""
    arguments = {name: values[key] for name, key in provider.needs}
    if not provider.is_generator:
        made = provider.make(**arguments)
        return await made if inspect.isawaitable(made) and not provider.is_there else made
    manager = asynccontextmanager(provider.make)(**arguments)
    made = await manager.__aenter__()

    async def close(kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> bool:
        """What the generator raises itself is reported: the work that used it has ended as it has."""
        try:
            await manager.__aexit__(kind, error, trace)
        except BaseException as failure:
            if failure is not error:
                if not is_failure(failure):
                    raise
                report(f"closing {provider.location}", failure, events)
        return False

    closing.push_async_exit(close)
    return made


def _refusal(provider: Provider, error: Exception) -> ConfigurationError:
    if isinstance(error, ConfigurationError):
        error.source = error.source or provider.source
        return error
    where = raised_at(error)
    return ConfigurationError(
        f"raised {type(error).__name__}: {error}" + (f" ({where})" if where else ""),
        location=provider.location,
        source=provider.source,
    )
