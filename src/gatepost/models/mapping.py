"""Which mapped classes can be served: those with one table of their own and its key.

Outside the request path: `entity.py` asks when the app is built. Compiled statements name the table and do not apply
what a mapper adds to it, such as a condition on a discriminator. A class whose mapper adds something is refused here,
because rows of other classes would be served under its policies.
"""

from typing import Any, cast

from sqlalchemy import BinaryExpression, Column, Table, inspect
from sqlalchemy.orm import Mapper, RelationshipProperty, registry
from sqlalchemy.sql.operators import eq

from gatepost.errors import ConfigurationError
from gatepost.models.mapper_configuration import configure_mappers

DEFAULT_SCHEMA = "public"
"""Where PostgreSQL finds and makes a table whose schema is not given."""

OWN_TABLES = (
    "Give each class a table of its own, and share columns by a mixin or by a base with `__abstract__ = True`; or map "
    "the table to one class, with the kind as an ordinary column, and write policies that say who sees which kind."
)


def mapper_of(model: type[Any]) -> "Mapper[Any]":
    """The mapper of a class that can be served. Raises `ConfigurationError` for any other."""
    known = getattr(model, "registry", None)
    if isinstance(known, registry):
        configure_mappers(known)  # maps classes that are mapped late, such as the base of a concrete hierarchy
    mapper = cast("Mapper[Any] | None", inspect(model, raiseerr=False))
    if not isinstance(mapper, Mapper):
        raise ConfigurationError(
            "is not a mapped class.",
            location=model.__name__,
            hint=f"Write class {model.__name__}(Model), with __tablename__ and columns.",
        )
    configure_mappers(mapper.registry)
    _refuse_hierarchy(mapper, model.__name__)
    _refuse_derived_table(mapper, model.__name__)
    _refuse_properties(mapper, model.__name__)
    return mapper


def table_of(mapper: "Mapper[Any]") -> "Table[Any]":
    """The table of a mapper that `mapper_of` gave."""
    return cast("Table[Any]", mapper.local_table)


TableKey = tuple[str, str]
"""Schema and name."""


def table_key(table: "Table[Any]") -> TableKey:
    """Identifies a table: two classes with equal keys may be over one table, because on the default search_path a table
    without a schema is in `public`."""
    return table.schema or DEFAULT_SCHEMA, table.name


def joined_columns(prop: "RelationshipProperty[Any]") -> tuple[Column[Any], Column[Any]] | None:
    """The local and the remote column of a relationship whose only condition is that they are equal; otherwise None,
    because compiled statements cannot apply other conditions."""
    pairs = prop.local_remote_pairs or ()
    if prop.secondary is not None or len(pairs) != 1 or prop.entity is not prop.mapper:
        return None
    condition = prop.primaryjoin
    local, remote = cast("tuple[Column[Any], Column[Any]]", pairs[0])
    if not isinstance(condition, BinaryExpression) or condition.operator is not eq:
        return None
    # The sides are annotated copies, which compare equal to the original columns.
    return (local, remote) if {condition.left, condition.right} == {local, remote} else None


def _refuse_hierarchy(mapper: "Mapper[Any]", name: str) -> None:
    if mapper.inherits is not None:
        kind = "concrete" if mapper.concrete else "single-table" if mapper.single else "joined-table"
        complaint = f"inherits from the mapped class {mapper.inherits.class_.__name__} ({kind} inheritance)"
    elif len(family := [item.class_.__name__ for item in mapper.self_and_descendants]) > 1:
        complaint = f"has mapped subclasses ({', '.join(sorted(set(family) - {name}))})"
    elif mapper.polymorphic_on is not None:
        complaint = f"has a discriminator (polymorphic_on={str(mapper.polymorphic_on)!r})"
    else:
        return
    raise ConfigurationError(
        f"{complaint}, and mapped inheritance is not served yet: compiled statements would show and change rows of "
        "the other classes.",
        location=name,
        hint=OWN_TABLES,
    )


def _refuse_properties(mapper: "Mapper[Any]", name: str) -> None:
    for composite in mapper.composites:
        parts = ", ".join(prop.key for prop in composite.props)
        raise ConfigurationError(
            f"is a composite() of {parts}, and a field is one column.",
            location=f"{name}.{composite.key}",
            hint=f"Declare {parts} as attributes of their own, with a property for the whole; or keep the whole in one "
            "column: mapped_column(JSONOf(...)).",
        )
    for relation in mapper.relationships:
        if relation.lazy == "dynamic":
            raise ConfigurationError(
                "is a dynamic relationship, which SQLAlchemy cannot load in an AsyncSession.",
                location=f"{name}.{relation.key}",
                hint=f"Write {relation.key}: WriteOnlyMapped[{relation.mapper.class_.__name__}], or leave out lazy=.",
            )


def _refuse_derived_table(mapper: "Mapper[Any]", name: str) -> None:
    table: Any = mapper.local_table
    if not isinstance(table, Table):
        raise ConfigurationError(
            f"is mapped to an SQLAlchemy {type(table).__name__}, not to a table.",
            location=name,
            hint="Map the class to one table: `__tablename__ = ...`, or `__table__ = Table(...)`.",
        )
    keys = [column.name for column in mapper.local_table.primary_key]
    if [column.name for column in mapper.primary_key] != keys:
        raise ConfigurationError(
            f"is mapped by the key {', '.join(column.name for column in mapper.primary_key)}, and "
            f"the table's is {', '.join(keys) or 'missing'}.",
            location=name,
            hint="Say primary_key=True at the columns of the key, and leave out primary_key in __mapper_args__. A "
            "column that refers to another one of the key is an exception: SQLAlchemy needs all of them there.",
        )
