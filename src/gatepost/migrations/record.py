"""The record of what Gatepost made in a database: the schema `gatepost`, kept in the transaction that makes things.

`schema_objects` lists objects with the hash of their definition, `schema_fingerprints` the models that the database has
been brought to. Only commands that change the schema write here; everything else reads, or finds nothing. Beside them
stand the tables of the monitors and the epoch (`record_tables.py`), which are made with the record.
"""

from collections.abc import Iterable
from contextlib import suppress

from msgspec.structs import asdict
from sqlalchemy import Connection, text
from sqlalchemy.exc import ProgrammingError

from gatepost.errors import ConfigurationError
from gatepost.migrations.definitions import Definitions, ObjectKey, definitions_of
from gatepost.record_tables import KEPT_TABLES

RECORD_SCHEMA = "gatepost"
SCHEMA_COMMENT = "gatepost: what Gatepost made in this database"
"""Says that the schema is of Gatepost's making: a role of the same name then does not find it first."""

OBJECTS_TABLE = "schema_objects"
FINGERPRINTS_TABLE = "schema_fingerprints"
EARLIER_NOTE = "gatepost_schema"
"""The table in the default schema in which versions before the record kept their one fingerprint."""

_COLUMNS = {
    OBJECTS_TABLE: ["kind", "schema_name", "table_name", "name", "definition_hash", "recorded_at"],
    FINGERPRINTS_TABLE: ["fingerprint", "applied_at"],
    EARLIER_NOTE: ["one", "fingerprint", "applied_at"],
}
_MAKE = {
    OBJECTS_TABLE: f"""
CREATE TABLE {RECORD_SCHEMA}.{OBJECTS_TABLE} (
  kind text NOT NULL,
  schema_name text NOT NULL,
  table_name text NOT NULL,
  name text NOT NULL,
  definition_hash text NOT NULL,
  recorded_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (kind, schema_name, table_name, name)
)
""",
    FINGERPRINTS_TABLE: f"""
CREATE TABLE {RECORD_SCHEMA}.{FINGERPRINTS_TABLE} (
  fingerprint text PRIMARY KEY,
  applied_at timestamptz NOT NULL DEFAULT now()
)
""",
}
_COLUMNS.update({name: list(table.columns) for name, table in KEPT_TABLES.items()})
_FIND_COLUMNS = text("""
    SELECT array_agg(attname::text ORDER BY attnum)
    FROM pg_attribute JOIN pg_class AS class ON class.oid = attrelid
    JOIN pg_namespace AS namespace ON namespace.oid = relnamespace
    WHERE nspname = coalesce(CAST(:schema AS text), current_schema()) AND relname = :name
      AND attnum > 0 AND NOT attisdropped
""")
_MAY = text("""
    SELECT count(*) FROM pg_class AS class JOIN pg_namespace AS namespace ON namespace.oid = relnamespace
    WHERE nspname = :schema AND relname = ANY (CAST(:names AS text[])) AND has_schema_privilege(namespace.oid, 'USAGE')
      AND (SELECT bool_and(has_table_privilege(class.oid, privilege))
           FROM unnest(CAST(:privileges AS text[])) AS privilege)
""")
_OWNS_EARLIER_NOTE = text("""
    SELECT pg_has_role(relowner, 'USAGE') FROM pg_class
    WHERE relname = :name AND relnamespace = current_schema()::regnamespace
""")
_READING, _WRITING = ["SELECT"], ["SELECT", "INSERT", "UPDATE", "DELETE"]
_READ = text(f"""
    SELECT kind, nullif(schema_name, current_schema()), table_name, name, definition_hash
    FROM {RECORD_SCHEMA}.{OBJECTS_TABLE}
""")
_WRITE = text(f"""
    INSERT INTO {RECORD_SCHEMA}.{OBJECTS_TABLE} (kind, schema_name, table_name, name, definition_hash)
    VALUES (:kind, coalesce(CAST(:schema AS text), current_schema()), :table, :name, :digest)
    ON CONFLICT (kind, schema_name, table_name, name) DO UPDATE
    SET definition_hash = excluded.definition_hash, recorded_at = now()
    WHERE schema_objects.definition_hash <> excluded.definition_hash
""")
_REMOVE = text(f"""
    DELETE FROM {RECORD_SCHEMA}.{OBJECTS_TABLE}
    WHERE kind = :kind AND schema_name = coalesce(CAST(:schema AS text), current_schema())
      AND table_name = :table AND name = :name
""")


def has_record(connection: Connection) -> bool:
    """True where the record is there. Raises ConfigurationError where another's table has its name."""
    return _exists(connection, OBJECTS_TABLE)


def read_record(connection: Connection) -> dict[ObjectKey, str]:
    """What is listed, with the hashes; empty where there is no record, or none that this role may read."""
    if not (has_record(connection) and _may(connection, [OBJECTS_TABLE], _READING)):
        return {}
    return definitions_of(connection.execute(_READ))


def owned_keys(present: Definitions, listed: Definitions) -> set[ObjectKey]:
    """Which objects of a database are Gatepost's: those that are listed and still have the listed definition."""
    return {key for key, digest in present.items() if listed.get(key) == digest}


def may_write_record(connection: Connection) -> bool:
    """True where the record is there, and this role may write in it."""
    return has_record(connection) and _may(connection, list(_MAKE), _WRITING)


