"""Plain data that an endpoint says it returns: refused when the app is built where it has no form in JSON.

`plain_values.py` writes what is admitted here.
"""

import types
from collections.abc import AsyncIterable, Mapping, MutableMapping, Sequence
from enum import Enum
from typing import Any, Literal, TypeVar, Union, get_args, get_origin

import msgspec

from gatepost.call import Call, Response
from gatepost.declaring.dto import DTO, Created
from gatepost.declaring.files import File
from gatepost.declaring.streams import Stream
from gatepost.dtos.structured_json import LISTS, column_type_of
from gatepost.dtos.structured_members import has_members, has_places, members_of, without_metadata
from gatepost.errors import ConfigurationError
from gatepost.models.annotations import UNREADABLE
from gatepost.pydantic_models import is_pydantic
from gatepost.services.answers import is_select_type

_OPEN = (Any, object, None, type(None), msgspec.Raw, msgspec.UnsetType)
"""What every value may be, or is written as it is."""

_MAPPINGS = (Mapping, MutableMapping)

_BYTES = (bytearray, memoryview)

_HINT = (
    "Return a Struct, a dataclass, a pydantic model, a scalar, or lists and dicts of these; "
    'for another body, Response.binary(body, "image/png").'
)


class ReturnedData:
    """Checks what one endpoint returns."""

    def __init__(self, location: str) -> None:
        self._location = location
        self._known: list[Any] = []

    def check(self, annotation: Any, inside: str = "") -> None:
        """Raise `ConfigurationError` for what JSON cannot hold; `inside` is the member that has the annotation."""
        plain, _ = without_metadata(annotation)
        if plain in self._known or _is_open(plain):
            return
        self._known.append(plain)
        origin, arguments = get_origin(plain), [each for each in get_args(plain) if each is not ...]
        kind: Any = origin or plain
        is_class = isinstance(kind, type)
        if (refusal := _of_rows(kind)) is not None:
            raise self._refused(*refusal, inside)
        if has_members(plain) or has_places(plain):
            self._check_members(plain, inside)
        elif kind in _MAPPINGS or (is_class and issubclass(kind, dict)):
            self._check_mapping(arguments, inside)
        elif origin in (Union, types.UnionType) or kind in LISTS or (is_class and issubclass(kind, list)):
            self.check_all(arguments, inside)
        elif not (_is_scalar(plain) or is_pydantic(plain)):
            raise self._refused(f"returns {_shown(kind)}, which has no form in JSON.", _HINT, inside)

    def check_all(self, annotations: Sequence[Any], inside: str = "") -> None:
        """Check each of several."""
        for each in annotations:
            self.check(each, inside)

    def _check_mapping(self, arguments: Sequence[Any], inside: str) -> None:
        self.check_all(arguments, inside)
        for key in arguments[:1]:
            plain, _ = without_metadata(key)
            if plain is bool or not (
                _is_open(plain) or _is_scalar(plain) or get_origin(plain) in (Union, types.UnionType)
            ):
                problem = f"returns a dict whose keys are of type {_shown(plain)}, and the keys of JSON are texts."
                raise self._refused(problem, "Use keys of type str, int, UUID, date or an Enum of texts.", inside)

    def _check_members(self, annotation: Any, inside: str) -> None:
        try:
            members = members_of(annotation)
        except UNREADABLE as error:
            problem = f"returns {_shown(annotation)}, whose annotations cannot be read: {error}."
            hint = "Import the name at run time: outside of `if TYPE_CHECKING:`, at the top of the module."
            raise self._refused(problem, hint, inside) from None
        for member in members:
            self.check(member.annotation, f"{_shown(annotation)}.{member.name}")

    def _refused(self, problem: str, hint: str, inside: str) -> ConfigurationError:
        location = f"{self._location}, {inside}" if inside else self._location
        return ConfigurationError(problem, location=location, hint=hint)


def _of_rows(kind: Any) -> tuple[str, str] | None:
    """What is wrong with a class of which rows or responses are made, and what to write: it is inside of other data."""
    name = _shown(kind)
    if hasattr(kind, "__mapper__"):
        return (
            f"returns rows of {name} inside of other data, and policies and DTOs show rows alone.",
            f"Return {name}, list[{name}], Select[{name}] or Created[{name}], and other data by another endpoint.",
        )
    if not isinstance(kind, type):
        return None
    if issubclass(kind, Created):
        return (
            "returns Created of what is not a row, or inside of other data.",
            "Return Created[Book], with a model that has a resource; for other data, write status=201.",
        )
    if issubclass(kind, DTO):
        return f"returns {name}, and what makes it is a row.", f"Return the row itself, and write answers={name}."
    return _of_responses(kind, name)


def _of_responses(kind: Any, name: str) -> tuple[str, str] | None:
    """The same, of a class that is a response, or a request."""
    if issubclass(kind, AsyncIterable):
        return f"returns {name}, which is the source of a stream.", "Return Stream(source()), as Stream[...]."
    if is_select_type(kind) or issubclass(kind, Response | Stream | File):
        return f"returns {name} inside of other data.", "Return it alone."
    return (f"returns {name}, which is the request.", _HINT) if issubclass(kind, Call) else None


def _is_open(plain: Any) -> bool:
    return plain in _OPEN or isinstance(plain, TypeVar)


def _is_scalar(plain: Any) -> bool:
    is_enum = isinstance(plain, type) and issubclass(plain, Enum)
    return is_enum or column_type_of(plain) is not None or plain in _BYTES or get_origin(plain) is Literal


def _shown(annotation: Any) -> str:
    return getattr(annotation, "__name__", str(annotation))
