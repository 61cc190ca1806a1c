"""The objects of `models/schema_objects`: what the database has of them, and what is to be done.

The hash of a definition is the object's comment; a function's body and a trigger's state are looked at besides, for a
comment outlives CREATE OR REPLACE by hand.
"""

import hashlib
from collections.abc import Mapping

import msgspec
from msgspec.structs import replace
from sqlalchemy import Connection, MetaData, TextClause, text

from gatepost.migrations.definitions import Kind, ObjectKey
from gatepost.migrations.operations import RunSQL, creation
from gatepost.models.schema_names import full_name, qualified, quote
from gatepost.models.schema_objects import COMMENT_PREFIX, SchemaObject, objects_of

_EXTENSIONS = text("SELECT extname, '', NULL, '', '', '', true FROM pg_extension")
_SEQUENCES = text("""
    SELECT relname, '', nullif(nspname, current_schema()), '', '', '', true
    FROM pg_class JOIN pg_namespace AS namespace ON namespace.oid = relnamespace
    WHERE relkind = 'S'
""")
_DOMAINS = text("""
    SELECT typname, '', nullif(nspname, current_schema()), '', '', '', true
    FROM pg_type JOIN pg_namespace AS namespace ON namespace.oid = typnamespace
    WHERE typtype = 'd'
""")
_FUNCTIONS = text("""
    SELECT proname, '', NULL, coalesce(obj_description(oid, 'pg_proc'), ''), md5(prosrc), pg_get_functiondef(oid), true
    FROM pg_proc
    WHERE pronamespace = current_schema()::regnamespace AND pronargs = 0 AND prokind IN ('f', 'p')
""")
_TRIGGERS = text("""
    SELECT tgname, relname, nullif(nspname, current_schema()), coalesce(obj_description(trigger.oid, 'pg_trigger'), ''),
           '', pg_get_triggerdef(trigger.oid), tgenabled <> 'D'
    FROM pg_trigger AS trigger JOIN pg_class AS class ON class.oid = tgrelid
    JOIN pg_namespace AS namespace ON namespace.oid = relnamespace
    WHERE NOT tgisinternal
""")

_BY_NAME = ("extension", "sequence", "domain")
"""Kinds that are compared by name alone, and never changed."""

UUIDV7 = """
CREATE FUNCTION uuidv7() RETURNS uuid LANGUAGE plpgsql VOLATILE PARALLEL SAFE AS $gatepost$
DECLARE
  microseconds bigint := extract(epoch FROM clock_timestamp()) * 1000000;
  bytes bytea := uuid_send(gen_random_uuid());
BEGIN
  -- RFC 9562, method 3: 48 bits of milliseconds, the version, 12 bits of the fraction; the rest is random.
  bytes := overlay(bytes PLACING substring(int8send(microseconds / 1000) FROM 3) FROM 1 FOR 6);
  bytes := overlay(bytes PLACING substring(
    int8send((7 << 12) | ((microseconds % 1000) * 4096 / 1000)) FROM 7) FROM 7 FOR 2);
  RETURN encode(bytes, 'hex')::uuid;
END;
$gatepost$
""".strip()
"""What PostgreSQL 18 has built in, for those before it: the default of `Model.id`."""

UUIDV7_KEY = ObjectKey("function", None, "", "uuidv7")


class Present(msgspec.Struct, frozen=True):
    """An object as the database has it; `enabled` is False for a trigger that was switched off."""

    kind: Kind
    name: str
    table: str
    schema: str | None
    comment: str
    body_hash: str
    definition: str
    enabled: bool

    @property
    def sql(self) -> str:
        """The function or trigger, as statements name it."""
        if self.kind == "trigger":
            return f"TRIGGER {quote(self.name)} ON {qualified(self.table, self.schema)}"
        return f"FUNCTION {quote(self.name)}()"

    @property
    def statements(self) -> list[str]:
        """What recreates it unchanged."""
        return [self.definition.strip(), f"COMMENT ON {self.sql} IS '{self.comment}'"]

    @property
    def drop(self) -> str:
        """What removes it."""
        return f"DROP {self.sql}"


