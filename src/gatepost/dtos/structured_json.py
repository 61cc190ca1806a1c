"""Documents with the form of a class (`JSONOf`): how a body's document becomes an instance, with every violation of it.

Compiled once per class when the app is built. Members are read as columns of the same types are, so that a timestamp
or a decimal means the same inside a document as outside. Other types are left to `foreign_types.py`.
"""

import dataclasses
import types
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from typing import Annotated, Any, NamedTuple, Union, cast, get_args, get_origin, get_type_hints
from uuid import UUID

import msgspec
import sqlalchemy as sa

from gatepost.dtos.body_errors import unknown_field
from gatepost.dtos.foreign_types import Read, foreign_reader, pydantic_reader
from gatepost.dtos.json_input import (
    VIOLATIONS_MAX,
    WireType,
    field_type_of,
    guarded,
    noun_of,
    read_each,
    unless_null,
    wire_type_of,
)
from gatepost.dtos.json_values import BOUNDS, Bounds
from gatepost.dtos.strict_json import Number
from gatepost.dtos.value_checks import value_checks
from gatepost.dtos.violations import Violation, escape, raise_all, wrong_type
from gatepost.errors import ConfigurationError
from gatepost.exact_json import natural
from gatepost.models.constraints import declared_constraints
from gatepost.models.entity import Attribute
from gatepost.models.json_of import check_frozen, is_pydantic
from gatepost.models.shape import Form, Shape, shape_of

_COLUMN_TYPES: Mapping[type, Any] = {
    bool: sa.Boolean(),
    int: sa.BigInteger(),
    float: sa.Double(),
    Decimal: sa.Numeric(),
    str: sa.Text(),
    bytes: sa.LargeBinary(),
    UUID: sa.Uuid(),
    datetime: sa.DateTime(timezone=True),
    date: sa.Date(),
    time: sa.Time(),
    timedelta: sa.Interval(),
}
"""A member is read as a column of this type is."""

_LISTS: Mapping[Any, Callable[[list[Any]], Any]] = {
    list: list,
    Sequence: list,
    Collection: list,
    tuple: tuple,
    set: set,
    frozenset: frozenset,
    AbstractSet: frozenset,
}
_OBJECTS = (dict, Mapping)


class _Member(NamedTuple):
    name: str
    key: str
    annotation: Any
    is_required: bool


def structured_type_of(shape: Shape, location: str, bounds: Bounds = BOUNDS, *, is_patch: bool = False) -> WireType:
    """The wire type of documents with a form, whose values are instances. In a merge patch an object stays as it is,
    because only what it is merged into has the form. Raises `ConfigurationError` where a member cannot be read."""
    field_type_of(shape, location, bounds)  # refuses constraints that do not fit
    plain = wire_type_of(shape.unconstrained, location, bounds)
    read = guarded(_Readers(location).reader(shape.structure), value_checks(shape.constraints, shape))

    def convert(document: Any) -> Any:
        is_merged = is_patch and isinstance(document, dict)
        return cast("Any", document) if is_merged else read(document)

    def read_strictly(node: Any) -> Any:
        return convert(plain.read(node))

    return msgspec.structs.replace(plain, convert=convert, read=read_strictly)


def document_forms(attributes: Iterable[Attribute], location: str) -> dict[str, Read]:
    """What makes instances of whole documents, for each of the attributes whose documents have a form."""
    return {
        attribute.name: cast("Read", structured_type_of(attribute.shape, f"{location}.{attribute.name}").convert)
        for attribute in attributes
        if attribute.shape.structure is not None
    }


def reader_of(annotation: Any, location: str) -> Read:
    """The reader of a whole document, whose classes need not be frozen: each is read for one call. Raises
    `ConfigurationError` where a member cannot be read."""
    return _Readers(location, are_kept=False).reader(annotation)


