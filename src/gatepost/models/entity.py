"""What Gatepost knows of one mapped class: its attributes, relations, key and version. Built once, when the app is.

DTOs, filters, statements, the schema and the documentation all read the declaration from here only, so that a
constraint that is written once means the same everywhere.
"""

from collections.abc import Collection, Mapping, Sequence
from functools import partial
from typing import Any, Protocol, cast

import msgspec
from msgspec import structs
from sqlalchemy import Column, PrimaryKeyConstraint, Table, UniqueConstraint, inspect
from sqlalchemy.exc import NoReferenceError
from sqlalchemy.orm import ColumnProperty, Mapper, RelationshipDirection, RelationshipProperty

from gatepost.declaring.policies import OneOf, Policy
from gatepost.declaring.wire_names import WireName
from gatepost.errors import ConfigurationError
from gatepost.mistakes import Mistakes
from gatepost.models.annotations import Annotations, Declared
from gatepost.models.base import MANAGED, VERSION, VIEW
from gatepost.models.column_definitions import check_column
from gatepost.models.constraints import is_constraint
from gatepost.models.dataclass_defaults import dataclass_defaults
from gatepost.models.expressions import (
    expression_names,
    expression_on,
    indexed_standin,
    reads_other_rows,
    standin_column,
)
from gatepost.models.hierarchy import Discriminator, discriminator_of, scope_of
from gatepost.models.json_of import check_frozen
from gatepost.models.mapping import joined_columns, mapper_of, table_of
from gatepost.models.shape import Form, Shape, Unsupported, shape_of
from gatepost.sources import attribute_location


class Attribute(msgspec.Struct, frozen=True, eq=False):
    """One column as the wire sees it, or an expression over columns.

    `name` is the attribute's name, `wire_name` that in JSON and in query strings, `shape` what its values are in JSON;
    `managed` columns are kept by Gatepost or the database and never written by a request, `has_default` ones may be
    absent at creation. Where it `is_expression`, `column` only stands for it: it has the type, and is in no table.
    """

    name: str
    column: Column[Any]
    shape: Shape
    primary_key: bool
    managed: bool
    has_default: bool
    references: tuple[str, str] | None
    is_expression: bool = False
    wire_name: str = ""

    def __post_init__(self) -> None:
        if not self.wire_name:
            msgspec.structs.force_setattr(self, "wire_name", self.name)

    @property
    def nullable(self) -> bool:
        """Whether the value may be null."""
        return self.shape.nullable

    @property
    def is_required(self) -> bool:
        """Whether a row needs a value that neither a default nor Gatepost gives it."""
        return not (self.nullable or self.has_default or self.managed)