def prepare_record(connection: Connection) -> None:
    """Make the record where it is missing, and take over what an earlier version noted. Idempotent; commits nothing.

    Raises ConfigurationError, with the statement to run, where the role may not make it.
    """
    if connection.execute(text("SELECT to_regnamespace(:name)"), {"name": RECORD_SCHEMA}).scalar() is None:
        _check_right(connection, "has_database_privilege(current_database(), 'CREATE')")
        connection.exec_driver_sql(f"CREATE SCHEMA {RECORD_SCHEMA}")
        connection.exec_driver_sql(f"COMMENT ON SCHEMA {RECORD_SCHEMA} IS '{SCHEMA_COMMENT}'")
    for table, create in _MAKE.items():
        if not _exists(connection, table):
            _check_right(connection, f"has_schema_privilege('{RECORD_SCHEMA}', 'USAGE, CREATE')")
            connection.exec_driver_sql(create.strip())
    if not _may(connection, list(_MAKE), _WRITING):
        raise _closed(connection)
    for name, wanted in KEPT_TABLES.items():
        if not _exists(connection, name):
            _check_right(connection, f"has_schema_privilege('{RECORD_SCHEMA}', 'USAGE, CREATE')")
            for statement in wanted.create:
                connection.exec_driver_sql(statement.strip())
    _take_over(connection)


def write_record(connection: Connection, keys: Iterable[ObjectKey], present: Definitions) -> None:
    """List those of the objects that are there with their hashes, and forget what is gone."""
    for key in read_record(connection):
        if key not in present:
            connection.execute(_REMOVE, asdict(key))
    for key in keys:
        if key in present:
            connection.execute(_WRITE, {**asdict(key), "digest": present[key]})


def note_fingerprint(connection: Connection, fingerprint: str, *, changed: bool) -> None:
    """Note that the database is at these models; where something was changed, that it may be at no other."""
    table = f"{RECORD_SCHEMA}.{FINGERPRINTS_TABLE}"
    if changed:
        connection.exec_driver_sql(f"DELETE FROM {table}")
    insert = text(f"INSERT INTO {table} (fingerprint) VALUES (:fingerprint) ON CONFLICT DO NOTHING")
    connection.execute(insert, {"fingerprint": fingerprint})


def has_fingerprint(connection: Connection, fingerprint: str) -> bool:
    """True where the database has been brought to these models, and Gatepost has not changed it since."""
    query = text(f"SELECT count(*) FROM {RECORD_SCHEMA}.{FINGERPRINTS_TABLE} WHERE fingerprint = :fingerprint")
    with suppress(ProgrammingError), connection.begin_nested():  # it may be missing, another's, or not for this role
        return bool(connection.execute(query, {"fingerprint": fingerprint}).scalar())
    return False


def forget_fingerprints(connection: Connection) -> None:
    """Called when revision files change the schema: the fingerprints are outdated."""
    connection.exec_driver_sql(f"DELETE FROM {RECORD_SCHEMA}.{FINGERPRINTS_TABLE}")


def is_of_the_record(schema: str, table: str, default_schema: str) -> bool:
    """True for the tables of the record, and for the one that earlier versions had in the default schema."""
    return (schema == RECORD_SCHEMA and (table in _MAKE or table in KEPT_TABLES)) or (
        schema == default_schema and table == EARLIER_NOTE
    )


def _take_over(connection: Connection) -> None:
    if _columns_of(connection, EARLIER_NOTE, schema=None) != _COLUMNS[EARLIER_NOTE]:
        return
    if not connection.execute(_OWNS_EARLIER_NOTE, {"name": EARLIER_NOTE}).scalar():
        return
    connection.exec_driver_sql(
        f"INSERT INTO {RECORD_SCHEMA}.{FINGERPRINTS_TABLE} (fingerprint, applied_at) "
        f"SELECT fingerprint, applied_at FROM {EARLIER_NOTE} ON CONFLICT DO NOTHING"
    )
    connection.exec_driver_sql(f"DROP TABLE {EARLIER_NOTE}")


def _exists(connection: Connection, table: str) -> bool:
    columns = _columns_of(connection, table)
    if columns is not None and columns != _COLUMNS[table]:
        raise ConfigurationError(
            f"The table {RECORD_SCHEMA}.{table} is not the one in which Gatepost records what it made.",
            location="DATABASE_URL",
            hint="Rename it, or move it to another schema.",
        )
    return columns is not None


def _columns_of(connection: Connection, table: str, *, schema: str | None = RECORD_SCHEMA) -> list[str] | None:
    found: list[str] | None = connection.execute(_FIND_COLUMNS, {"name": table, "schema": schema}).scalar()
    return found


def _may(connection: Connection, names: list[str], privileges: list[str]) -> bool:
    values = {"schema": RECORD_SCHEMA, "names": names, "privileges": privileges}
    return connection.execute(_MAY, values).scalar() == len(names)


def _closed(connection: Connection) -> ConfigurationError:
    role = connection.exec_driver_sql("SELECT quote_ident(current_user)").scalar()
    return ConfigurationError(
        f"The role {role} may not write in the schema {RECORD_SCHEMA}, where Gatepost records what it made.",
        location="DATABASE_URL",
        hint=f"Ask its owner to run: GRANT USAGE ON SCHEMA {RECORD_SCHEMA} TO {role}; "
        f"GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA {RECORD_SCHEMA} TO {role};",
    )


def _check_right(connection: Connection, right: str) -> None:
    role, allowed = connection.exec_driver_sql(f"SELECT quote_ident(current_user), {right}").one()
    if not allowed:
        raise ConfigurationError(
            f"The role {role} may not create the schema {RECORD_SCHEMA}, where Gatepost records what it made.",
            location="DATABASE_URL",
            hint=f"Ask an owner of the database to run: CREATE SCHEMA IF NOT EXISTS {RECORD_SCHEMA}; "
            f"COMMENT ON SCHEMA {RECORD_SCHEMA} IS '{SCHEMA_COMMENT}'; "
            f"GRANT USAGE, CREATE ON SCHEMA {RECORD_SCHEMA} TO {role};",
        )
