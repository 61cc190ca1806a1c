"""`gatepost migrate claim`: what an unlisted database has of the models' own, taken into the record after a yes.

For databases that an earlier version made, or that were made by hand from the same declaration. Taken in is what equals
the models; and what bears the hash that every version has put on its functions and triggers, with its table.
"""

import hashlib

import msgspec
from sqlalchemy import Connection, MetaData

from gatepost.migrations.apply import lock_migrations
from gatepost.migrations.connections import as_configuration_errors, connect
from gatepost.migrations.definitions import Definitions, ObjectKey, read_definitions
from gatepost.migrations.objects import Present, read_objects
from gatepost.migrations.record import prepare_record, read_record, write_record
from gatepost.migrations.recording import declared_subjects, equal_keys
from gatepost.migrations.subjects import key_of
from gatepost.models.schema_objects import BODY_QUOTE, COMMENT_PREFIX

_SHARED = ("schema", "extension")
"""Never dropped, so nothing is gained by claiming it."""


class ClaimedObjects(msgspec.Struct, frozen=True):
    """What can be taken in, and what has a declared name, but is not what is declared, and is left out."""

    equal: list[ObjectKey]
    different: list[ObjectKey]


async def find_claims(dsn: str, metadata: MetaData) -> ClaimedObjects:
    """What `claim` would take in. Changes nothing."""
    async with connect(dsn) as connection:
        with as_configuration_errors("DATABASE_URL"):
            found = await connection.run_sync(_find, metadata)
            await connection.rollback()
    return found


async def claim(dsn: str, metadata: MetaData) -> ClaimedObjects:
    """Take it in, in one transaction, as it is now; returns what was taken in, and what was not."""
    async with connect(dsn) as connection:
        with as_configuration_errors("DATABASE_URL"):
            return await connection.run_sync(_claim, metadata)


def _claim(connection: Connection, metadata: MetaData) -> ClaimedObjects:
    lock_migrations(connection)
    prepare_record(connection)
    found = _find(connection, metadata)
    present = read_definitions(connection)
    write_record(connection, {key: present[key] for key in found.equal}, ())
    connection.commit()
    return found


def _find(connection: Connection, metadata: MetaData) -> ClaimedObjects:
    default = connection.dialect.default_schema_name or "public"
    present, listed = read_definitions(connection), read_record(connection)
    declared = {key_of(subject, default) for subject in declared_subjects(metadata, default)} & present.keys()
    ours = equal_keys(connection, metadata, present) | (_marked(connection, default, listed) & declared)
    unlisted = {key for key in declared if listed.get(key) != present[key] and key.kind not in _SHARED}
    return ClaimedObjects(sorted(unlisted & ours), sorted(unlisted - ours))


def _marked(connection: Connection, default_schema: str, listed: Definitions) -> set[ObjectKey]:
    """By an earlier version, that is: a trigger that is listed may have been added to a table of others."""
    found: set[ObjectKey] = set()
    for item in read_objects(connection).values():
        if not item.comment.startswith(COMMENT_PREFIX):
            continue
        if item.kind == "trigger":
            schema = item.schema or default_schema
            key = ObjectKey("trigger", schema, item.table, item.name)
            if key not in listed:
                found |= {key, ObjectKey("table", schema, "", item.table)}
        elif item.kind == "function" and _is_as_made(item):
            found.add(ObjectKey("function", default_schema, "", item.name))
    return found


def _is_as_made(item: Present) -> bool:
    """The hash in the comment is that of the statement, in which the body stands as it is."""
    parts = item.definition.split("$function$")
    if len(parts) != 3:
        return False
    create = f"CREATE OR REPLACE FUNCTION {item.name}() RETURNS trigger LANGUAGE plpgsql AS"
    statement = f"{create} {BODY_QUOTE}{parts[1]}{BODY_QUOTE}"
    return item.comment == COMMENT_PREFIX + hashlib.sha256(statement.encode()).hexdigest()[:16]
