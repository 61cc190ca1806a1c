"""Classes whose instances are JSON objects: which members they have, and what their annotations admit.

Structs, dataclasses, TypedDicts and NamedTuples, generic ones as well. Read once, when the app is built, for
`structured_json.py`.
"""

import dataclasses
import types
import typing
from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any, NamedTuple, Union, cast, get_args, get_origin, get_type_hints

import msgspec
import typing_extensions

from gatepost.declaring.wire_names import WireName
from gatepost.errors import ConfigurationError
from gatepost.models.constraints import bounds_of

_QUALIFIERS = (typing.Required, typing.NotRequired, typing_extensions.Required, typing_extensions.NotRequired)


class Member(NamedTuple):
    """A member of a class: its name there and in JSON. One that is not required has a default, or may be left out."""

    name: str
    key: str
    annotation: Any
    is_required: bool


def has_members(annotation: Any) -> bool:
    """Whether instances of an annotation are made of the members of a JSON object: a Struct, a dataclass, a
    TypedDict."""
    kind: Any = get_origin(annotation) or annotation
    if is_struct(kind):
        return not kind.__struct_config__.array_like
    return isinstance(kind, type) and (dataclasses.is_dataclass(kind) or _is_typed_dict(kind))


def _is_typed_dict(kind: Any) -> bool:
    return typing_extensions.is_typeddict(kind)


def has_places(annotation: Any) -> bool:
    """Whether instances of an annotation are made of the elements of a JSON array, each of its own type: a NamedTuple,
    or a Struct with `array_like=True`."""
    kind: Any = get_origin(annotation) or annotation
    if is_struct(kind):
        return bool(kind.__struct_config__.array_like)
    return isinstance(kind, type) and issubclass(kind, tuple) and hasattr(cast("Any", kind), "_fields")


def is_struct(kind: Any) -> bool:
    """Whether it is a class of msgspec."""
    return isinstance(kind, type) and issubclass(kind, msgspec.Struct)


def members_of(annotation: Any) -> Sequence[Member]:
    """The members of a class that has some. Raises one of `UNREADABLE` for annotations that cannot be
    evaluated."""
    kind: Any = get_origin(annotation) or annotation
    if is_struct(kind):
        found = msgspec.structs.fields(annotation)
        return [Member(item.name, item.encode_name, item.type, item.required) for item in found]
    hints = _hints(annotation, kind)
    if dataclasses.is_dataclass(kind):
        return [*_fields(kind, hints)]
    if _is_typed_dict(kind):
        return [Member(name, name, hint, name in kind.__required_keys__) for name, hint in hints.items()]
    return [Member(name, name, hints[name], name not in kind._field_defaults) for name in kind._fields]


def pydantic_members(kind: Any) -> Sequence[Member]:
    """The members of a pydantic model, by the aliases that it is read by."""
    return [_pydantic_member(name, field) for name, field in kind.model_fields.items()]


def _pydantic_member(name: str, field: Any) -> Member:
    key = next((choice for choice in _choices(field) if isinstance(choice, str)), name)
    annotation = Annotated[field.annotation, *field.metadata] if field.metadata else field.annotation
    return Member(name, key, annotation, field.is_required())


def _choices(field: Any) -> Sequence[Any]:
    """The aliases that a field of a pydantic model is read by: texts, and paths into the document."""
    alias = field.validation_alias
    choices: Sequence[Any] = getattr(alias, "choices", [] if alias is None else [alias])
    return choices


def pydantic_keys(kind: Any) -> dict[str, str | None]:
    """The keys of a document that a pydantic model reads, each with the member that it is; None where the member is
    somewhere inside (`AliasPath`)."""
    config = kind.model_config
    by_name = config.get("populate_by_name") or config.get("validate_by_name")
    found: dict[str, str | None] = {}
    for name, field in kind.model_fields.items():
        choices = _choices(field)
        for choice in choices if config.get("validate_by_alias") is not False else ():
            if isinstance(choice, str):
                found[choice] = name
            else:
                found.setdefault(str(choice.path[0]), None)
        if by_name or not choices:
            found[name] = name
    return found


def renamed(annotation: Any, members: Sequence[Member], wire_name: WireName) -> Sequence[Member]:
    """The members of a class by the names that clients know. A class that says its own names keeps them, and a
    TypedDict is data, whose keys are the same in Python."""
    kind: Any = get_origin(annotation) or annotation
    has_own_names = any(member.key != member.name for member in members)
    if wire_name is str or has_own_names or _is_typed_dict(kind):
        return members
    found = {wire_name(member.name): member for member in members}
    for member in members:
        key = wire_name(member.name)
        if found[key] is not member:
            raise ConfigurationError(
                f"has two members that clients would know as {key!r}: {member.name!r} and {found[key].name!r}.",
                location=kind.__name__,
                hint="Rename one of them.",
            )
    return [member._replace(key=key) for key, member in found.items()]


def _fields(kind: Any, hints: Mapping[str, Any]) -> Iterator[Member]:
    for field in dataclasses.fields(kind):
        if field.init:
            is_required = field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
            yield Member(field.name, field.name, hints[field.name], is_required)


def _hints(annotation: Any, kind: Any) -> dict[str, Any]:
    """The annotations of a class, with the arguments of a generic one in the place of its variables."""
    hints = {name: _unqualified(hint) for name, hint in get_type_hints(kind, include_extras=True).items()}
    arguments = dict(zip(getattr(kind, "__parameters__", ()), get_args(annotation), strict=False))
    return {name: _filled_in(hint, arguments) for name, hint in hints.items()} if arguments else hints


def _unqualified(hint: Any) -> Any:
    return get_args(hint)[0] if get_origin(hint) in _QUALIFIERS else hint


def _filled_in(hint: Any, arguments: Mapping[Any, Any]) -> Any:
    if hint in arguments:
        return arguments[hint]
    variables = getattr(hint, "__parameters__", ())
    return hint[tuple(arguments.get(each, each) for each in variables)] if variables else hint


def plain_of(annotation: Any) -> Any:
    """What a `NewType` or a type alias stands for."""
    while True:
        if (inner := getattr(annotation, "__supertype__", None)) is not None:
            annotation = inner
        elif isinstance(annotation, typing_extensions.TypeAliasType):
            annotation = annotation.__value__
        else:
            return annotation


def alternatives_of(annotation: Any) -> tuple[Any, ...]:
    """The types of a union, without `UnsetType`, which no JSON is; the annotation itself where it is none."""
    if get_origin(annotation) not in (Union, types.UnionType):
        return (annotation,)
    return tuple(item for item in get_args(annotation) if item is not msgspec.UnsetType)


def without_metadata(annotation: Any) -> tuple[Any, tuple[Any, ...]]:
    """What `Annotated` annotates, and with what, the bounds of `msgspec.Meta` as annotated-types name them."""
    metadata: tuple[Any, ...] = ()
    annotation = plain_of(annotation)
    while get_origin(annotation) is Annotated:
        annotation, *more = get_args(annotation)
        metadata = (*metadata, *more)
        annotation = plain_of(annotation)
    return annotation, tuple(bound for item in metadata for bound in bounds_of(item))
