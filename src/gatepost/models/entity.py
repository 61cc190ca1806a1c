"""What Gatepost knows of one mapped class: its attributes, relations, key and version. Built once, when the app is.

DTOs, filters, statements, the schema and the documentation all read the declaration from here only, so that a
constraint that is written once means the same everywhere.
"""

import enum
from collections.abc import Iterable, Mapping
from typing import Any, cast

import msgspec
from sqlalchemy import ARRAY, Column, DateTime, Enum, Interval, Numeric, Table
from sqlalchemy.exc import NoReferenceError
from sqlalchemy.orm import ColumnProperty, Mapper, RelationshipDirection, RelationshipProperty
from sqlalchemy.types import TypeDecorator, TypeEngine

from gatepost.errors import ConfigurationError
from gatepost.models.annotations import Annotations, Declared, is_constraint
from gatepost.models.base import MANAGED, VERSION
from gatepost.models.mapping import joined_columns, mapper_of, table_of


class Attribute(msgspec.Struct, frozen=True, eq=False):
    """One column as the wire sees it.

    `name` is the wire name (and the attribute's name), `constraints` what `Annotated` declares (annotated-types) of
    the value, and `element_constraints` of each element of a list; `managed` columns are kept by Gatepost or the
    database and never written by a request, `has_default` ones may be absent at creation.
    """

    name: str
    column: Column[Any]
    python_type: Any
    nullable: bool
    constraints: tuple[Any, ...]
    primary_key: bool
    managed: bool
    has_default: bool
    references: tuple[str, str] | None
    element_constraints: tuple[Any, ...] = ()


class Relation(msgspec.Struct, frozen=True, eq=False):
    """A relationship: `local` and `remote` are the columns that join; `many` tells a list from a single object."""

    name: str
    target: type[Any]
    many: bool
    local: Column[Any]
    remote: Column[Any]


class Entity(msgspec.Struct, frozen=True, eq=False):
    """A mapped class with one key column.

    `version` is the column whose value is the entity tag, or None where PostgreSQL's `xmin` is used.
    """

    model: type[Any]
    table: "Table[Any]"
    name: str
    attributes: Mapping[str, Attribute]
    relations: Mapping[str, Relation]
    key: Attribute
    version: Column[Any] | None

    def attribute_of(self, column: Column[Any]) -> Attribute | None:
        """The attribute that maps this column."""
        return next((item for item in self.attributes.values() if item.column is column), None)


def entity_of(model: type[Any]) -> Entity:
    """Read a mapped class; raises `ConfigurationError` where it cannot be served."""
    mapper = mapper_of(model)
    return _entity(model, mapper, table_of(mapper))


def _entity(model: type[Any], mapper: Mapper[Any], table: "Table[Any]") -> Entity:
    if len(table.primary_key.columns) != 1:
        keys = ", ".join(column.name for column in table.primary_key.columns)
        raise ConfigurationError(
            f"has a composite primary key ({keys}).",
            location=model.__name__,
            hint="Give it one key column; composite keys are only for pure association tables.",
        )
    annotations = Annotations(model)
    attributes = {
        prop.key: _attribute(model, prop, annotations.of(prop.key))
        for prop in mapper.column_attrs
        if isinstance(prop.columns[0], Column)
    }
    key = next(item for item in attributes.values() if item.primary_key)
    version = next((item.column for item in attributes.values() if item.column.info.get(VERSION)), None)
    if version is None and table.dialect_options["postgresql"]["partition_by"]:
        raise ConfigurationError(
            "is partitioned and has no version column, and PostgreSQL tells no `xmin` of a row that it puts into a "
            "partition.",
            location=model.__name__,
            hint='Write version: Mapped[int] = mapped_column(default=1, info={"gatepost.version": True}).',
        )
    relations = {item.name: item for prop in mapper.relationships if (item := _relation(prop)) is not None}
    return Entity(model, table, model.__name__, attributes, relations, key, version)


