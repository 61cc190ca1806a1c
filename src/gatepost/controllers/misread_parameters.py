"""Parameters of endpoints that no request can give, or that would be read from the query string although they are meant
as the body: refused when the app is built, with what to write.

`parameter_binding.py` asks here once nothing else claims a parameter.
"""

from enum import EnumType
from typing import Any, get_args, get_origin

from gatepost.controllers.signatures import SignedParameter
from gatepost.dtos.parameter_values import value_type
from gatepost.dtos.structured_body import is_structure
from gatepost.dtos.structured_json import LISTS
from gatepost.errors import ConfigurationError

_UNPROVIDED = (Any, object, type(None), list, tuple, set, frozenset, dict)
"""Types that say too little to be provided by."""

_BODY_NAMES = ("body", "payload", "data", "form", "json")
"""Names that say that a parameter is meant as the body."""

_WITH_BODY = ("POST", "PUT", "PATCH")

_A_BODY = "A body is one JSON object: write a Struct, a dataclass, a pydantic model or a DTO with its members"
_BYTES = "for the bytes as they were sent `{name}: Annotated[bytes, RawBody(65536)]`"

_FOREIGN = {
    "UploadFile": "Forms and uploads are not parsed: take the file as the whole body, {bytes}.",
    "FormData": "Forms and uploads are not parsed: take them as they were sent, {bytes}.",
    "Request": "Write `call: Call`, which has headers, cookies and state; {bytes}.",
}
"""Classes of other frameworks by name, and what stands in their place."""


def check_query(parameter: SignedParameter, method: str, location: str) -> None:
    """Raise `ConfigurationError` for a query parameter that is meant as the body."""
    if method not in _WITH_BODY:
        return
    kind, name = value_type(parameter.annotation), parameter.name
    if kind is bytes or name in _BODY_NAMES:
        raise ConfigurationError(
            f"takes {name!r} of type {_shown(kind)}, which would be read from the query string"
            f"{' as base64' if kind is bytes else ''}.",
            location=location,
            hint=f"{_A_BODY}, or {_BYTES.format(name=name)}. A query parameter is "
            f"{'a text' if kind is bytes else 'called something else'}.",
        )


def unbindable(parameter: SignedParameter, method: str, location: str) -> ConfigurationError:
    """The mistake of a parameter that no request can give."""
    kind = parameter.kind
    return ConfigurationError(
        f"takes {parameter.name!r} of type {_shown(kind)}, which no request can give.",
        location=location,
        hint=_hint(parameter, kind, method),
    )


def _hint(parameter: SignedParameter, kind: Any, method: str) -> str:
    shown, as_bytes = _shown(kind), _BYTES.format(name=parameter.name)
    if isinstance(kind, EnumType) and not [*kind]:
        return f"Give {shown} values: none can be chosen."
    if isinstance(kind, type) and kind.__module__.startswith("sqlalchemy."):
        return f"{shown} of SQLAlchemy is the type of a column: write that of its values, such as uuid.UUID."
    if isinstance(kind, type) and kind.__name__ in _FOREIGN:
        return _FOREIGN[kind.__name__].format(bytes=as_bytes)
    if method in _WITH_BODY and _is_like_body(kind, parameter.name):
        return f"{_A_BODY}{_member_of(kind)}, or {as_bytes}."
    if isinstance(kind, type) and kind not in _UNPROVIDED:
        return (
            f"Write App(provide={{{shown}: ...}}) with a function that makes it; a class for the body is a DTO, a "
            "Struct, a dataclass or a pydantic model."
        )
    return (
        "It is a scalar or a list of them, as list[str], or a class: a row of the path, a service, a body, Actor, Call."
    )


def _is_like_body(kind: Any, name: str) -> bool:
    """Whether a type is JSON: a dict, a list of objects, or anything at all by the name of a body."""
    if name in _BODY_NAMES or kind is dict or get_origin(kind) is dict:
        return True
    items = get_args(kind) if get_origin(kind) in LISTS else ()
    return any(is_structure(each) or each is dict or get_origin(each) is dict for each in items)


def _member_of(kind: Any) -> str:
    """What is said of a list, which is a member of the object."""
    items = [each for each in get_args(kind) if is_structure(each)]
    is_list = get_origin(kind) in (list, tuple) and len(items) == 1
    return f", as `items: {get_origin(kind).__name__}[{_shown(items[0])}]`" if is_list else ""


def _shown(kind: Any) -> str:
    return kind.__name__ if isinstance(kind, type) and not get_args(kind) else str(kind).replace("typing.", "")
