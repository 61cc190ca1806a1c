"""Parameters of an endpoint that come from the request's head: path, query string, headers and cookies.

`parameter_binding.py` decides which parameter is which; here each is read from a call.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, NamedTuple

from gatepost.call import Call
from gatepost.controllers.query_strings import Parameter, invalid_parameter, parameters_of, said_of
from gatepost.controllers.signatures import MISSING
from gatepost.declaring.wire_names import WireName
from gatepost.dtos.parameter_values import ReadText, ReadTexts, make_parameters
from gatepost.dtos.violations import Violation
from gatepost.errors import BadRequest, NotFound
from gatepost.hints import parameter_hint
from gatepost.json_pointers import unescape

Read = Callable[[Call], Any]


class TextParameter(NamedTuple):
    """A parameter that stands in the path, in a header or in a cookie, as clients see it. `name` is what they write,
    in a path the name of the place."""

    name: str
    place: Literal["path", "header", "cookie"]
    annotation: Any
    default: Any = MISSING


class QueryParameter(NamedTuple):
    """A query parameter. `name` is that of the endpoint's parameter, unless it is the `member` of a class that the
    endpoint takes as the parameter `owner`; then the class has the default."""

    name: str
    read: ReadTexts
    default: Any
    is_required: bool
    annotation: Any
    owner: str | None = None
    member: str = ""


class QueryParameters:
    """The query parameters of one endpoint. `classes` are those whose members are parameters, by the endpoint's
    parameter; `wire_name` makes the names that clients send."""

    def __init__(
        self, parameters: Sequence[QueryParameter], classes: Mapping[str, Any], wire_name: WireName = str
    ) -> None:
        self._wire_name = wire_name
        self._known = {wire_name(parameter.name): parameter for parameter in parameters}
        self._classes = classes
        self._defaults = {item.name: item.default for item in parameters if item.default is not MISSING}
        self._is_empty = not classes and not any(item.is_required for item in parameters)

    @property
    def names(self) -> tuple[str, ...]:
        """The names of all."""
        return tuple(self._known)

    @property
    def by_name(self) -> Mapping[str, QueryParameter]:
        """The parameters by the names that clients send."""
        return self._known

    def read(self, call: Call) -> dict[str, Any]:
        """The values by parameter of the endpoint. Raises `BadRequest` that names every violation."""
        if self._is_empty and not call.query_string:
            return dict(self._defaults)
        own, others = self.divided(parameters_of(call.query_string) if call.query_string else ())
        return self.values(own, [self._unknown(parameter.label) for parameter in others])

    def divided(self, parameters: Sequence[Parameter]) -> tuple[list[Parameter], list[Parameter]]:
        """Those of the parameters that are the endpoint's own, and the others."""
        own = [parameter for parameter in parameters if parameter.label in self._known]
        return own, [parameter for parameter in parameters if parameter.label not in self._known]

    def values(self, own: Sequence[Parameter], refusals: Sequence[BadRequest] = ()) -> dict[str, Any]:
        """The values by parameter of the endpoint. Raises `BadRequest` that names every violation, after those of the
        `refusals`."""
        given: dict[str, list[str]] = {}
        for item in own:
            given.setdefault(item.label, []).append(item.value)
        refused = [*refusals]
        values = dict(self._defaults)
        members: dict[str, dict[str, Any]] = {name: {} for name in self._classes}
        for sent, parameter in self._known.items():
            try:
                if sent in given and parameter.owner is None:
                    values[parameter.name] = parameter.read(given[sent])
                elif sent in given:
                    members[parameter.owner or ""][parameter.member] = parameter.read(given[sent])
                elif parameter.is_required:
                    raise Violation("required", "It is required.")
            except ValueError as error:
                refused.append(invalid_parameter(sent, error))
        _raise_all(refused)
        for name, kind in self._classes.items():
            try:
                values[name] = make_parameters(kind, members[name])
            except Violation as violation:
                refused += [self._refused_by_class(item) for item in (violation, *violation.others)]
        _raise_all(refused)
        return values

    def label_of(self, value: Any, arguments: Mapping[str, Any]) -> str | None:
        """The parameter that has this value among the arguments, by the name that clients send; None where none or
        several have it."""
        labels = [
            sent
            for sent, parameter in self._known.items()
            if (
                arguments.get(parameter.name)
                if parameter.owner is None
                else getattr(arguments.get(parameter.owner), parameter.member, None)
            )
            == value
        ]
        return labels[0] if len(labels) == 1 else None

    def _unknown(self, label: str) -> BadRequest:
        detail = f"There is no parameter {label!r} here.{parameter_hint(label, self._known)}"
        return BadRequest("unknown_parameter", detail)

    def _refused_by_class(self, violation: Violation) -> BadRequest:
        """The refusal of parameters that do not fit together, or of one that the class itself refuses."""
        if violation.pointer:
            plain = Violation(violation.code, violation.detail, params=violation.params)
            return invalid_parameter(self._wire_name(unescape(violation.pointer[1:])), plain)
        return BadRequest("invalid_parameter", violation.detail, errors=[violation.error()])


def _raise_all(refusals: Sequence[BadRequest]) -> None:
    """Raise the refusals as one, with the code of the first."""
    if refusals:
        details = dict.fromkeys(refusal.detail for refusal in refusals)
        errors = [error for refusal in refusals for error in refusal.errors]
        raise BadRequest(refusals[0].code, " ".join(details), errors=errors)


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
        raise BadRequest("invalid_parameter", said_of(what, reason)) from None