class _Readers:
    """The readers of one form, and of the classes inside it. Instances that `are_kept` in a row have to be frozen."""

    def __init__(self, location: str, *, are_kept: bool = True) -> None:
        self._location = location
        self._are_kept = are_kept
        self._classes: dict[type, _ObjectReader] = {}

    def reader(self, annotation: Any) -> Read:
        """The reader of what an annotation admits."""
        origin, arguments = get_origin(annotation) or annotation, get_args(annotation)
        if origin is Annotated:
            return self._constrained(*arguments)
        found = self._of_class(annotation) or self._of_parts(origin, arguments)
        return found or foreign_reader(annotation, self._location)

    def _of_class(self, annotation: Any) -> Read | None:
        if annotation is Any:
            return natural
        if (kind := column_type_of(annotation)) is not None:
            return self._scalar(shape_of(kind))
        if is_pydantic(annotation):
            return pydantic_reader(annotation)
        return self._class_reader(annotation) if has_members(annotation) else None

    def _of_parts(self, origin: Any, arguments: tuple[Any, ...]) -> Read | None:
        if (inner := non_null(origin, arguments)) is not None:
            return unless_null(self.reader(inner))
        if origin in _OBJECTS and len(arguments) == 2 and arguments[0] is str:
            return _mapping_reader(self.reader(arguments[1]))
        if origin in _LISTS and len([item for item in arguments if item is not ...]) == 1:
            return _list_reader(self.reader(arguments[0]), _LISTS[origin])
        return None

    def _constrained(self, annotation: Any, *metadata: Any) -> Read:
        if any(isinstance(item, msgspec.Meta) for item in metadata):
            return foreign_reader(Annotated[annotation, *metadata], self._location)
        if (kind := column_type_of(annotation)) is not None:
            return self._scalar(shape_of(kind, metadata))
        if (inner := non_null(get_origin(annotation), get_args(annotation))) is not None:
            return unless_null(self._constrained(inner, *metadata))
        shape = Shape(Form.ARRAY if (get_origin(annotation) or annotation) in _LISTS else Form.DOCUMENT)
        constraints = [item for _, item in declared_constraints(metadata)]
        return guarded(self.reader(annotation), value_checks(constraints, shape))

    def _scalar(self, shape: Shape) -> Read:
        read = field_type_of(shape, self._location).read
        return lambda value: read(_node(value))

    def _class_reader(self, kind: type) -> Read:
        known = self._classes.get(kind)
        if known is None:
            if self._are_kept:
                check_frozen(kind, self._location)
            known = self._classes[kind] = _ObjectReader(kind)
            for member in self._members(kind):
                known.add(member, self.reader(member.annotation))
        return known

    def _members(self, kind: type) -> Sequence[_Member]:
        try:
            return [*_members(kind)]
        except NameError as error:
            raise ConfigurationError(
                f"has documents of the form {kind.__name__}, whose annotations cannot be read: {error}.",
                location=self._location,
                hint="Write names that the module of the class has when App(...) is called.",
            ) from error


def non_null(origin: Any, arguments: tuple[Any, ...]) -> Any:
    """The `T` of `T | None`; None for any other annotation."""
    if origin not in (Union, types.UnionType) or len(arguments) != 2 or type(None) not in arguments:
        return None
    return next(item for item in arguments if item is not type(None))


def column_type_of(annotation: Any) -> Any:
    """The type of a column with the values of a member; None where there is none."""
    if isinstance(annotation, type) and issubclass(annotation, Enum):
        is_text = all(isinstance(member.value, str) for member in annotation)
        return sa.Enum(annotation) if is_text else None
    return _COLUMN_TYPES.get(annotation) if isinstance(annotation, type) else None


def _node(value: Any) -> Any:
    """A value as the readers of fields take it, numbers as their text."""
    if isinstance(value, Decimal):
        return Number(format(value, "f"))
    return Number(value) if type(value) is int else value


def has_members(annotation: Any) -> bool:
    """Whether an annotation is a class whose members are known: a Struct or a dataclass."""
    if not isinstance(annotation, type):
        return False
    if issubclass(annotation, msgspec.Struct):
        return annotation.__struct_config__.tag is None and not annotation.__struct_config__.array_like
    return hasattr(cast("Any", annotation), "__dataclass_fields__")


def _members(kind: Any) -> Iterator[_Member]:
    if issubclass(kind, msgspec.Struct):
        for item in msgspec.structs.fields(kind):
            yield _Member(item.name, item.encode_name, item.type, item.required)
        return
    hints = get_type_hints(kind, include_extras=True)
    for field in dataclasses.fields(kind):
        if field.init:
            is_required = field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
            yield _Member(field.name, field.name, hints[field.name], is_required)


class _ObjectReader:
    """Reads the documents of one class. Its members are added when it is known, because they may be of the same
    class."""

    def __init__(self, kind: type) -> None:
        self._kind = kind
        self._members: dict[str, tuple[str, Read]] = {}
        self._required: list[str] = []

    def add(self, member: _Member, read: Read) -> None:
        """Know one more member."""
        self._members[member.key] = member.name, read
        if member.is_required:
            self._required.append(member.key)

    def __call__(self, value: Any) -> Any:
        """The instance of a document."""
        given = _object(value)
        missing = [key for key in self._required if key not in given]
        violations = [Violation("required", "The field is missing.", f"/{escape(key)}") for key in missing]
        found: dict[str, Any] = {}
        for key, item in given.items():
            if key not in self._members:
                violations.append(unknown_field(key, self._members, f"/{escape(key)}"))
                continue
            name, read = self._members[key]
            try:
                found[name] = read(item)
            except Violation as violation:
                violations += violation.each_below(key)
        raise_all(violations[:VIOLATIONS_MAX])
        try:
            return self._kind(**found)
        except ValueError as error:
            raise Violation("invalid_value", str(error)) from None


def _object(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise wrong_type("an object", noun_of(_node(value)))
    return cast("dict[str, Any]", value)


def _mapping_reader(read: Read) -> Read:
    def read_mapping(value: Any) -> Any:
        given = _object(value)
        return dict(zip(given, read_each(read, given.values(), given), strict=True))

    return read_mapping


def _list_reader(read: Read, collect: Callable[[list[Any]], Any]) -> Read:
    def read_list(value: Any) -> Any:
        if not isinstance(value, list):
            raise wrong_type("a list", noun_of(_node(value)))
        return collect(read_each(read, cast("Any", value)))

    return read_list
