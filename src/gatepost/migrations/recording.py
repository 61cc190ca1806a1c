"""Writing the record: what was just made, and what of the models a database has.

Called in the transaction that makes things, so that the record and the objects are always of one mind.
"""

from collections.abc import Collection, Iterable
from typing import Any

from alembic.operations import MigrateOperation
from alembic.operations.ops import AlterColumnOp
from sqlalchemy import Connection, MetaData, Table

from gatepost.migrations.canonical_sql import declared_keys, read_keys
from gatepost.migrations.comparison import compare
from gatepost.migrations.definitions import Definitions, ObjectKey, read_definitions
from gatepost.migrations.enums import declared_enums, plain_metadata
from gatepost.migrations.losses import always, ignore_equal_type
from gatepost.migrations.operations import Subject
from gatepost.migrations.record import read_record, write_record
from gatepost.migrations.schemas import declared_schemas
from gatepost.migrations.subjects import key_of, subject_of
from gatepost.models.constraint_names import object_name
from gatepost.models.schema_names import qualified
from gatepost.models.schema_objects import objects_of


def record_made(connection: Connection, owned: Collection[ObjectKey], made: Iterable[Subject]) -> None:
    """List what was made, and anew what was Gatepost's before: a changed column may have changed a check's words.

    A table is listed with the constraints that it was made with.
    """
    default = connection.dialect.default_schema_name or "public"
    keys = {*owned, *(key_of(subject, default) for subject in made)}
    present = read_definitions(connection)
    tables = {(key.schema, key.name) for key in keys - {*owned} if key.kind == "table"}
    keys |= {key for key in present if key.kind == "constraint" and (key.schema, key.table) in tables}
    _write(connection, keys, present)


def record_equal(connection: Connection, metadata: MetaData, before: Definitions | None = None) -> Definitions:
    """List everything of the models that the database has as they declare it; returns what is there.

    And what is not as they declare it, but has been made or changed since `before`, by a file that they are ahead of.
    """
    present = read_definitions(connection)
    keys = equal_keys(connection, metadata, present)
    if before is not None:
        default = connection.dialect.default_schema_name or "public"
        declared = {key_of(subject, default) for subject in declared_subjects(metadata, default)}
        keys |= {key for key in declared if key in present and before.get(key) != present[key]}
    _write(connection, keys, present)
    return present


def equal_keys(connection: Connection, metadata: MetaData, present: Definitions) -> set[ObjectKey]:
    """The declared objects that are there as declared; a table with exactly the declared columns."""
    default = connection.dialect.default_schema_name or "public"
    operations = [item.operation for item in compare(connection, metadata, always, undeclared="keep")]
    different = {key_of(subject_of(operation), default) for operation in operations if _is_difference(operation)}
    declared = {key_of(subject, default) for subject in declared_subjects(metadata, default)}
    other = _other_keys(connection, metadata, default)
    return {key for key in declared - different - other if key in present}


def declared_subjects(metadata: MetaData, default_schema: str) -> set[Subject]:
    """Every object that the models ask for."""
    plain = plain_metadata(metadata, default_schema)
    found = {Subject("schema", "", "", name) for name in declared_schemas(plain)}
    found |= {Subject("type", schema, "", name) for schema, name in declared_enums(plain)}
    for table in plain.sorted_tables:
        found.add(Subject("table", table.schema, "", table.name))
        found |= {Subject("index", table.schema, table.name, str(index.name)) for index in table.indexes}
        found |= {Subject("constraint", table.schema, table.name, name) for name in _constraints(table)}
    for item in objects_of(metadata):
        schema = None if item.schema == default_schema else item.schema
        match item.kind:
            case "extension":
                found.add(Subject("extension", "", "", item.name))
            case "function":
                found.add(Subject("function", None, "", item.name))
            case "trigger":
                found.add(Subject("trigger", schema, item.table or "", item.name))
    return found


def _other_keys(connection: Connection, metadata: MetaData, default_schema: str) -> set[ObjectKey]:
    """Primary keys and unique constraints that have a declared name, and are not what is declared."""
    found: set[ObjectKey] = set()
    for table in plain_metadata(metadata, default_schema).sorted_tables:
        present = read_keys(connection, qualified(table.name, table.schema))
        for name, key in declared_keys(table).items():
            if present.get(name) != key:
                found.add(key_of(Subject("constraint", table.schema, table.name, name), default_schema))
    return found


def _is_difference(operation: MigrateOperation) -> bool:
    if not isinstance(operation, AlterColumnOp):
        return True
    ignore_equal_type(operation)
    return operation.has_changes()


def _constraints(table: "Table[Any]") -> set[str]:
    names = {str(item.name) for item in table.constraints if item.name is not None}
    return names | {object_name(table.name, "", "pkey")}


def _write(connection: Connection, keys: Iterable[ObjectKey], present: Definitions) -> None:
    listed = read_record(connection)
    gone = [key for key in listed if key not in present]
    write_record(connection, {key: present[key] for key in sorted(keys) if key in present}, gone)
