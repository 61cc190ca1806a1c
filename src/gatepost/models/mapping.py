"""Which mapped classes can be served: those over one table, with all of its rows or those of their discriminator.

Outside the request path: `entity.py` asks when the app is built. Compiled statements name the table; of what a mapper
adds to it they apply the condition on the discriminator (`hierarchy.py`). A class whose mapper adds something else is
refused here, because rows of other classes would be served under its policies.
"""

from collections.abc import Iterator, Sequence
from typing import Any, cast

from sqlalchemy import BinaryExpression, Column, Table, inspect
from sqlalchemy.orm import Mapper, RelationshipProperty, registry
from sqlalchemy.sql.operators import eq

from gatepost.errors import ConfigurationError
from gatepost.mistakes import Mistakes
from gatepost.models.mapper_configuration import configure_mappers
from gatepost.models.schema_names import NAME_BYTES_MAX

DEFAULT_SCHEMA = "public"
"""Where PostgreSQL finds and makes a table whose schema is not given."""

OWN_TABLES = (
    "Give each class a table of its own, and share columns by a mixin or by a base with `__abstract__ = True`; or map "
    "all of the classes to one table, with a column that says which class a row is of (single-table inheritance)."
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
    mistakes = Mistakes()
    for refusal in (*_long_names(table_of(mapper), model.__name__), *_unserved_properties(mapper, model.__name__)):
        mistakes.add(refusal)
    mistakes.raise_any()
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
    """Refuse every hierarchy but that of classes over one table, whose column says which of them a row is of."""
    root = mapper.base_mapper
    family = list(root.self_and_descendants)
    if len(family) == 1 and root.polymorphic_on is None:
        return
    complaint = _complaint(mapper, root, family)
    if complaint is not None:
        raise ConfigurationError(f"{complaint}.", location=name, hint=OWN_TABLES)


def _complaint(mapper: "Mapper[Any]", root: "Mapper[Any]", family: Sequence["Mapper[Any]"]) -> str | None:
    for item in (mapper, *family):
        if item.inherits is not None and not item.single:
            kind = "concrete" if item.concrete else "joined-table"
            whose = "inherits" if item is mapper else f"is in one hierarchy with {item.class_.__name__}, which inherits"
            return f"{whose} from the mapped class {item.inherits.class_.__name__} ({kind} inheritance)"
    columns = {id(item.polymorphic_on) for item in family}
    if root.polymorphic_on is None or len(columns) > 1:
        names = ", ".join(item.class_.__name__ for item in family)
        return f"has no polymorphic_on column that says of each row which of these classes it is of: {names}"
    if not isinstance(root.polymorphic_on, Column):
        return f"has an expression as its discriminator (polymorphic_on={str(root.polymorphic_on)!r}), not a column"
    identities = [item.polymorphic_identity for item in family if item.polymorphic_identity is not None]
    if len(set(identities)) < len(identities):
        return f"is in a hierarchy with one polymorphic_identity for two classes ({', '.join(map(repr, identities))})"
    return None


def _long_names(table: "Table[Any]", name: str) -> Iterator[ConfigurationError]:
    """PostgreSQL would cut them, and then there is no such table or column."""
    for item in (table, *table.columns):
        if len(item.name.encode()) > NAME_BYTES_MAX:
            kind = "table" if item is table else "column"
            yield ConfigurationError(
                f"has a {kind} whose name is longer than PostgreSQL's {NAME_BYTES_MAX} bytes: {item.name!r}.",
                location=name,
                hint='Shorten it: __tablename__ = "...".' if item is table else 'Shorten it: mapped_column("...").',
            )


def _unserved_properties(mapper: "Mapper[Any]", name: str) -> Iterator[ConfigurationError]:
    for composite in mapper.composites:
        parts = ", ".join(prop.key for prop in composite.props)
        yield ConfigurationError(
            f"is a composite() of {parts}, and a field is one column.",
            location=f"{name}.{composite.key}",
            hint=f"Declare {parts} as attributes of their own, with a property for the whole; or keep the whole in one "
            "column: mapped_column(JSONOf(...)).",
        )
    yield from _shared_columns(mapper, name)
    yield from _version_name(mapper, name)
    for relation in mapper.relationships:
        if relation.lazy == "dynamic":
            yield ConfigurationError(
                "is a dynamic relationship, which SQLAlchemy cannot load in an AsyncSession.",
                location=f"{name}.{relation.key}",
                hint=f"Write {relation.key}: WriteOnlyMapped[{relation.mapper.class_.__name__}], or leave out lazy=.",
            )


def _version_name(mapper: "Mapper[Any]", name: str) -> Iterator[ConfigurationError]:
    """SQLAlchemy takes anything here, and fails when it writes the first row."""
    version: object = mapper.version_id_col
    if version is not None and not isinstance(version, Column):
        yield ConfigurationError(
            f"has version_id_col={version!r}, which is not a column.",
            location=name,
            hint='Give it the attribute, not its name: __mapper_args__ = {"version_id_col": version}.',
        )


def _shared_columns(mapper: "Mapper[Any]", name: str) -> Iterator[ConfigurationError]:
    """An attribute is one column of the table, and a column one attribute: of two values SQLAlchemy drops one."""
    known: dict[str, str] = {}
    for prop in mapper.column_attrs:
        columns = [column for column in prop.columns if isinstance(column, Column)]
        names = ", ".join(column.name for column in columns)
        if len(columns) > 1:
            yield ConfigurationError(
                f"is one attribute for several columns ({names}).",
                location=f"{name}.{prop.key}",
                hint="Declare an attribute for each column, and keep them equal with @validates or a trigger.",
            )
        elif columns and columns[0].table is not mapper.local_table:
            yield ConfigurationError(
                f"is a column of another table ({columns[0]}).",
                location=f"{name}.{prop.key}",
                hint="Select it: column_property(select(...).where(...).scalar_subquery()).",
            )
        elif columns and known.setdefault(names, prop.key) != prop.key:
            yield ConfigurationError(
                f"is the column {names}, which is the attribute {known[names]} already.",
                location=f"{name}.{prop.key}",
                hint=f'Write {prop.key} = synonym("{known[names]}"), or leave one of them out.',
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
