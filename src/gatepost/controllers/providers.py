"""What `App(provide=)` declares, read and checked when the app is built: what each function makes, and of what.

`provided_values.py` calls the functions.
"""

import inspect
import types
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Collection, Coroutine, Iterator, Mapping
from functools import partial
from typing import Any, NamedTuple, Union, cast, get_args, get_origin

from typing_extensions import get_protocol_members, is_protocol

from gatepost.actor import Actor
from gatepost.call import Call
from gatepost.controllers.signatures import read_hints
from gatepost.declaring.provided import PerCall
from gatepost.dtos.parameter_values import text_reader
from gatepost.errors import ConfigurationError
from gatepost.hints import did_you_mean
from gatepost.mistakes import Mistakes
from gatepost.services.accounts import Accounts
from gatepost.services.service import Service
from gatepost.sources import location_of

OF_CALLS = (Call, Actor)
"""What a function that is called for each call may take beside what is provided."""

_WRAPPERS = (AsyncGenerator, AsyncIterator, Awaitable, Coroutine)


class Provider(NamedTuple):
    """How one class is provided: `make` is called with `needs` (parameters by name, with their classes), or returns
    what `is_there` already. `source` is the function, or the app."""

    key: type[Any]
    make: Callable[..., Any]
    source: str
    needs: tuple[tuple[str, type[Any]], ...] = ()
    is_per_call: bool = False
    is_generator: bool = False
    is_there: bool = False

    @property
    def location(self) -> str:
        """The entry, as messages name it."""
        return f"provide={{{self.key.__name__}: {_name(self.make)}}}"


class Providers:
    """The providers of an app by class, each after those that it needs."""

    def __init__(self, given: Mapping[Any, object], mistakes: Mistakes, source: str, location: str = "App") -> None:
        """What is wrong with an entry becomes a mistake at the function, or at `source`, and leaves it out."""
        self._read: dict[type[Any], Provider] = {}
        for key, value in given.items():
            with mistakes.check(_source_of(value) or source):
                checked = _checked_key(key, location)
                self._read[checked] = _provider(checked, value, source)
        self._ordered = _in_order(self._read, mistakes)

    def __contains__(self, key: object) -> bool:
        return cast("Any", key) in self._read

    def __iter__(self) -> Iterator[Provider]:
        return iter(self._ordered.values())

    def is_per_call(self, key: type[Any]) -> bool:
        """Whether it is made for each call."""
        return self._read[key].is_per_call

    def needed_by(self, keys: Collection[type[Any]]) -> list[Provider]:
        """The providers to call for each call that takes these, in order."""
        wanted: set[type[Any]] = set(keys)
        for provider in reversed(self._ordered.values()):
            if provider.key in wanted:
                wanted.update(key for _, key in provider.needs)
        return [provider for provider in self if provider.key in wanted and provider.is_per_call]

    def replaced(self, given: Mapping[Any, object]) -> "Providers":
        """These with others in their place, for tests. Raises `ConfigurationError`."""
        mistakes = Mistakes()
        made = Providers({}, mistakes, "")
        replacing = {key: _double(key, value, self) for key, value in given.items()}
        made._read = {**self._read, **replacing}
        made._ordered = _in_order(made._read, mistakes)
        mistakes.raise_any()
        return made


def _checked_key(key: Any, location: str) -> type[Any]:
    name = getattr(key, "__name__", repr(key))
    if not isinstance(key, type):
        raise ConfigurationError(
            f"provide= names {key!r}, which is not a class.",
            location=location,
            hint="Write the class by which parameters name it: provide={Mailer: make_mailer}.",
        )
    if key in (*OF_CALLS, Accounts) or issubclass(key, Service) or hasattr(cast("Any", key), "__mapper__"):
        raise ConfigurationError(f"provide= names {name}, which endpoints get already.", location=location)
    if key is object or text_reader(key, name) is not None:
        raise ConfigurationError(
            f"provide= names {name}, which parameters of the request have as well.",
            location=location,
            hint="Provide a class of your own that holds it.",
        )
    return cast("type[Any]", key)


