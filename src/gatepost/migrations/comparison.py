"""The differences between a database and the models, each as an operation that removes it.

Alembic compares tables, columns, types, unique constraints and foreign keys; what it does not compare, or compares as
text (checks, indexes, defaults, enums, triggers), is compared here in PostgreSQL's own words.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import groupby
from typing import Any, Literal

import msgspec
from alembic.autogenerate import produce_migrations
from alembic.migration import MigrationContext
from alembic.operations import MigrateOperation, ops
from sqlalchemy import Column, Computed, Connection, Identity, MetaData, Table, text
from sqlalchemy.schema import DefaultClause

from gatepost.migrations.canonical_sql import (
    CanonicalForms,
    declared_forms,
    default_text,
    meaning,
    named_checks,
    read_forms,
)
from gatepost.migrations.definitions import ObjectKey, TableName, table_name
from gatepost.migrations.differences import Difference, difference
from gatepost.migrations.enums import compare_enums, plain_metadata
from gatepost.migrations.losses import HasRows, always, is_domain_of, is_widening, table_label, type_text
from gatepost.migrations.objects import compare_objects
from gatepost.migrations.operations import RunSQL, creation
from gatepost.migrations.primary_keys import with_keys
from gatepost.migrations.record import is_of_the_record
from gatepost.migrations.schemas import compare_schemas, declared_schemas, other_schemas
from gatepost.models.schema_names import DIALECT, full_name, qualified, quote

ALEMBIC_TABLE = "alembic_version"

_FOREIGN_TABLES = text("""
    SELECT class.relname FROM pg_class AS class
    JOIN pg_depend ON classid = 'pg_class'::regclass AND objid = class.oid AND deptype = 'e'
    WHERE class.relkind IN ('r', 'p')
""")

_COLUMNS = text("""
    SELECT nullif(nspname, current_schema()), relname, attname
    FROM pg_attribute JOIN pg_class AS class ON class.oid = attrelid
    JOIN pg_namespace AS namespace ON namespace.oid = relnamespace
    WHERE relkind IN ('r', 'p') AND attnum > 0 AND NOT attisdropped
""")

_UNORDERED = (
    ops.CreateForeignKeyOp,
    ops.CreateUniqueConstraintOp,
    ops.DropColumnOp,
    ops.DropConstraintOp,
    ops.DropTableOp,
)

Undeclared = Literal["keep", "default", "all"]
"""What becomes of what the models do not declare: it is kept, whatever it is; or the default schema belongs to the
models, and what they do not declare in it goes; or the whole database does."""


class Scope(msgspec.Struct, frozen=True):
    """What of a database is compared, besides what the models declare.

    Declared tables that are `skipped` are not looked at; on `foreign` ones an equal check or index of another name
    will do.
    """

    undeclared: Undeclared
    skipped: Collection[TableName] = ()
    foreign: Collection[TableName] = ()


def compare(connection: Connection, metadata: MetaData, rows: HasRows, scope: Scope) -> list[Difference]:
    """Everything in which the database differs from the models, in the order in which it can be put right.

    What is done to it is weighed by the caller: dropping the constraints and indexes of a declared table, and types,
    functions and triggers, is always among it.
    """
    plain = plain_metadata(metadata, connection.dialect.default_schema_name)
    owned = other_schemas(connection) if scope.undeclared == "all" else []
    comparison = _Comparison(connection, plain, owned, scope)
    schemas = compare_schemas(connection, declared_schemas(plain))
    enums, old_enums = compare_enums(connection, plain, owned)
    first, old_objects, objects = compare_objects(connection, metadata)
    tables = comparison.with_keys(list(comparison.tables()))
    defaults = list(comparison.defaults())
    removed, added = comparison.checks_and_indexes(tables)
    before = [*schemas, *first, *enums, *old_objects, *removed]
    return [difference(item, rows) for item in [*before, *tables, *defaults, *added, *objects, *old_enums]]


def migration_context(connection: Connection, **options: Any) -> MigrationContext:
    """Alembic's context for this connection."""
    return MigrationContext.configure(connection, opts=options)


