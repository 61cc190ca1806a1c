"""The markers of an endpoint's parameters: what `Annotated` says about where each comes from, checked when the app is
built.

`parameter_binding.py` binds the parameters by them.
"""

from collections.abc import Iterator
from typing import Any, TypeAlias

from gatepost.controllers.signatures import SignedParameter
from gatepost.declaring.parameters import Cookie, Header, Lock, Query, RawBody
from gatepost.errors import ConfigurationError
from gatepost.response_fields import FIELD_NAME

Marker: TypeAlias = Lock | Header | Cookie | Query | RawBody

UNNAMED = (Lock, Header, Cookie, Query)
"""Markers that need no arguments."""


def marker_of(parameter: SignedParameter, location: str) -> Marker | None:
    """What marks a parameter; a class stands for an instance without arguments. Raises `ConfigurationError` for more
    than one."""
    found = [*_markers(parameter, location)]
    if len(found) > 1:
        names = ", ".join(type(marker).__name__ for marker in found)
        raise ConfigurationError(
            f"takes {parameter.name!r} from several places: {names}.",
            location=location,
            hint="Keep one of them in Annotated[...].",
        )
    return found[0] if found else None


def _markers(parameter: SignedParameter, location: str) -> Iterator[Marker]:
    for item in parameter.metadata:
        if item is RawBody:
            raise unbounded_body(parameter, location)
        if isinstance(item, type) and issubclass(item, UNNAMED):
            yield item()
        elif isinstance(item, (*UNNAMED, RawBody)):
            yield item


def unbounded_body(parameter: SignedParameter, location: str) -> ConfigurationError:
    """What is said of `RawBody` without a bound, or of what is not bytes."""
    return ConfigurationError(
        f"takes {parameter.name!r}, which is not the bytes of a body with a bound.",
        location=location,
        hint=f"Write `{parameter.name}: Annotated[bytes, RawBody(65536)]`.",
    )


def sent_name(parameter: SignedParameter, marker: Header | Cookie, location: str) -> str:
    """The name of a header or cookie. Raises `ConfigurationError` for one that no request can have (RFC 9110, section
    5.6.2; RFC 6265, section 4.1.1)."""
    name: Any = marker.name
    if name is None:
        name = parameter.name.replace("_", "-") if isinstance(marker, Header) else parameter.name
    if not isinstance(name, str) or FIELD_NAME.fullmatch(name.lower()) is None:
        what = type(marker).__name__
        raise ConfigurationError(
            f"takes {parameter.name!r} from the {what.lower()} {name!r}, which is not a name.",
            location=location,
            hint=f'Write letters, digits and hyphens: {what}("x-signature").',
        )
    return name


def check_given(parameter: SignedParameter, marker: Marker | None, what: str, location: str) -> None:
    """Raise `ConfigurationError` for a default or a marker of a parameter whose value always comes from elsewhere:
    `what` says how it comes."""
    name, shown = parameter.name, getattr(parameter.kind, "__name__", str(parameter.kind))
    if marker is not None:
        raise ConfigurationError(
            f"takes {name!r} {what}, and marks it as {type(marker).__name__}.",
            location=location,
            hint=f"Write `{name}: {shown}`.",
        )
    if not parameter.is_required:
        raise ConfigurationError(
            f"takes {name!r} {what}, and gives it a default, which is never used.",
            location=location,
            hint=f"Write `{name}: {shown}` without a default.",
        )
