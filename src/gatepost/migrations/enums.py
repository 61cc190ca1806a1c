"""Enum types: created before the tables that use them, extended in place, rebuilt where a value is gone.

Alembic leaves them to the tables' own DDL, which fails when two tables share a type and never sees a new value.
"""

from collections.abc import Sequence
from typing import Any, cast

from sqlalchemy import ARRAY, CheckConstraint, Column, Connection, Interval, MetaData, text
from sqlalchemy.dialects.postgresql import ENUM
from sqlalchemy.types import Enum, TypeDecorator, TypeEngine

from gatepost.migrations.losses import is_array
from gatepost.migrations.operations import RunSQL
from gatepost.models.schema_names import quote

_EXISTING = text("""
    SELECT type.typname, array_agg(value.enumlabel::text ORDER BY value.enumsortorder)
    FROM pg_type AS type JOIN pg_enum AS value ON value.enumtypid = type.oid
    WHERE type.typnamespace = current_schema()::regnamespace
      AND NOT EXISTS (SELECT FROM pg_depend WHERE objid = type.oid AND deptype = 'e')
    GROUP BY type.typname
""")

_USERS = text("""
    SELECT class.oid::regclass::text, attribute.attname, type.typelem <> 0,
           pg_get_expr(initial.adbin, initial.adrelid)
    FROM pg_attribute AS attribute
    JOIN pg_class AS class ON class.oid = attribute.attrelid AND class.relkind IN ('r', 'p')
    JOIN pg_type AS type ON type.oid = attribute.atttypid
    LEFT JOIN pg_attrdef AS initial ON initial.adrelid = class.oid AND initial.adnum = attribute.attnum
    WHERE NOT attribute.attisdropped
      AND (type.typname = :name OR type.typelem = (
        SELECT oid FROM pg_type WHERE typname = :name AND typnamespace = current_schema()::regnamespace))
""")


def plain_metadata(metadata: MetaData) -> MetaData:
    """A copy of the tables in which every type is PostgreSQL's or SQLAlchemy's own, no table creates enum types, and
    the checks written at a column are the table's."""
    plain = MetaData(naming_convention=metadata.naming_convention)
    for table in metadata.sorted_tables:
        copy = table.to_metadata(plain)
        copy.info.clear()
        for column in copy.columns:
            column.type = _plain_type(column.type)
            for check in [item for item in column.constraints if isinstance(item, CheckConstraint)]:
                column.constraints.remove(check)
                copy.append_constraint(CheckConstraint(check.sqltext, name=check.name))
    return plain


def _plain_type(kind: Any) -> TypeEngine[Any]:
    if isinstance(kind, TypeDecorator) and not isinstance(kind, Interval):  # PostgreSQL has intervals of its own
        return _plain_type(kind.impl_instance)
    if is_array(kind):
        return ARRAY(_plain_type(kind.item_type), dimensions=kind.dimensions)
    if isinstance(kind, Enum) and kind.native_enum:
        schema: Any = getattr(kind, "schema", None)
        return ENUM(*kind.enums, name=kind.name, schema=schema, create_type=False)
    return cast("TypeEngine[Any]", kind)


def declared_enums(metadata: MetaData) -> dict[str, list[str]]:
    """The enum types of `plain_metadata` and their values."""
    found: dict[str, list[str]] = {}
    for table in metadata.sorted_tables:
        for column in table.columns:
            kind = _enum_of(column)
            if kind is not None and kind.name is not None:
                found[str(kind.name)] = [str(value) for value in kind.enums]
    return found


def _enum_of(column: Column[Any]) -> ENUM | None:
    kind: Any = getattr(column.type, "item_type", column.type)
    return kind if isinstance(kind, ENUM) else None


def compare_enums(connection: Connection, metadata: MetaData) -> tuple[list[RunSQL], list[RunSQL]]:
    """What to do to enum types before the tables change, and what after."""
    existing = {name: list(values) for name, values in connection.execute(_EXISTING)}
    declared = declared_enums(metadata)
    before: list[RunSQL] = []
    for name, values in declared.items():
        if name not in existing:
            before.append(_created(name, values))
        elif existing[name] != values:
            before.extend(_changed(connection, name, existing[name], values))
    return before, [_dropped(name, values) for name, values in existing.items() if name not in declared]


def _created(name: str, values: Sequence[str]) -> RunSQL:
    create, drop = f"CREATE TYPE {quote(name)} AS ENUM ({_literals(values)})", f"DROP TYPE {quote(name)}"
    return RunSQL(f"create the enum {name}", [create], [drop], undo_summary=f"drop the enum {name}")


def _dropped(name: str, values: Sequence[str]) -> RunSQL:
    return _created(name, values).reverse()


def _changed(connection: Connection, name: str, existing: Sequence[str], values: Sequence[str]) -> list[RunSQL]:
    if [value for value in values if value in existing] != list(existing):
        return [_rebuilt(connection, name, existing, values)]
    return [_added(name, values, value) for value in values if value not in existing]


def _added(name: str, values: Sequence[str], value: str) -> RunSQL:
    """Undone by nothing: PostgreSQL cannot drop a value of an enum, and one too many does no harm."""
    position = values.index(value)
    place = f"AFTER {_literals([values[position - 1]])}" if position else f"BEFORE {_literals([values[1]])}"
    statement = f"ALTER TYPE {quote(name)} ADD VALUE IF NOT EXISTS {_literals([value])} {place}"
    undo_summary = f"the value {value!r} of the enum {name} stays: PostgreSQL cannot drop it"
    summary = f"add the value {value!r} to the enum {name}"
    return RunSQL(summary, [statement], [], undo_summary=undo_summary, committed_at_once=True)


def _rebuilt(connection: Connection, name: str, existing: Sequence[str], values: Sequence[str]) -> RunSQL:
    gone = [value for value in existing if value not in values]
    users = list(connection.execute(_USERS, {"name": name}))
    loss = f"removes {', '.join(map(repr, gone))} from the enum {name}; rows that hold it stop it" if gone else None
    return RunSQL(
        f"rebuild the enum {name}",
        _rebuild(name, values, users),
        _rebuild(name, existing, users),
        undo_summary=f"rebuild the enum {name} as it was",
        loss=loss,
    )


def _rebuild(name: str, values: Sequence[str], users: Sequence[Any]) -> list[str]:
    old = quote(f"{name}_old")
    statements = [
        f"ALTER TYPE {quote(name)} RENAME TO {old}",
        f"CREATE TYPE {quote(name)} AS ENUM ({_literals(values)})",
    ]
    for table, column, in_array, default in users:
        kind, through = (f"{quote(name)}[]", "text[]") if in_array else (quote(name), "text")
        alter = f"ALTER TABLE {table} ALTER COLUMN {quote(column)}"
        statements += [f"{alter} DROP DEFAULT"] if default else []
        statements.append(f"{alter} TYPE {kind} USING {quote(column)}::{through}::{kind}")
        statements += [f"{alter} SET DEFAULT {default}"] if default else []
    return [*statements, f"DROP TYPE {old}"]


def _literals(values: Sequence[str]) -> str:
    return ", ".join("'" + value.replace("'", "''") + "'" for value in values)