class _Comparison:
    """One comparison: caches what was read of each table, because it is used twice."""

    def __init__(self, connection: Connection, plain: MetaData, owned: Sequence[str], scope: Scope) -> None:
        self._connection = connection
        self._plain = plain
        self._owned: set[str | None] = set() if scope.undeclared == "keep" else {None, *owned}
        self._looked_at: set[str | None] = {None, *self._owned, *declared_schemas(plain)}
        self._scope = scope
        self._tables = [table for table in plain.sorted_tables if table_name(table) not in scope.skipped]
        self._converted: set[tuple[TableName, str]] = set()
        self._forms: dict[TableName, tuple[CanonicalForms, CanonicalForms]] = {}
        self._ignored = {ALEMBIC_TABLE, *connection.execute(_FOREIGN_TABLES).scalars()}

    def tables(self) -> Iterator[MigrateOperation]:
        """What Alembic finds, one operation at a time."""
        context = migration_context(
            self._connection,
            compare_type=True,
            compare_server_default=False,  # Alembic asks the server `old = new`, which is false for uuidv7()
            include_schemas=True,
            include_name=self._is_looked_at,
            include_object=self._is_for_alembic,
            autogenerate_plugins=["alembic.autogenerate.*", "~alembic.autogenerate.comments"],
        )
        found = produce_migrations(context, self._plain).upgrade_ops
        for operation in _in_steady_order(_flat(found.ops if found is not None else ())):
            if isinstance(operation, ops.AlterColumnOp):
                yield from self._altered(operation)
            elif isinstance(operation, ops.AddColumnOp):
                yield from _added(operation)
            else:
                yield operation

    def with_keys(self, operations: Sequence[MigrateOperation]) -> list[MigrateOperation]:
        """The operations, and the changes of primary keys in their places."""
        foreign = [table for table in self._tables if table_name(table) in self._scope.foreign]
        return with_keys(self._connection, self._tables, operations, foreign)

    def _is_looked_at(self, name: str | None, kind: str, parents: Any) -> bool:
        if kind == "schema":
            return name in self._looked_at
        if kind != "table":
            return True
        schema: str | None = parents["schema_name"]
        if (schema, str(name)) in self._scope.skipped:
            return False
        if full_name(str(name), schema) in self._plain.tables:
            return True
        default = self._connection.dialect.default_schema_name or ""
        if is_of_the_record(schema or default, str(name), default):
            return False
        return schema in self._owned and name not in self._ignored

    def _is_for_alembic(self, item: Any, _name: object, kind: str, _is_reflected: object, _other: object) -> bool:
        return kind != "index" and not (kind == "table" and table_name(item) in self._scope.skipped)

    def checks_and_indexes(
        self, tables: Sequence[MigrateOperation]
    ) -> tuple[list[MigrateOperation], list[MigrateOperation]]:
        """What to remove before the tables change, and what to add after."""
        removed: list[MigrateOperation] = []
        added: list[MigrateOperation] = []
        created = {(item.schema, item.table_name) for item in tables if isinstance(item, ops.CreateTableOp)}
        for item in tables:
            if isinstance(item, ops.DropTableOp):
                name = TableName(item.schema, item.table_name)
                known = read_forms(self._connection, name.sql).indexes
                removed.extend(replace(_drop_index(name, *index), goes_with_table=True) for index in known.items())
        for table in self._tables:
            in_order = sorted(table.indexes, key=lambda index: str(index.name))
            indexes = {str(index.name): ops.CreateIndexOp.from_index(index) for index in in_order}
            if table_name(table) in created:
                added.extend(indexes.values())
                continue
            checks = {name: ops.CreateCheckConstraintOp.from_constraint(it) for name, it in named_checks(table).items()}
            present, declared = self._forms_of(table)
            for before, after, operations, drop in (
                (present.indexes, declared.indexes, indexes, _drop_index),
                (present.checks, declared.checks, checks, _drop_check),
            ):
                changed = self._changed(table_name(table), before, after, operations)
                gone = [name for name in before if name not in operations]
                removed.extend(drop(table_name(table), name, before[name]) for name in changed if name in before)
                removed.extend(drop(table_name(table), name, before[name]) for name in gone)
                added.extend(operations[name] for name in changed)
        return removed, added

    def _changed(
        self, table: TableName, before: Mapping[str, str], after: Mapping[str, str], names: Iterable[str]
    ) -> list[str]:
        """Which of the declared names the table lacks, or has with another meaning."""
        others = {meaning(text) for text in before.values()} if table in self._scope.foreign else set[str]()

        def is_there(name: str) -> bool:
            alike = {meaning(before[name])} if name in before else others
            return name in after and meaning(after[name]) in alike

        return [name for name in names if not is_there(name)]

    def _forms_of(self, table: "Table[Any]") -> tuple[CanonicalForms, CanonicalForms]:
        key = table_name(table)
        if key not in self._forms:
            self._forms[key] = read_forms(self._connection, key.sql), declared_forms(self._connection, table)
        return self._forms[key]

    def defaults(self) -> Iterator[ops.AlterColumnOp]:
        """Server defaults that differ, of columns that are there already; a converted one has got its own."""
        found = {(TableName(schema, table), column) for schema, table, column in self._connection.execute(_COLUMNS)}
        columns = found - self._converted
        for table in self._tables:
            for column in table.columns:
                if (table_name(table), column.name) in columns and column.computed is None:
                    yield from self._default(table, column)

    def _default(self, table: "Table[Any]", column: Column[Any]) -> Iterator[ops.AlterColumnOp]:
        present, declared = self._forms_of(table)
        before, after = present.defaults.get(column.name), declared.defaults.get(column.name)
        is_serial = after is None and column is table.autoincrement_column and str(before).startswith("nextval(")
        wanted = column.server_default if default_text(column) is not None else None
        if is_serial or (before == after and (after is not None) == (wanted is not None)):
            return
        yield ops.AlterColumnOp(
            table.name,
            column.name,
            existing_type=column.type,
            existing_nullable=column.nullable,
            existing_server_default=DefaultClause(text(before)) if before is not None else None,
            modify_server_default=wanted,
            schema=table.schema,
        )

    def _altered(self, operation: ops.AlterColumnOp) -> Iterator[MigrateOperation]:
        """A type that PostgreSQL would not convert by itself gets an explicit conversion."""
        before, after = operation.existing_type, operation.modify_type
        if before is not None and after is not None and is_domain_of(before, after):
            operation.modify_type = None
            if operation.has_changes():
                yield operation
            return
        if before is None or after is None or is_widening(before, after):
            yield operation
            return
        name = table_label(operation)
        table, location = self._plain.tables[name], f"{name}.{operation.column_name}"
        self._converted.add((TableName(operation.schema, operation.table_name), operation.column_name))
        present = self._forms_of(table)[0].defaults.get(operation.column_name)
        yield RunSQL(
            TableName(operation.schema, operation.table_name).key("table"),
            "replace",
            f"convert {location} from {type_text(before)} to {type_text(after)}",
            [_conversion(operation, after, default_text(table.columns[operation.column_name]))],
            f"convert {location} back to {type_text(before)}",
            [_conversion(operation, before, present)],
            loss="not every value may survive it, and some stop it",
        )
        operation.modify_type = None
        operation.existing_type = after
        if operation.has_changes():
            yield operation


