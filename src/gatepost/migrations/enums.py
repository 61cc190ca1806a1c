"""Enum types: created before the tables that use them, extended in place, rebuilt where a value is gone.

Alembic leaves them to the tables' own DDL, which fails when two tables share a type and never sees a new value.
"""

from collections.abc import Callable, Sequence
from typing import Any, cast

from sqlalchemy import (
    ARRAY,
    BLANK_SCHEMA,
    CheckConstraint,
    Connection,
    ForeignKeyConstraint,
    MetaData,
    Table,
    text,
)
from sqlalchemy.dialects.postgresql import DOMAIN, ENUM
from sqlalchemy.types import Enum, TypeEngine

from gatepost.migrations.definitions import TableName
from gatepost.migrations.losses import is_array
from gatepost.migrations.operations import RunSQL, creation
from gatepost.models.base import VIEW
from gatepost.models.constraint_names import name_constraints
from gatepost.models.naive_utc import NaiveUTC
from gatepost.models.schema_names import quote
from gatepost.models.shape import undecorated

_EXISTING = text("""
    SELECT nullif(nspname, current_schema()), typname, array_agg(enumlabel::text ORDER BY enumsortorder)
    FROM pg_type AS type JOIN pg_enum ON enumtypid = type.oid
    JOIN pg_namespace AS namespace ON namespace.oid = typnamespace
    WHERE (nspname = current_schema() OR nspname = ANY (:schemas))
      AND NOT EXISTS (SELECT FROM pg_depend WHERE objid = type.oid AND deptype = 'e')
    GROUP BY nspname, typname ORDER BY nspname, typname
""")

_USERS = text("""
    SELECT class.oid::regclass::text, attribute.attname, type.typelem <> 0,
           pg_get_expr(initial.adbin, initial.adrelid)
    FROM pg_attribute AS attribute
    JOIN pg_class AS class ON class.oid = attribute.attrelid AND class.relkind IN ('r', 'p')
    JOIN pg_type AS type ON type.oid = attribute.atttypid
    LEFT JOIN pg_attrdef AS initial ON initial.adrelid = class.oid AND initial.adnum = attribute.attnum
    WHERE NOT attribute.attisdropped
      AND to_regtype(:name) IN (type.oid, type.typelem)
""")


def plain_metadata(metadata: MetaData, default_schema: str | None) -> MetaData:
    """A copy of the tables in which every type is PostgreSQL's or SQLAlchemy's own, no table creates enum types, the
    checks written at a column are the table's, and the default schema is None. Views are not among them."""

    def schema(name: str | None) -> str | None:
        return None if name == default_schema else name

    def referred(_table: Any, _to: Any, constraint: ForeignKeyConstraint, _named: Any) -> Any:
        return schema(constraint.referred_table.schema) or BLANK_SCHEMA

    plain = MetaData(naming_convention=metadata.naming_convention)
    for table in metadata.sorted_tables:
        if table.info.get(VIEW):
            continue
        copy = table.to_metadata(plain, schema=cast("Any", schema(table.schema)), referred_schema_fn=referred)
        copy.info.clear()
        for column in copy.columns:
            # The declared type's schema: copied along, SQLAlchemy gives it another one than statements use.
            column.type = _plain_type(table.columns[column.key].type, schema)
            for check in [item for item in column.constraints if isinstance(item, CheckConstraint)]:
                column.constraints.remove(check)
                copy.append_constraint(CheckConstraint(check.sqltext, name=check.name))
    name_constraints(plain)
    return plain


def _plain_type(given: Any, schema: Callable[[str | None], str | None]) -> TypeEngine[Any]:
    kind = undecorated(given)
    if isinstance(kind, NaiveUTC):
        return kind.impl_instance
    if isinstance(kind, DOMAIN):
        within: Any = schema(cast("Any", kind).schema)
        return DOMAIN(str(kind.name), _plain_type(kind.data_type, schema), schema=within, create_type=False)
    if is_array(kind):
        return ARRAY(_plain_type(kind.item_type, schema), dimensions=kind.dimensions)
    if isinstance(kind, Enum) and kind.native_enum:
        named: Any = schema(cast("Any", kind).schema)
        return ENUM(*kind.enums, name=kind.name, schema=named, create_type=False)
    return cast("TypeEngine[Any]", kind)


def declared_enums(metadata: MetaData) -> dict[TableName, list[str]]:
    """The enum types of `plain_metadata` and their values."""
    found: dict[TableName, list[str]] = {}
    for table in metadata.sorted_tables:
        found.update(enums_of(table))
    return found