class Key(msgspec.Struct, frozen=True, eq=False):
    """The primary key of a table: its attributes, in the order of the constraint. A key is the value of the only one; a
    composite one is the tuple of their values, as in SQLAlchemy's `Session.get`."""

    attributes: tuple[Attribute, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the attributes."""
        return tuple(item.name for item in self.attributes)

    @property
    def is_composite(self) -> bool:
        """Whether it has several columns."""
        return len(self.attributes) > 1

    def of(self, values: Sequence[Any]) -> Any:
        """The key that has these values, one for each attribute, such as an identity of SQLAlchemy's."""
        return tuple(values) if self.is_composite else values[0]

    def values(self, key: Any) -> tuple[Any, ...]:
        """The value of each attribute in a key. Raises `TypeError` for a composite key that is not a tuple of them."""
        if not self.is_composite:
            return (key,)
        values: tuple[Any, ...] = key
        if key.__class__ is not tuple or len(values) != len(self.attributes):
            raise TypeError(f"The key is a tuple of {', '.join(self.names)}, not {key!r}.")
        return values


class Relation(msgspec.Struct, frozen=True, eq=False):
    """A relationship, which clients know as `wire_name`: `local` and `remote` are the columns that join; `many` tells a
    list from a single object."""

    name: str
    wire_name: str
    target: type[Any]
    many: bool
    local: Column[Any]
    remote: Column[Any]

    @property
    def is_unique(self) -> bool:
        """Whether the declaration says that at most one row has a value in `remote`."""
        # PostgreSQL takes no other column for a foreign key.
        return any(key.column is self.remote for key in self.local.foreign_keys) or is_unique(self.remote)


def is_unique(column: Column[Any]) -> bool:
    """Whether the declaration says that at most one row has a value in this column."""
    table: Table[Any] = column.table
    unique: list[Any] = [
        *(item for item in table.constraints if isinstance(item, PrimaryKeyConstraint | UniqueConstraint)),
        *(item for item in table.indexes if item.unique and item.dialect_options["postgresql"]["where"] is None),
    ]
    return any([each is column for each in item.columns] == [True] for item in unique)


class ReadPolicies(Protocol):
    """The policies by which the rows of an app's models are read."""

    def find_read(self, model: type[Any]) -> "tuple[Policy, Entity] | None":
        """The policy of `get` for the rows of a class, and its entity; None where no resource serves them."""
        ...


class Entity(msgspec.Struct, frozen=True, eq=False):
    """A mapped class.

    `version` is the column whose value is the version in the entity tag, or None where PostgreSQL's `xmin` is used, or
    of a view the row itself. `unserved` are the attributes that no statement can read, which a resource has to hide.
    `scope` is what a row of the table has to satisfy to be one of the entity, for every actor; None where all are.
    `discriminator` says of which class of a hierarchy a row is. `broken` are the attributes whose own mistakes refuse
    the app: they cause no others. `read_policies` are those of its app, for `readable()` in its own policies.
    """

    model: type[Any]
    table: "Table[Any]"
    name: str
    attributes: Mapping[str, Attribute]
    relations: Mapping[str, Relation]
    key: Key
    version: Column[Any] | None
    unserved: Mapping[str, Unsupported] = {}
    scope: OneOf | None = None
    discriminator: Discriminator | None = None
    broken: frozenset[str] = frozenset()
    read_policies: ReadPolicies | None = None

    @property
    def is_creatable(self) -> bool:
        """Whether rows of the class itself can be made."""
        return self.discriminator is None or self.discriminator.is_creatable

    def targets_by(self, pairs: Collection[tuple[Column[Any], Column[Any]]]) -> list[type[Any]]:
        """The classes that relationships lead to by exactly these columns, here and there."""
        mapper: Mapper[Any] = inspect(self.model)
        return [
            prop.mapper.class_
            for prop in mapper.relationships
            if prop.secondary is None and set(prop.local_remote_pairs or ()) == set(pairs)
        ]

    @property
    def is_view(self) -> bool:
        """Whether a view of the database has the rows: no migration makes or changes it."""
        return bool(self.table.info.get(VIEW))

    def with_key(self, name: str) -> "Entity":
        """The same, known by another attribute than the primary key."""
        return msgspec.structs.replace(self, key=Key((self.attributes[name],)))

    @property
    def single_key(self) -> Attribute:
        """The key column, where only one will do. Raises `ConfigurationError` for a composite key."""
        if self.key.is_composite:
            raise ConfigurationError(
                f"has a composite primary key ({', '.join(self.key.names)}), and users are known by one value.",
                location=self.name,
                hint="Give users one key column, of type UUID, int or str.",
            )
        return self.key.attributes[0]

    def attribute_of(self, column: Column[Any]) -> Attribute | None:
        """The attribute that maps this column."""
        return next((item for item in self.attributes.values() if item.column is column), None)


def entity_of(
    model: type[Any],
    *,
    bigint_as_string: bool = False,
    wire_name: WireName = str,
    mistakes: Mistakes | None = None,
) -> Entity:
    """Read a mapped class; raises `ConfigurationError` where it cannot be served. With `bigint_as_string` the shapes of
    64-bit integers are strings. `wire_name` makes the names that clients know. The mistakes of single columns are kept
    in `mistakes`, where it is given."""
    mapper = mapper_of(model)
    table = table_of(mapper)
    annotations = Annotations(model)
    discriminator = discriminator_of(mapper)
    made = dataclass_defaults(model)
    attributes: dict[str, Attribute] = {}
    broken: set[str] = set()
    found = Mistakes()
    for prop in mapper.column_attrs:
        name = prop.key
        if isinstance(prop.columns[0], Column):
            with found.check(partial(attribute_location, model, name)):
                check_column(prop.columns[0], f"{model.__name__}.{name}")
                attributes[name] = _attribute(
                    model, prop, annotations.of(name), bigint_as_string=bigint_as_string, has_default=name in made
                )
            if name not in attributes:
                broken.add(name)
                attributes[name] = _placeholder(name, prop.columns[0])
    if mistakes is None:
        found.raise_any()
    for mistake in found if mistakes is not None else ():
        cast("Mistakes", mistakes).add(mistake)
    unserved: dict[str, Unsupported] = {}
    for name in expression_names(mapper):
        column = standin_column(model, name)
        if isinstance(column, Unsupported):
            unserved[name] = column
        else:
            attributes[name] = _expression(model, table, column, bigint_as_string=bigint_as_string)
    attributes = {name: msgspec.structs.replace(item, wire_name=wire_name(name)) for name, item in attributes.items()}
    key = Key(
        tuple(
            next(item for item in attributes.values() if item.column is column) for column in table.primary_key.columns
        )
    )
    version = next((item.column for item in attributes.values() if item.column.info.get(VERSION)), None)
    if version is None and table.dialect_options["postgresql"]["partition_by"]:
        raise ConfigurationError(
            "is partitioned and has no version column, and PostgreSQL tells no `xmin` of a row that it puts into a "
            "partition.",
            location=model.__name__,
            hint='Write version: Mapped[int] = mapped_column(default=1, info={"gatepost.version": True}).',
        )
    relations = {item.name: item for prop in mapper.relationships if (item := _relation(prop, wire_name)) is not None}
    scope = scope_of(mapper, discriminator)
    return Entity(
        model,
        table,
        model.__name__,
        attributes,
        relations,
        key,
        version,
        unserved,
        scope,
        discriminator,
        frozenset(broken),
    )


def _placeholder(name: str, column: Column[Any]) -> Attribute:
    """In place of an attribute that cannot be served, so that others can be checked: nothing is asked of it."""
    try:
        shape = structs.replace(shape_of(column.type, nullable=True).unconstrained, unsupported=None)
    except ConfigurationError:
        shape = Shape(Form.OTHER, nullable=True)
    return Attribute(
        name, column, shape, primary_key=column.primary_key, managed=True, has_default=True, references=None
    )


def _attribute(
    model: type[Any], prop: ColumnProperty[Any], declared: Declared, *, bigint_as_string: bool, has_default: bool
) -> Attribute:
    column = cast("Column[Any]", prop.columns[0])
    shape = shape_of(
        column.type,
        declared.value,
        declared.elements,
        nullable=bool(column.nullable),
        bigint_as_string=bigint_as_string,
    )
    if shape.form is Form.TIMESTAMP and shape.unsupported and not shape.is_decorated:
        raise shape.unsupported.error(f"{model.__name__}.{prop.key}")
    check_frozen(shape.structure, f"{model.__name__}.{prop.key}")
    _check_elements(shape, declared, f"{model.__name__}.{prop.key}")
    generated = column.primary_key and (
        column is column.table.autoincrement_column or column.server_default is not None or column.default is not None
    )
    return Attribute(
        name=prop.key,
        column=column,
        shape=shape,
        primary_key=column.primary_key,
        managed=bool(column.info.get(MANAGED) or column.info.get(VERSION))
        or generated
        or column.computed is not None
        or (column.identity is not None and column.identity.always)
        or column.system
        or column is prop.parent.version_id_col
        or column is prop.parent.polymorphic_on,
        has_default=has_default
        or column.default is not None
        or column.server_default is not None
        or column.identity is not None,
        references=_reference(model, prop.key, column),
    )


def _expression(model: type[Any], table: "Table[Any]", column: Column[Any], *, bigint_as_string: bool) -> Attribute:
    expression = expression_on(model, column.name)
    return Attribute(
        column.name,
        column if reads_other_rows(expression) else indexed_standin(table, expression, column),
        shape_of(column.type, nullable=True, bigint_as_string=bigint_as_string),
        primary_key=False,
        managed=True,
        has_default=True,
        references=None,
        is_expression=True,
    )


def _check_elements(shape: Shape, declared: Declared, location: str) -> None:
    if shape.form is not Form.ARRAY and any(is_constraint(item) for item in declared.elements):
        raise ConfigurationError(
            "constrains the elements of a list, which only an ARRAY column has; a document is validated as a whole.",
            location=location,
            hint="Use mapped_column(ARRAY(...)), or write Annotated[..., Predicate(function)] around the whole.",
        )


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


def _relation(prop: RelationshipProperty[Any], wire_name: WireName) -> Relation | None:
    joined = joined_columns(prop)
    if joined is None:
        return None
    local, remote = joined
    many = prop.direction is not RelationshipDirection.MANYTOONE and bool(prop.uselist)
    return Relation(prop.key, wire_name(prop.key), prop.mapper.class_, many, local, remote)
