"""Enum types: created before the tables that use them, extended in place, rebuilt where a value is gone.

Alembic leaves them to the tables' own DDL, which fails when two tables share a type and never sees a new value.
"""

from collections.abc import Callable, Sequence
from typing import Any, cast

from sqlalchemy import (
    ARRAY,
    BLANK_SCHEMA,
    CheckConstraint,
    Column,
    Connection,
    ForeignKeyConstraint,
    MetaData,
    Table,
    text,
)
from sqlalchemy.dialects.postgresql import ENUM
from sqlalchemy.types import Enum, TypeEngine

from gatepost.migrations.losses import is_array
from gatepost.migrations.operations import RunSQL, Subject
from gatepost.models.constraint_names import name_constraints
from gatepost.models.schema_names import full_name, qualified, quote
from gatepost.models.shape import plain_type

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

Name = tuple[str | None, str]
"""Schema and name of an enum type."""


def plain_metadata(metadata: MetaData, default_schema: str | None) -> MetaData:
    """A copy of the tables in which every type is PostgreSQL's or SQLAlchemy's own, no table creates enum types, the
    checks written at a column are the table's, and the default schema is None."""

    def schema(name: str | None) -> str | None:
        return None if name == default_schema else name

    def referred(_table: Any, _to: Any, constraint: ForeignKeyConstraint, _named: Any) -> Any:
        return schema(constraint.referred_table.schema) or BLANK_SCHEMA

    plain = MetaData(naming_convention=metadata.naming_convention)
    for table in metadata.sorted_tables:
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
    kind = plain_type(given)
    if is_array(kind):
        return ARRAY(_plain_type(kind.item_type, schema), dimensions=kind.dimensions)
    if isinstance(kind, Enum) and kind.native_enum:
        named: Any = schema(cast("Any", kind).schema)
        return ENUM(*kind.enums, name=kind.name, schema=named, create_type=False)
    return cast("TypeEngine[Any]", kind)


def declared_enums(metadata: MetaData) -> dict[Name, list[str]]:
    """The enum types of `plain_metadata` and their values."""
    found: dict[Name, list[str]] = {}
    for table in metadata.sorted_tables:
        found.update(enums_of(table))
    return found


def enums_of(table: "Table[Any]") -> dict[Name, list[str]]:
    """The enum types of one table of `plain_metadata`."""
    kinds = (kind for kind in map(_enum_of, table.columns) if kind is not None and kind.name is not None)
    return {(cast("Any", kind).schema, str(kind.name)): [str(value) for value in kind.enums] for kind in kinds}


def _enum_of(column: Column[Any]) -> ENUM | None:
    kind: Any = getattr(column.type, "item_type", column.type)
    return kind if isinstance(kind, ENUM) else None


def compare_enums(
    connection: Connection, metadata: MetaData, schemas: Sequence[str] = ()
) -> tuple[list[RunSQL], list[RunSQL]]:
    """What to do to enum types before the tables change, and what after: what is not declared goes from the default
    schema and from `schemas`, for the caller to weigh."""
    declared = declared_enums(metadata)
    looked_at = {*schemas, *(schema for schema, _ in declared if schema is not None)}
    found = connection.execute(_EXISTING, {"schemas": sorted(looked_at)})
    existing: dict[Name, list[str]] = {(schema, name): list(values) for schema, name, values in found}
    owned = (None, *schemas)
    before: list[RunSQL] = []
    for name, values in declared.items():
        if name not in existing:
            before.append(_created(name, values))
        elif existing[name] != values:
            before.extend(_changed(connection, name, existing[name], values))
    gone = [name for name in existing if name not in declared and name[0] in owned]
    return before, [_dropped(name, existing[name]) for name in gone]


def _created(name: Name, values: Sequence[str]) -> RunSQL:
    create, drop = f"CREATE TYPE {_sql(name)} AS ENUM ({_literals(values)})", f"DROP TYPE {_sql(name)}"
    return RunSQL(
        f"create the enum {_words(name)}",
        [create],
        [drop],
        undo_summary=f"drop the enum {_words(name)}",
        subject=_subject(name),
        action="create",
    )


def _dropped(name: Name, values: Sequence[str]) -> RunSQL:
    return _created(name, values).reverse()


def _changed(connection: Connection, name: Name, existing: Sequence[str], values: Sequence[str]) -> list[RunSQL]:
    if [value for value in values if value in existing] != list(existing):
        return [_rebuilt(connection, name, existing, values)]
    return [_added(name, values, value) for value in values if value not in existing]


def _added(name: Name, values: Sequence[str], value: str) -> RunSQL:
    """Undone by nothing: PostgreSQL cannot drop a value of an enum, and one too many does no harm."""
    position = values.index(value)
    place = f"AFTER {_literals([values[position - 1]])}" if position else f"BEFORE {_literals([values[1]])}"
    statement = f"ALTER TYPE {_sql(name)} ADD VALUE IF NOT EXISTS {_literals([value])} {place}"
    undo_summary = f"the value {value!r} of the enum {_words(name)} stays: PostgreSQL cannot drop it"
    summary = f"add the value {value!r} to the enum {_words(name)}"
    return RunSQL(
        summary,
        [statement],
        [],
        undo_summary=undo_summary,
        subject=_subject(name),
        action="replace",
        committed_at_once=True,
    )


def _rebuilt(connection: Connection, name: Name, existing: Sequence[str], values: Sequence[str]) -> RunSQL:
    gone = [value for value in existing if value not in values]
    users = list(connection.execute(_USERS, {"name": _sql(name)}))
    words = _words(name)
    loss = f"removes {', '.join(map(repr, gone))} from the enum {words}; rows that hold it stop it" if gone else None
    return RunSQL(
        f"rebuild the enum {words}",
        _rebuild(name, values, users),
        _rebuild(name, existing, users),
        undo_summary=f"rebuild the enum {words} as it was",
        subject=_subject(name),
        action="replace",
        loss=loss,
    )


def _rebuild(name: Name, values: Sequence[str], users: Sequence[Any]) -> list[str]:
    schema, bare = name
    statements = [
        f"ALTER TYPE {_sql(name)} RENAME TO {quote(f'{bare}_old')}",
        f"CREATE TYPE {_sql(name)} AS ENUM ({_literals(values)})",
    ]
    for table, column, in_array, default in users:
        kind, through = (f"{_sql(name)}[]", "text[]") if in_array else (_sql(name), "text")
        alter = f"ALTER TABLE {table} ALTER COLUMN {quote(column)}"
        statements += [f"{alter} DROP DEFAULT"] if default else []
        statements.append(f"{alter} TYPE {kind} USING {quote(column)}::{through}::{kind}")
        statements += [f"{alter} SET DEFAULT {default}"] if default else []
    return [*statements, f"DROP TYPE {qualified(f'{bare}_old', schema)}"]


def _subject(name: Name) -> Subject:
    return Subject("type", name[0], "", name[1])


def _sql(name: Name) -> str:
    return qualified(name[1], name[0])


def _words(name: Name) -> str:
    return full_name(name[1], name[0])


def _literals(values: Sequence[str]) -> str:
    return ", ".join("'" + value.replace("'", "''") + "'" for value in values)