def enums_of(table: "Table[Any]") -> dict[TableName, list[str]]:
    """The enum types of one table of `plain_metadata`."""
    kinds: list[Any] = [getattr(column.type, "item_type", column.type) for column in table.columns]
    enums: list[Any] = [kind for kind in kinds if isinstance(kind, ENUM) and kind.name is not None]
    return {TableName(enum.schema, str(enum.name)): [str(value) for value in enum.enums] for enum in enums}


def compare_enums(
    connection: Connection, metadata: MetaData, schemas: Sequence[str] = ()
) -> tuple[list[RunSQL], list[RunSQL]]:
    """What to do to enum types before the tables change, and what after: what is not declared goes from the default
    schema and from `schemas`, for the caller to weigh."""
    declared = declared_enums(metadata)
    looked_at = {*schemas, *(schema for schema, _ in declared if schema is not None)}
    found = connection.execute(_EXISTING, {"schemas": sorted(looked_at)})
    existing = {TableName(schema, name): list(values) for schema, name, values in found}
    owned = (None, *schemas)
    before: list[RunSQL] = []
    for name, values in declared.items():
        if name not in existing:
            before.append(_created(name, values))
        elif existing[name] != values:
            before.extend(_changed(connection, name, existing[name], values))
    gone = [name for name in existing if name not in declared and name[0] in owned]
    return before, [_created(name, existing[name]).reverse() for name in gone]


def _created(name: TableName, values: Sequence[str]) -> RunSQL:
    create, drop = f"CREATE TYPE {name.sql} AS ENUM ({_literals(values)})", f"DROP TYPE {name.sql}"
    return creation(name.key("type"), f"enum {name.words}", [create], [drop])


def _changed(connection: Connection, name: TableName, existing: Sequence[str], values: Sequence[str]) -> list[RunSQL]:
    if [value for value in values if value in existing] != list(existing):
        return [_rebuilt(connection, name, existing, values)]
    return [_added(name, values, value) for value in values if value not in existing]


def _added(name: TableName, values: Sequence[str], value: str) -> RunSQL:
    """Undone by nothing: PostgreSQL cannot drop a value of an enum, and one too many does no harm."""
    position = values.index(value)
    place = f"AFTER {_literals([values[position - 1]])}" if position else f"BEFORE {_literals([values[1]])}"
    statement = f"ALTER TYPE {name.sql} ADD VALUE IF NOT EXISTS {_literals([value])} {place}"
    summary = f"add the value {value!r} to the enum {name.words}"
    undo_summary = f"the value {value!r} of the enum {name.words} stays: PostgreSQL cannot drop it"
    return RunSQL(name.key("type"), "replace", summary, [statement], undo_summary, [], committed_at_once=True)


def _rebuilt(connection: Connection, name: TableName, existing: Sequence[str], values: Sequence[str]) -> RunSQL:
    gone = ", ".join(repr(value) for value in existing if value not in values)
    users = list(connection.execute(_USERS, {"name": name.sql}))
    summary = f"rebuild the enum {name.words}"
    return RunSQL(
        name.key("type"),
        "replace",
        summary,
        _rebuild(name, values, users),
        f"{summary} as it was",
        _rebuild(name, existing, users),
        loss=f"removes {gone} from the enum {name.words}; rows that hold it stop it" if gone else None,
    )


def _rebuild(name: TableName, values: Sequence[str], users: Sequence[Any]) -> list[str]:
    old = TableName(name.schema, f"{name.name}_old")
    statements = [
        f"ALTER TYPE {name.sql} RENAME TO {quote(old.name)}",
        f"CREATE TYPE {name.sql} AS ENUM ({_literals(values)})",
    ]
    for table, column, in_array, default in users:
        kind, through = (f"{name.sql}[]", "text[]") if in_array else (name.sql, "text")
        alter = f"ALTER TABLE {table} ALTER COLUMN {quote(column)}"
        statements += [f"{alter} DROP DEFAULT"] if default else []
        statements.append(f"{alter} TYPE {kind} USING {quote(column)}::{through}::{kind}")
        statements += [f"{alter} SET DEFAULT {default}"] if default else []
    return [*statements, f"DROP TYPE {old.sql}"]


def _literals(values: Sequence[str]) -> str:
    return ", ".join("'" + value.replace("'", "''") + "'" for value in values)