def _added(operation: ops.AddColumnOp) -> Iterator[MigrateOperation]:
    """The bare column, whose constraints and indexes are separate differences. One that is NOT NULL gets its Python
    default in the rows that exist: a default of the database, in passing, puts it there."""
    column, literal = _bare(operation.column), _python_default(operation.column)
    if column.nullable or column.server_default is not None or literal is None:
        yield ops.AddColumnOp(operation.table_name, column, schema=operation.schema)
        return
    column.server_default = DefaultClause(text(literal))
    yield ops.AddColumnOp(operation.table_name, column, schema=operation.schema)
    yield ops.AlterColumnOp(
        operation.table_name,
        column.name,
        existing_type=column.type,
        existing_nullable=False,
        existing_server_default=DefaultClause(text(literal)),
        modify_server_default=None,
        schema=operation.schema,
    )


def _bare(column: Column[Any]) -> Column[Any]:
    default: Any = column.server_default
    if column.computed is not None:
        default = Computed(column.computed.sqltext, persisted=column.computed.persisted)
    elif column.identity is not None:
        default = Identity(always=column.identity.always, start=column.identity.start)
    if isinstance(default, Computed | Identity):
        return Column(column.name, column.type, default, nullable=column.nullable)
    return Column(column.name, column.type, nullable=column.nullable, server_default=default)


def _flat(operations: Sequence[MigrateOperation]) -> Iterator[MigrateOperation]:
    for operation in operations:
        if isinstance(operation, ops.OpContainer):
            yield from _flat(operation.ops)
        else:
            yield operation


def _in_steady_order(operations: Iterable[MigrateOperation]) -> Iterator[MigrateOperation]:
    """Alembic compares sets: what may come in any order comes in that of its words, so that a file made twice is the
    same twice."""
    for kind, group in groupby(operations, key=type):
        run = list(group)
        yield from (
            sorted(run, key=lambda operation: difference(operation, always).summary) if kind in _UNORDERED else run
        )


def _conversion(operation: ops.AlterColumnOp, kind: Any, default: str | None) -> str:
    """Through the text, and without the default meanwhile: it may not be convertible."""
    table = qualified(operation.table_name, operation.schema)
    column, wanted = quote(operation.column_name), type_text(kind)
    steps = [
        f"ALTER COLUMN {column} DROP DEFAULT",
        f"ALTER COLUMN {column} TYPE {wanted} USING {column}::text::{wanted}",
    ]
    if default is not None:
        steps.append(f"ALTER COLUMN {column} SET DEFAULT {default}")
    return f"ALTER TABLE {table} {', '.join(steps)}"


def _python_default(column: Column[Any]) -> str | None:
    default = column.default
    if default is None or not default.is_scalar or isinstance(column.server_default, Computed | Identity):
        return None
    processor = column.type.literal_processor(DIALECT)
    value = getattr(default, "arg", None)
    return processor(value) if processor is not None and isinstance(value, str | int | float) else None


def _drop_index(table: TableName, name: str, definition: str) -> RunSQL:
    drop = f"DROP INDEX {qualified(name, table.schema)}"
    return creation(ObjectKey("index", *table, name), f"index {name}", [definition], [drop]).reverse()


def _drop_check(table: TableName, name: str, definition: str) -> RunSQL:
    alter = f"ALTER TABLE {table.sql}"
    return RunSQL(
        ObjectKey("constraint", *table, name),
        "drop",
        f"drop the check {name} of {table.words}",
        [f"{alter} DROP CONSTRAINT {quote(name)}"],
        f"add the check {name} to {table.words}",
        [f"{alter} ADD CONSTRAINT {quote(name)} {definition}"],
    )
