"""The signature of an endpoint: its parameters with their types, and what it returns. Read when the app is built."""

import inspect
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, get_type_hints

from gatepost.dtos.structured_members import without_metadata
from gatepost.errors import ConfigurationError
from gatepost.models.annotations import UNREADABLE

MISSING: Any = inspect.Parameter.empty
"""The default of a parameter without one."""


class SignedParameter(NamedTuple):
    """A parameter as it is written: `kind` is its type, `metadata` what `Annotated` adds, `annotation` both."""

    name: str
    annotation: Any
    kind: Any
    metadata: tuple[Any, ...]
    default: Any

    @property
    def is_required(self) -> bool:
        """Whether it has no default."""
        return self.default is MISSING


class Signature(NamedTuple):
    """What an endpoint takes and returns."""

    parameters: tuple[SignedParameter, ...]
    returned: Any


def read_signature(function: Callable[..., Any], location: str) -> Signature:
    """The signature of a method, without `self`. Raises `ConfigurationError` where it cannot be bound."""
    if not inspect.isfunction(function):
        raise ConfigurationError(
            f"is a {type(function).__name__}, and an endpoint is a method.",
            location=location,
            hint="Write `async def name(self, ...)`, without @staticmethod, @classmethod or @property.",
        )
    if not inspect.iscoroutinefunction(function):
        raise ConfigurationError(
            "is not asynchronous.", location=location, hint=f"Write `async def {function.__name__}`."
        )
    hints = read_hints(function, location)
    own, parameters = _divided([*inspect.signature(function).parameters.values()])
    if own not in (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD):
        raise ConfigurationError(
            "does not take self.", location=location, hint=f"Write `async def {function.__name__}(self, ...)`."
        )
    for parameter in parameters:
        _check_parameter(parameter, hints, location)
    if "return" not in hints:
        raise ConfigurationError(
            "does not say what it returns.",
            location=location,
            hint="Annotate it with a model, a `Select[...]` of one, plain data (`-> dict[str, int]`), or `-> None`.",
        )
    return Signature(tuple(_signed(each, hints[each.name]) for each in parameters), hints["return"])


def _divided(parameters: list[inspect.Parameter]) -> tuple[object, list[inspect.Parameter]]:
    """Which kind of parameter takes `self`, None where there is none, and the others."""
    return (parameters[0].kind, parameters[1:]) if parameters else (None, [])


def read_hints(code: Any, location: str) -> Mapping[str, Any]:
    """The type hints of a function or class. Raises `ConfigurationError` for what cannot be evaluated at
    run time."""
    try:
        return get_type_hints(code, include_extras=True)
    except UNREADABLE as error:
        raise ConfigurationError(
            f"has annotations that cannot be read: {error}.",
            location=location,
            hint="Import the name at run time: outside of `if TYPE_CHECKING:`, at the top of the module.",
        ) from None


def _check_parameter(parameter: inspect.Parameter, hints: Mapping[str, Any], location: str) -> None:
    if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
        raise ConfigurationError(
            f"takes {parameter}, and a request names its parameters.",
            location=location,
            hint="Name them, or take a class of query parameters: `search: Annotated[Search, Query]`.",
        )
    if parameter.kind is parameter.POSITIONAL_ONLY:
        raise ConfigurationError(
            f"takes {parameter.name!r} by its position alone, and a request names its parameters.",
            location=location,
            hint="Remove the slash behind it.",
        )
    if parameter.name not in hints:
        raise ConfigurationError(
            f"does not say what {parameter.name!r} is.",
            location=location,
            hint=f"Annotate it: `{parameter.name}: int`.",
        )


def _signed(parameter: inspect.Parameter, annotation: Any) -> SignedParameter:
    kind, metadata = without_metadata(annotation)
    return SignedParameter(parameter.name, annotation, kind, metadata, parameter.default)