def _provider(key: type[Any], value: object, source: str, *, is_double: bool = False) -> Provider:
    make = value.make if isinstance(value, PerCall) else value
    if not _makes(make):
        if isinstance(value, PerCall):
            hint = "Write per_call(make), with a function or a class."
            raise ConfigurationError(f"per_call({make!r}) has nothing to call.", location="App(provide=)", hint=hint)
        return _thing(key, make, source)
    function, code = cast("Callable[..., Any]", make), _code(make)
    provider = Provider(
        key,
        function,
        location_of(inspect.unwrap(code)),
        is_per_call=isinstance(value, PerCall),
        is_generator=inspect.isasyncgenfunction(code),
    )
    _check_function(code, provider.location)
    hints = read_hints(code, provider.location)
    misfit = _misfit(make if isinstance(make, type) else hints.get("return"), key, provider)
    if misfit is not None and not is_double:
        hint = f"Return a {key.__name__}, or provide another class."
        raise ConfigurationError(misfit, location=provider.location, hint=hint)
    return provider._replace(needs=tuple(_needs(provider, hints)))


def _makes(value: object) -> bool:
    """Whether it is called to make the thing: a function or a class. Any other object is the thing itself, even one
    that can be called, as many test doubles can."""
    return inspect.isroutine(value) or isinstance(value, type | partial)


def _thing(key: type[Any], value: object, source: str) -> Provider:
    """The provider of a value that is there."""
    if not (is_protocol(key) or isinstance(value, key)):
        raise ConfigurationError(
            f"provide={{{key.__name__}: {value!r}}} is neither a {key.__name__} nor makes one.",
            location="App",
            hint="Write a function that makes it, the class, or the thing itself.",
        )
    return Provider(key, lambda: value, source, is_there=True)


def _double(key: Any, value: object, providers: Providers) -> Provider:
    """The provider of a test double, which need not inherit what it stands for."""
    known = next((provider for provider in providers if provider.key is key), None)
    if known is None:
        names = [provider.key.__name__ for provider in providers]
        name = getattr(key, "__name__", repr(key))
        hint = did_you_mean(name, names).strip() or f"It provides {', '.join(names) or 'nothing'}."
        raise ConfigurationError(f"the app does not provide {name}.", location="TestApp(provide=)", hint=hint)
    if isinstance(value, PerCall) and not known.is_per_call:
        hint = "Give the double itself, or a function that makes it."
        raise ConfigurationError(f"{key.__name__} is made once.", location="TestApp(provide=)", hint=hint)
    if not (_makes(value) or isinstance(value, PerCall)):
        return Provider(key, lambda: value, known.source, is_there=True)
    return _provider(key, value, known.source, is_double=True)


def _check_function(code: Any, location: str) -> None:
    if inspect.isgeneratorfunction(code):
        raise ConfigurationError("is a generator.", location=location, hint="Write it with `async def`.")
    if not inspect.isasyncgenfunction(code) and inspect.isasyncgenfunction(inspect.unwrap(code)):
        raise ConfigurationError(
            "makes a context manager.", location=location, hint="Take off @asynccontextmanager: it is done for you."
        )


def _needs(provider: Provider, hints: Mapping[str, Any]) -> Iterator[tuple[str, type[Any]]]:
    """The parameters without a default. Raises `ConfigurationError` for what has no class."""
    for name, parameter in inspect.signature(provider.make).parameters.items():
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            continue
        kind = hints.get(name)
        is_required = parameter.default is parameter.empty
        if is_required and not isinstance(kind, type):
            raise ConfigurationError(
                f"takes {name!r}, and does not say which class it is.",
                location=provider.location,
                hint=f"Annotate it with a class that is provided: `{name}: Mailer`.",
            )
        if parameter.kind is parameter.POSITIONAL_ONLY:
            hint = "Parameters are given by name: take out the slash."
            raise ConfigurationError(f"takes {name!r} by position.", location=provider.location, hint=hint)
        if is_required:
            yield name, cast("type[Any]", kind)