def _attribute(model: type[Any], prop: ColumnProperty[Any], declared: Declared) -> Attribute:
    column = cast("Column[Any]", prop.columns[0])
    kind = column.type
    if isinstance(kind, DateTime) and not kind.timezone:
        raise ConfigurationError(
            "is a timestamp without a time zone.",
            location=f"{model.__name__}.{prop.key}",
            hint="Use mapped_column(DateTime(timezone=True)).",
        )
    _check_elements(kind, declared, f"{model.__name__}.{prop.key}")
    generated = column.primary_key and (
        column is column.table.autoincrement_column or column.server_default is not None or column.default is not None
    )
    return Attribute(
        name=prop.key,
        column=column,
        python_type=_python_type(column),
        nullable=bool(column.nullable),
        constraints=declared.value,
        primary_key=column.primary_key,
        managed=bool(column.info.get(MANAGED) or column.info.get(VERSION)) or generated or column.computed is not None,
        has_default=column.default is not None or column.server_default is not None or column.identity is not None,
        references=_reference(model, prop.key, column),
        element_constraints=declared.elements,
    )


def _check_elements(kind: Any, declared: Declared, location: str) -> None:
    if not isinstance(plain_type(kind), ARRAY) and any(is_constraint(item) for item in declared.elements):
        raise ConfigurationError(
            "constrains the elements of a list, which only an ARRAY column has; a document is validated as a whole.",
            location=location,
            hint="Use mapped_column(ARRAY(...)), or write Annotated[..., Predicate(function)] around the whole.",
        )


def plain_type(kind: Any) -> Any:
    """The type that the database sees: for a `TypeDecorator` the type it decorates."""
    if isinstance(kind, TypeDecorator) and not isinstance(kind, Interval):
        return cast("Any", kind).impl_instance
    return kind


def unrounded(kind: TypeEngine[Any]) -> TypeEngine[Any]:
    """The type by which a compared number is bound: without the precision of its column, with which PostgreSQL would
    round or refuse it. Types other than numbers are unchanged."""
    if isinstance(kind, TypeDecorator):
        plain = plain_type(kind)
        return with_impl(kind, unrounded(cast("Any", plain))) if isinstance(plain, Numeric) else kind
    if not isinstance(kind, Numeric):
        return kind
    return Numeric() if kind.asdecimal else Numeric(asdecimal=False)


def with_impl(kind: TypeDecorator[Any], impl: TypeEngine[Any]) -> TypeDecorator[Any]:
    """A type of the user's own whose values go to PostgreSQL as another type."""
    changed: Any = kind.copy()
    changed.impl = changed.impl_instance = impl
    return cast("TypeDecorator[Any]", changed)


def _reference(model: type[Any], name: str, column: Column[Any]) -> tuple[str, str] | None:
    key = next(iter(column.foreign_keys), None)
    if key is None:
        return None
    try:
        target = key.column
    except NoReferenceError as error:
        raise ConfigurationError(
            f"has a foreign key whose target does not exist: {error}.",
            location=f"{model.__name__}.{name}",
            hint="Import the model it names before App(...), in the same MetaData, or correct the name.",
        ) from None
    return target.table.fullname, target.name


def _python_type(column: Column[Any]) -> Any:
    kind = column.type
    if isinstance(kind, Enum):
        return kind.enum_class or str
    if isinstance(kind, ARRAY):
        return list
    try:
        return kind.python_type
    except NotImplementedError:
        return object


def _relation(prop: RelationshipProperty[Any]) -> Relation | None:
    joined = joined_columns(prop)
    if joined is None:
        return None
    local, remote = joined
    many = prop.direction is not RelationshipDirection.MANYTOONE and bool(prop.uselist)
    return Relation(prop.key, prop.mapper.class_, many, local, remote)


def wire_values(kind: Enum) -> dict[str, str]:
    """How an enum column's stored text reads on the wire: a Python enum shows its values, a plain one itself."""
    if kind.enum_class is None:
        return {text: text for text in kind.enums}
    named = cast("Mapping[str, enum.Enum]", kind.enum_class.__members__)
    members = list(cast("Iterable[enum.Enum]", kind.enum_class))  # without aliases, as SQLAlchemy stores none
    if len(kind.enums) == len(named):
        members = list(named.values())
    return {text: str(member.value) for text, member in zip(kind.enums, members, strict=True)}
