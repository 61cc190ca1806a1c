"""Documents with the form of a class (`JSONOf`): how a body's document becomes an instance, with every violation of it.

Compiled once per class when the app is built. Members are read as columns of the same types are, so that a timestamp
or a decimal means the same inside a document as outside. Other types are left to `foreign_types.py`.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from typing import Annotated, Any, cast, get_args, get_origin
from uuid import UUID

import msgspec
import sqlalchemy as sa

from gatepost.declaring.wire_names import WireName
from gatepost.dtos.foreign_types import Read, check_form, foreign_reader, pydantic_reader, renamed_reader
from gatepost.dtos.json_input import (
    WireType,
    field_type_of,
    guarded,
    noun_of,
    read_each,
    unless_null,
    wire_type_of,
)
from gatepost.dtos.json_values import BOUNDS, Bounds
from gatepost.dtos.strict_json import as_node
from gatepost.dtos.structured_members import (
    Member,
    alternatives_of,
    has_members,
    has_places,
    members_of,
    renamed,
    without_metadata,
)
from gatepost.dtos.structured_objects import ObjectReader, PlaceReader, object_of
from gatepost.dtos.structured_unions import tag_of, union_reader
from gatepost.dtos.value_checks import value_checks
from gatepost.dtos.violations import wrong_type
from gatepost.errors import ConfigurationError
from gatepost.exact_json import natural
from gatepost.models.annotations import UNREADABLE
from gatepost.models.constraints import declared_constraints
from gatepost.models.entity import Attribute
from gatepost.models.json_of import check_frozen
from gatepost.models.shape import Form, Shape, shape_of
from gatepost.pydantic_models import is_pydantic

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

LISTS: Mapping[Any, Callable[[list[Any]], Any]] = {
    list: list,
    Sequence: list,
    Collection: list,
    tuple: tuple,
    set: set,
    frozenset: frozenset,
    AbstractSet: frozenset,
}
"""The types of lists, and what makes each of a list."""

_OBJECTS = (dict, Mapping)


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


def reader_of(annotation: Any, location: str, wire_name: WireName = str) -> Read:
    """The reader of a whole document, whose classes need not be frozen: each is read for one call. `wire_name` makes
    the names of members whose class gives them none of its own. Raises `ConfigurationError` where a member cannot be
    read."""
    return _Readers(location, are_kept=False, wire_name=wire_name).reader(annotation)


class _Readers:
    """The readers of one form, and of the classes inside it. Instances that `are_kept` in a row have to be frozen."""

    def __init__(self, location: str, *, are_kept: bool = True, wire_name: WireName = str) -> None:
        self._location = location
        self._wire_name = wire_name
        self._are_kept = are_kept
        self._classes: dict[Any, Read] = {}

    def reader(self, annotation: Any) -> Read:
        """The reader of what an annotation admits."""
        plain, metadata = without_metadata(annotation)
        types = alternatives_of(plain)
        if types != (plain,):
            if self._are_kept:
                check_form(plain, self._location)  # msgspec reads what is stored
            return self._union([Annotated[item, *metadata] if metadata else item for item in types])
        if (kind := column_type_of(plain)) is not None:
            read = field_type_of(shape_of(kind, metadata), self._location).read
            return lambda value: read(as_node(value))
        form = Form.ARRAY if (get_origin(plain) or plain) in LISTS else Form.DOCUMENT
        constraints = [item for _, item in declared_constraints(metadata)]
        found = self._of_class(plain) or self._of_parts(get_origin(plain) or plain, get_args(plain))
        found = found or foreign_reader(plain, self._location)
        return guarded(found, value_checks(constraints, Shape(form))) if constraints else found

    def _union(self, types: Sequence[Any]) -> Read:
        """The reader of a union. Constraints of the whole are those of each of its types."""
        parts = [item for item in types if without_metadata(item)[0] is not type(None)]
        read = (
            self.reader(parts[0])
            if len(parts) == 1
            else union_reader(parts, self.reader, _json_kinds_of, self._location)
        )
        return read if len(parts) == len(types) else unless_null(read)

    def _of_class(self, annotation: Any) -> Read | None:
        if annotation is Any:
            return natural
        if is_pydantic(annotation):
            return (
                pydantic_reader(annotation) if self._wire_name is str else renamed_reader(annotation, self._wire_name)
            )
        return self._class_reader(annotation) if has_members(annotation) or has_places(annotation) else None

    def _of_parts(self, origin: Any, arguments: tuple[Any, ...]) -> Read | None:
        if origin in _OBJECTS and len(arguments) == 2:
            read_key = None if arguments[0] is str else self._key_reader(arguments[0])
            return _mapping_reader(self.reader(arguments[1]), read_key)
        if origin is tuple and arguments and ... not in arguments:
            return self._with_members(
                PlaceReader(lambda *items: items), [Member("", "", item, True) for item in arguments]
            )
        if origin in LISTS and arguments:
            return _list_reader(self.reader(arguments[0]), LISTS[origin])
        return None

    def _key_reader(self, annotation: Any) -> Read:
        """The reader of the names of an object whose keys are no plain texts."""
        plain, metadata = without_metadata(annotation)
        kind = column_type_of(plain)
        if kind is None:
            raise ConfigurationError(
                f"has an object whose keys are of type {plain}, which a text cannot be.",
                location=self._location,
                hint="Use keys of type str, int, UUID, date or an Enum of texts.",
            )
        shape = shape_of(kind, metadata)
        wire_type = field_type_of(shape, self._location)
        return guarded(wire_type.text, (*value_checks(shape.constraints, shape), *wire_type.checks))

    def _class_reader(self, annotation: Any) -> Read:
        known = self._classes.get(annotation)
        if known is None:
            kind = get_origin(annotation) or annotation
            if self._are_kept:
                check_frozen(kind, self._location)
            empty = PlaceReader(kind) if has_places(annotation) else ObjectReader(kind, tag_of(annotation))
            self._classes[annotation] = empty
            known = self._with_members(empty, self._members(annotation))
        return known

    def _with_members(self, reader: ObjectReader | PlaceReader, members: Iterable[Member]) -> Read:
        for member in members:
            reader.add(member, self.reader(member.annotation))
        return reader

    def _members(self, annotation: Any) -> Sequence[Member]:
        try:
            return renamed(annotation, members_of(annotation), self._wire_name)
        except UNREADABLE as error:
            raise ConfigurationError(
                f"has documents of the form {annotation.__name__}, whose annotations cannot be read: {error}.",
                location=self._location,
                hint="Write names that the module of the class has when App(...) is called.",
            ) from error


def column_type_of(annotation: Any) -> Any:
    """The type of a column with the values of a member; None where there is none."""
    if isinstance(annotation, type) and issubclass(annotation, Enum):
        is_text = all(isinstance(member.value, str) for member in annotation)
        return sa.Enum(annotation) if is_text else None
    return _COLUMN_TYPES.get(annotation) if isinstance(annotation, type) else None


def _json_kinds_of(annotation: Any) -> tuple[type, ...] | None:
    """The kinds of JSON that the values of a scalar, a list or an object without members of its own are written in;
    None for other annotations."""
    if column_type_of(annotation) is not None:
        return _JSON_KINDS.get(annotation, (str,))
    origin = get_origin(annotation) or annotation
    if origin in _OBJECTS:
        return (dict,)
    return (list,) if origin in LISTS else None


_JSON_KINDS: Mapping[Any, tuple[type, ...]] = {
    bool: (bool,),
    int: (int, Decimal),
    float: (int, Decimal),
    Decimal: (int, Decimal, str),
}


def _mapping_reader(read: Read, read_key: Read | None) -> Read:
    def read_mapping(value: Any) -> Any:
        given = object_of(value)
        names = given if read_key is None else read_each(read_key, given, given)
        return dict(zip(names, read_each(read, given.values(), given), strict=True))

    return read_mapping


def _list_reader(read: Read, collect: Callable[[list[Any]], Any]) -> Read:
    def read_list(value: Any) -> Any:
        if not isinstance(value, list):
            raise wrong_type("a list", noun_of(as_node(value)))
        return collect(read_each(read, cast("Any", value)))

    return read_list