def _in_order(read: Mapping[type[Any], Provider], mistakes: Mistakes) -> dict[type[Any], Provider]:
    """The providers in the order of the declaration, each after those that it needs."""
    ordered: dict[type[Any], Provider] = {}

    def add(provider: Provider, above: tuple[type[Any], ...]) -> None:
        if provider.key in above:
            names = " needs ".join(key.__name__ for key in (*above[above.index(provider.key) :], provider.key))
            raise ConfigurationError(f"needs itself: {names}.", location=provider.location, source=provider.source)
        if provider.key not in ordered:
            for name, key in provider.needs:
                _check_need(provider, name, key, read)
                if key in read:
                    add(read[key], (*above, provider.key))
            ordered[provider.key] = provider

    for provider in read.values():
        with mistakes.check(provider.source):
            add(provider, ())
    return ordered


def _check_need(provider: Provider, name: str, key: type[Any], read: Mapping[type[Any], Provider]) -> None:
    if (key in OF_CALLS or (key in read and read[key].is_per_call)) and not provider.is_per_call:
        per_call = f"per_call({_name(provider.make)})"
        raise ConfigurationError(
            f"is made once and takes {name!r}, a {key.__name__}, which each call has another one of.",
            location=provider.location,
            hint=f"Make it for each call as well: provide={{{provider.key.__name__}: {per_call}}}.",
        )
    if key is Accounts:
        raise ConfigurationError(
            f"takes {name!r}, the Accounts, which belong to the transaction of a call.",
            location=provider.location,
            hint="Take them in the endpoint, `accounts: Accounts`, and give them to the method that needs them.",
        )
    if key not in OF_CALLS and key not in read:
        raise ConfigurationError(
            f"takes {name!r}, a {key.__name__}, which nothing provides.",
            location=provider.location,
            hint=f"Write App(provide={{{key.__name__}: ...}}), or give the parameter a default.",
        )


def _misfit(returned: Any, key: type[Any], provider: Provider) -> str | None:
    """Why what a function says that it returns is not what it is to provide; None where it is, or does not say."""
    if provider.is_generator or get_origin(returned) in (Awaitable, Coroutine):
        arguments = get_args(returned) if get_origin(returned) in _WRAPPERS else ()
        returned = None if not arguments else arguments[0 if provider.is_generator else -1]
        if not arguments:
            return None
    if get_origin(returned) in (Union, types.UnionType):
        return next(filter(None, (_misfit(each, key, provider) for each in get_args(returned))), None)
    if returned is type(None):
        return f"may return None, which is not a {key.__name__}."
    made = get_origin(returned) or returned
    if not isinstance(made, type) or made is object:
        return None
    if not is_protocol(key):
        return None if issubclass(made, key) else f"returns {made.__name__}, which is not a {key.__name__}."
    methods = [name for name in get_protocol_members(key) if callable(getattr(key, name, None))]
    missing = [name for name in sorted(methods) if not hasattr(made, name)]
    return f"returns {made.__name__}, which lacks {', '.join(missing)} of {key.__name__}." if missing else None


def _code(make: Any) -> Any:
    """The function whose annotations count."""
    if isinstance(make, partial):
        return _code(make.func)  # pyright: ignore[reportUnknownMemberType]
    own = vars(make).get("__init__") if isinstance(make, type) else None
    return make if own is None else own


def _source_of(value: object) -> str | None:
    make = value.make if isinstance(value, PerCall) else value
    return location_of(inspect.unwrap(_code(make))) if _makes(make) else None


def _name(make: object) -> str:
    return getattr(make, "__name__", repr(make))
