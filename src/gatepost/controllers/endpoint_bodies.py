"""Bodies of own endpoints: which parameter of a method is the body, and how one is read.

A body is a DTO, what was sent of one (`Partial`), a class with the members of a JSON object, or the bytes themselves.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, cast, get_args, get_origin

from gatepost.call import Call
from gatepost.controllers.parameter_markers import unbounded_body
from gatepost.controllers.signatures import MISSING, SignedParameter
from gatepost.declaring.dto import DTO
from gatepost.declaring.parameters import RawBody
from gatepost.declaring.wire_names import WireName
from gatepost.dtos.body import BodyDecoder, BodyFields, compile_body
from gatepost.dtos.body_envelopes import BodyEnvelope
from gatepost.dtos.json_values import Bounds
from gatepost.dtos.structured_body import compile_structured_body, is_structure
from gatepost.dtos.structured_members import alternatives_of
from gatepost.errors import ConfigurationError, Problem
from gatepost.mistakes import Mistakes
from gatepost.models.catalog import Catalog
from gatepost.models.dto_bodies import read_body
from gatepost.models.dto_members import served_by
from gatepost.models.served_model import ServedModel
from gatepost.services.body_values import BodyValues
from gatepost.services.partial import Partial
from gatepost.view import View

ReadBody = Callable[[Call, bytes], Any]
"""From the bytes of a body to the value of the parameter. Raises `BadRequest`, `Unprocessable`."""


class BoundDTO(NamedTuple):
    """A DTO as a body: the attributes that it may set. A `Partial` of it requires none of them; with `may_be_null` the
    whole body may be null."""

    dto: type[DTO[Any]]
    served: ServedModel
    attributes: Mapping[str, Any]
    is_partial: bool
    may_be_null: bool = False


class BodyParameter(NamedTuple):
    """The parameter that is the body: of this annotation; `raw` where it is the bytes, `dto` where it is a DTO."""

    name: str
    annotation: Any
    default: Any
    raw: RawBody | None = None
    dto: BoundDTO | None = None


def find_body(parameter: SignedParameter, catalog: Catalog, mistakes: Mistakes, location: str) -> BodyParameter | None:
    """The body that a parameter is; None where it is something else. Raises `ConfigurationError` for one that no
    request can have; what is wrong with a member of a DTO becomes a mistake."""
    name, annotation, default = parameter.name, parameter.annotation, parameter.default
    raw = next((item for item in parameter.metadata if isinstance(item, RawBody)), None)
    if raw is not None:
        return BodyParameter(name, annotation, default, raw=_checked_raw(raw, parameter, location))
    types = [item for item in alternatives_of(parameter.kind) if item is not type(None)]
    single = types[0] if len(types) == 1 else parameter.kind
    is_partial = get_origin(single) is Partial
    kind = get_args(single)[0] if is_partial else single
    if isinstance(kind, type) and issubclass(kind, DTO):
        dto = cast("type[DTO[Any]]", cast("Any", kind))
        served = served_by(dto, catalog)
        attributes = read_body(dto, served, mistakes, ["update" if is_partial else "create"])
        may_be_null = single is not parameter.kind
        return BodyParameter(name, annotation, default, dto=BoundDTO(dto, served, attributes, is_partial, may_be_null))
    if is_partial or kind is Partial:
        raise ConfigurationError(
            f"takes {name!r}, which is not a Partial of a DTO.",
            location=location,
            hint=f"Write `{name}: Partial[ArticleBody]`, with class ArticleBody(DTO[Article]).",
        )
    return BodyParameter(name, annotation, default) if is_structure(parameter.annotation) else None


def _checked_raw(raw: RawBody, parameter: SignedParameter, location: str) -> RawBody:
    is_bounded = type(raw.bytes_max) is int and raw.bytes_max > 0
    if parameter.kind is not bytes or not is_bounded or not parameter.is_required:
        raise unbounded_body(parameter, location)
    return raw


def compile_body_reader(
    body: BodyParameter, location: str, bounds: Bounds, wire_name: WireName, envelope: BodyEnvelope | None = None
) -> ReadBody:
    """The reader of bodies in an envelope, whose members `wire_name` names. Raises `ConfigurationError` for what no
    body can hold."""
    if body.raw is not None:
        return lambda call, content: content
    if body.dto is not None:
        read: ReadBody = _DTOBodies(body.dto, bounds).read
    else:
        read = _without_call(compile_structured_body(body.annotation, f"{location}({body.name})", bounds, wire_name))
    return _or_default(read if envelope is None else _inside(envelope, read), body.default)


def _without_call(read: Callable[[bytes], Any]) -> ReadBody:
    return lambda call, content: read(content)


def _inside(envelope: BodyEnvelope, read: ReadBody) -> ReadBody:
    """The reader of bodies that are in an envelope."""

    def read_inside(call: Call, content: bytes) -> Any:
        inside = envelope.opened(content, lambda empty: read(call, empty))
        try:
            return read(call, inside)
        except Problem as problem:
            raise envelope.located(problem) from problem.__cause__

    return read_inside


def _or_default(read: ReadBody, default: Any) -> ReadBody:
    """The reader of a body that may be absent, where the parameter has a default."""
    if default is MISSING:
        return read
    return lambda call, content: read(call, content) if content else default


class _DTOBodies:
    """Reads bodies of one DTO. As in derived endpoints, a body has those members that the actor may set: any other is
    an unknown field."""

    def __init__(self, bound: BoundDTO, bounds: Bounds) -> None:
        self._bound = bound
        self._bounds = bounds
        self._values = BodyValues(bound.dto, bound.served, [*bound.attributes.values()], is_partial=bound.is_partial)
        self._decoders: dict[View, BodyDecoder] = {}
        self._compile(bound.attributes.keys())

    def read(self, call: Call, content: bytes) -> Any:
        """The instance, or what was sent of one."""
        if self._bound.may_be_null and content.strip() == b"null":
            return None
        view = self._bound.served.view(call.actor)
        decoder = self._decoders.get(view)
        if decoder is None:
            decoder = self._decoders[view] = self._compile(view.updatable if self._bound.is_partial else view.creatable)
        values = decoder.decode(content).values
        return self._values.partial(values) if self._bound.is_partial else self._values.instance(call, values)

    def _compile(self, settable: Any) -> BodyDecoder:
        bound = self._bound
        names = frozenset(bound.attributes.keys() & settable)
        required: frozenset[str] = frozenset() if bound.is_partial else bound.served.required & names
        fields = BodyFields(names, frozenset(), required)
        return compile_body(bound.attributes.values(), fields, bound.dto.__name__, self._bounds)