def missing_uuidv7(connection: Connection) -> list[RunSQL]:
    """What makes `uuidv7()`, where the server has none."""
    if connection.exec_driver_sql("SELECT to_regprocedure('uuidv7()')").scalar() is not None:
        return []
    return [creation(UUIDV7_KEY, "function uuidv7", [UUIDV7], [])]


def read_objects(connection: Connection) -> dict[ObjectKey, Present]:
    """Every extension, sequence, domain, function without arguments and trigger of the database."""
    queries: dict[Kind, TextClause] = {
        "extension": _EXTENSIONS,
        "sequence": _SEQUENCES,
        "domain": _DOMAINS,
        "function": _FUNCTIONS,
        "trigger": _TRIGGERS,
    }
    found = (Present(kind, *row) for kind, query in queries.items() for row in connection.execute(query))
    return {key_of(item): item for item in found}


def declared_objects(connection: Connection, metadata: MetaData) -> list[SchemaObject]:
    """What the models declare, in the order in which it can be created; the default schema is None."""
    default = connection.dialect.default_schema_name
    return [replace(item, schema=None) if item.schema == default else item for item in objects_of(metadata)]


def compare_objects(connection: Connection, metadata: MetaData) -> tuple[list[RunSQL], list[RunSQL], list[RunSQL]]:
    """What to create before the tables change (extensions, sequences and domains), what to drop before, and what to
    create after."""
    present, declared = read_objects(connection), declared_objects(connection, metadata)
    wanted = {key_of(item) for item in declared}
    changes = [_made(item, present) for item in declared if not _is_current(item, present.get(key_of(item)))]
    first = [change for change in changes if change.key.kind in _BY_NAME]
    rest = [change for change in changes if change.key.kind not in _BY_NAME]
    gone = [item for key, item in present.items() if key not in wanted and item.comment.startswith(COMMENT_PREFIX)]
    # Triggers before the functions that they call.
    gone.sort(key=lambda item: (item.kind, full_name(item.table, item.schema), item.name), reverse=True)
    return first, [_dropped(item) for item in gone], rest


def _is_current(item: SchemaObject, present: Present | None) -> bool:
    if present is None or item.kind in _BY_NAME:
        return present is not None
    body_hash = hashlib.md5(item.body.encode(), usedforsecurity=False).hexdigest() if item.body is not None else None
    return (
        present.enabled
        and present.comment == COMMENT_PREFIX + item.definition_hash
        and body_hash in (None, present.body_hash)
    )


def _made(item: SchemaObject, present: Mapping[ObjectKey, Present]) -> RunSQL:
    before = present.get(key_of(item))
    label = _label(item)
    if before is None:
        create, drop = [_creating(item.create), *item.statements[1:]], [item.drop] if item.drop else []
        return creation(key_of(item), label, create, drop)
    statements = item.statements
    if not before.enabled:
        statements = [
            *statements,
            f"ALTER TABLE {qualified(before.table, before.schema)} ENABLE TRIGGER {quote(before.name)}",
        ]
    undo = [_replacing(before.definition), *before.statements[1:]]
    return RunSQL(key_of(item), "replace", f"replace the {label}", statements, f"put the {label} back", undo)


def _creating(statement: str) -> str:
    """CREATE, not CREATE OR REPLACE: if the object exists by then, others made it."""
    return statement.replace("CREATE OR REPLACE ", "CREATE ", 1)


def _replacing(definition: str) -> str:
    return definition.strip().replace("CREATE TRIGGER", "CREATE OR REPLACE TRIGGER", 1)


def _dropped(item: Present) -> RunSQL:
    return creation(key_of(item), _label(item), item.statements, [item.drop]).reverse()


def key_of(item: SchemaObject | Present) -> ObjectKey:
    """The object as the record lists it."""
    schema = "" if item.kind == "extension" else item.schema
    return ObjectKey(item.kind, schema, item.table or "", item.name)


def _label(item: SchemaObject | Present) -> str:
    return f"{item.kind} {item.name}" + (f" on {full_name(item.table, item.schema)}" if item.table else "")
