"""Writing the record: what was just made, and what of the models a database has.

Called in the transaction that makes things, so that the record and the objects are always of one mind.
"""

from collections.abc import Collection, Iterable

from alembic.operations import ops
from sqlalchemy import Connection, MetaData

from gatepost.migrations.canonical_sql import declared_keys, read_keys
from gatepost.migrations.comparison import Scope, compare
from gatepost.migrations.definitions import Definitions, ObjectKey, read_definitions, table_name
from gatepost.migrations.differences import Difference
from gatepost.migrations.enums import declared_enums, plain_metadata
from gatepost.migrations.losses import always, ignore_equal_type
from gatepost.migrations.objects import declared_objects, key_of
from gatepost.migrations.record import write_record
from gatepost.migrations.schemas import declared_schemas
from gatepost.models.constraint_names import object_name


def record_made(connection: Connection, owned: Collection[ObjectKey], made: Iterable[ObjectKey]) -> None:
    """List what was made, and anew what was Gatepost's before: a changed column may have changed a check's words.

    A table is listed with the constraints that it was made with.
    """
    keys = {*owned, *made}
    present = read_definitions(connection)
    tables = {key.table_name for key in keys - {*owned} if key.kind == "table"}
    keys |= {key for key in present if key.kind == "constraint" and key.table_name in tables}
    write_record(connection, keys, present)


def record_equal(connection: Connection, metadata: MetaData, before: Definitions | None = None) -> Definitions:
    """List everything of the models that the database has as they declare it; returns what is there.

    And what is not as they declare it, but has been made or changed since `before`, by a file that they are ahead of.
    """
    present = read_definitions(connection)
    keys = equal_keys(connection, metadata, present)
    if before is not None:
        declared = find_declared(connection, metadata, present)
        keys |= {key for key in declared if before.get(key) != present[key]}
    write_record(connection, keys, present)
    return present


def equal_keys(connection: Connection, metadata: MetaData, present: Definitions) -> set[ObjectKey]:
    """The declared objects that are there as declared; a table with exactly the declared columns."""
    differences = compare(connection, metadata, always, Scope("keep"))
    different = {item.key for item in differences if _is_difference(item)} | _other_keys(connection, metadata)
    return find_declared(connection, metadata, present) - different


def find_declared(connection: Connection, metadata: MetaData, present: Definitions) -> set[ObjectKey]:
    """What the models ask for, and is there under its name."""
    plain = plain_metadata(metadata, connection.dialect.default_schema_name)
    found = {ObjectKey("schema", "", "", name) for name in declared_schemas(plain)}
    found |= {name.key("type") for name in declared_enums(plain)}
    for table in plain.sorted_tables:
        name = table_name(table)
        constraints = {object_name(table.name, "", "pkey"), *(str(it.name) for it in table.constraints if it.name)}
        found.add(name.key("table"))
        found |= {ObjectKey("index", *name, str(index.name)) for index in table.indexes}
        found |= {ObjectKey("constraint", *name, constraint) for constraint in constraints}
    found |= {key_of(item) for item in declared_objects(connection, metadata)}
    return {key for key in present if key in found}  # these, because SQLAlchemy has its own strings


def _other_keys(connection: Connection, metadata: MetaData) -> set[ObjectKey]:
    """Primary keys and unique constraints that have a declared name, and are not what is declared."""
    found: set[ObjectKey] = set()
    for table in plain_metadata(metadata, connection.dialect.default_schema_name).sorted_tables:
        present = read_keys(connection, table_name(table).sql)
        different = (name for name, key in declared_keys(table).items() if present.get(name) != key)
        found |= {ObjectKey("constraint", *table_name(table), name) for name in different}
    return found


def _is_difference(item: Difference) -> bool:
    if not isinstance(item.operation, ops.AlterColumnOp):
        return True
    ignore_equal_type(item.operation)
    return item.operation.has_changes()
