"""Parameters of an endpoint that come from the request's head: path, query string, headers and cookies.

`endpoint_binding.py` decides which parameter is which; here each is read from a call.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from gatepost.call import Call
from gatepost.controllers.query_strings import invalid_parameter, parameters_of
from gatepost.controllers.signatures import MISSING
from gatepost.dtos.parameter_values import ReadText
from gatepost.errors import BadRequest, NotFound
from gatepost.hints import did_you_mean

Read = Callable[[Call], Any]


class QueryParameter(NamedTuple):
    """A query parameter: `name` is that of the endpoint's parameter. One that `is_list` may be repeated."""

    name: str
    read: ReadText
    default: Any
    is_list: bool


class QueryParameters:
    """The query parameters of one endpoint."""

    def __init__(self, parameters: Sequence[QueryParameter]) -> None:
        self._known = {parameter.name: parameter for parameter in parameters}
        self._defaults = {item.name: item.default for item in parameters if item.default is not MISSING}
        self._has_required = len(self._defaults) < len(self._known)

    def read(self, call: Call) -> dict[str, Any]:
        """The values by name. Raises `BadRequest` that names every violation."""
        if not (call.query_string or self._has_required):
            return dict(self._defaults)
        given = self._given(call.query_string)
        values = dict(self._defaults)
        violations: list[str] = []
        for name, parameter in self._known.items():
            if name in given or name not in values:
                try:
                    values[name] = _value(parameter, given.get(name, ()))
                except ValueError as error:
                    violations.append(invalid_parameter(name, str(error)).detail)
        if violations:
            raise BadRequest("invalid_parameter", " ".join(violations))
        return values

    def _given(self, query_string: bytes) -> dict[str, list[str]]:
        """The texts of each parameter. Raises `BadRequest` that names all that there are not."""
        given: dict[str, list[str]] = {}
        unknown: list[str] = []
        for parameter in parameters_of(query_string):
            label = parameter.label
            if label in self._known:
                given.setdefault(label, []).append(parameter.value)
            else:
                unknown.append(f"There is no parameter {label!r} here.{did_you_mean(label, self._known)}")
        if unknown:
            raise BadRequest("unknown_parameter", " ".join(unknown))
        return given


def _value(parameter: QueryParameter, texts: Sequence[str]) -> Any:
    if not texts:
        raise ValueError("It is required.")
    if parameter.is_list:
        return [parameter.read(text) for text in texts]
    if len(texts) > 1:
        raise ValueError("It is given more than once.")
    return parameter.read(texts[0])


def path_value(place: int, read: ReadText) -> Read:
    """The value of a segment of the path. A text that cannot be one is the path of nothing."""

    def read_segment(call: Call) -> Any:
        try:
            return read(call.path_values[place])
        except ValueError:
            raise NotFound("not_found", "There is nothing here that you may see.") from None

    return read_segment


def header_value(name: str, read: ReadText, default: Any) -> Read:
    """The value of a header."""
    key = name.lower().encode()
    return lambda call: _text_value(call.headers.get(key), f"The header {name!r}", read, default)


def cookie_value(name: str, read: ReadText, default: Any) -> Read:
    """The value of a cookie."""

    def read_cookie(call: Call) -> Any:
        text = call.cookie(name)
        given = None if text is None else text.encode("latin-1")
        return _text_value(given, f"The cookie {name!r}", read, default)

    return read_cookie


def _text_value(given: bytes | None, what: str, read: ReadText, default: Any) -> Any:
    if given is None:
        if default is MISSING:
            raise BadRequest("invalid_parameter", f"{what} is required.")
        return default
    try:
        return read(given.decode())
    except ValueError as error:
        reason = "It is not UTF-8." if isinstance(error, UnicodeDecodeError) else str(error)
        raise BadRequest("invalid_parameter", f"{what}: {reason}") from None
