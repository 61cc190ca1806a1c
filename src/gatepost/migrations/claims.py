"""`gatepost migrate claim`: what an unlisted database has of the models' own, taken into the record after a yes.

For databases that an earlier version made, or that were made by hand from the same declaration. Taken in is what equals
the models; and what bears the hash that every version has put on its functions and triggers, with its table.
"""

import hashlib

import msgspec
from msgspec.structs import replace
from sqlalchemy import Connection, MetaData

from gatepost.migrations.apply import lock_migrations
from gatepost.migrations.connections import run_on
from gatepost.migrations.definitions import Definitions, ObjectKey, read_definitions
from gatepost.migrations.objects import Present, read_objects
from gatepost.migrations.record import prepare_record, read_record, write_record
from gatepost.migrations.recording import equal_keys, find_declared
from gatepost.models.schema_objects import BODY_QUOTE, COMMENT_PREFIX

_SHARED = ("schema", "extension")
"""Never dropped, so nothing is gained by claiming it."""


class ClaimedObjects(msgspec.Struct, frozen=True):
    """What can be taken in, and what has a declared name, but is not what is declared, and is left out.

    Each key names the schema, the default one as well.
    """

    equal: list[ObjectKey]
    different: list[ObjectKey]


async def find_claims(dsn: str, metadata: MetaData) -> ClaimedObjects:
    """What `claim` would take in. Changes nothing."""
    return await run_on(dsn, lambda connection: _find(connection, metadata, records=False))


async def claim(dsn: str, metadata: MetaData) -> ClaimedObjects:
    """Take it in, in one transaction, as it is now; returns what was taken in, and what was not."""

    def work(connection: Connection) -> ClaimedObjects:
        lock_migrations(connection)
        prepare_record(connection)
        found = _find(connection, metadata, records=True)
        connection.commit()
        return found

    return await run_on(dsn, work)


def _find(connection: Connection, metadata: MetaData, *, records: bool) -> ClaimedObjects:
    present, listed = read_definitions(connection), read_record(connection)
    declared = find_declared(connection, metadata, present)
    ours = equal_keys(connection, metadata, present) | (_marked(connection, listed) & declared)
    unlisted = {key for key in declared if listed.get(key) != present[key] and key.kind not in _SHARED}
    if records:
        write_record(connection, unlisted & ours, present)
    default = connection.dialect.default_schema_name

    def shown(keys: set[ObjectKey]) -> list[ObjectKey]:
        return sorted(replace(key, schema=default) if key.schema is None else key for key in keys)

    return ClaimedObjects(shown(unlisted & ours), shown(unlisted - ours))


def _marked(connection: Connection, listed: Definitions) -> set[ObjectKey]:
    """By an earlier version, that is: a trigger that is listed may have been added to a table of others."""
    found: set[ObjectKey] = set()
    for key, item in read_objects(connection).items():
        if not item.comment.startswith(COMMENT_PREFIX):
            continue
        if item.kind == "trigger" and key not in listed:
            found |= {key, ObjectKey("table", item.schema, "", item.table)}
        elif item.kind == "function" and _is_as_made(item):
            found.add(key)
    return found


def _is_as_made(item: Present) -> bool:
    """The hash in the comment is that of the statement, in which the body stands as it is."""
    parts = item.definition.split("$function$")
    if len(parts) != 3:
        return False
    create = f"CREATE OR REPLACE FUNCTION {item.name}() RETURNS trigger LANGUAGE plpgsql AS"
    statement = f"{create} {BODY_QUOTE}{parts[1]}{BODY_QUOTE}"
    return item.comment == COMMENT_PREFIX + hashlib.sha256(statement.encode()).hexdigest()[:16]
