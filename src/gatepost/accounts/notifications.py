"""How PostgreSQL reports that a user has changed: triggers on the users' table that NOTIFY on every write.

They are part of the schema: declared with the table, created by migrations. `identities.py` listens. The triggers are
per statement, so that a change of a million users is one notification and not a million.
"""

from typing import Any, cast

from sqlalchemy import Table, inspect
from sqlalchemy.orm import Mapper

from gatepost.database.connection import RawConnection
from gatepost.models.schema_names import qualified
from gatepost.models.schema_objects import add_object, trigger, trigger_function

CHANNEL = "gatepost_identity"
"""The payload is the user's key as text; empty means that any user may have changed."""

FUNCTION = "gatepost_identity_changed"
NOTIFY_FUNCTION = trigger_function(
    FUNCTION,
    """
DECLARE
  keys text[];
BEGIN
  IF TG_OP <> 'TRUNCATE' THEN
    EXECUTE format('SELECT array_agg(%1$I::text) FROM (SELECT %1$I FROM old_rows LIMIT 101) AS changed', TG_ARGV[0])
    INTO keys;
    IF keys IS NULL THEN
      RETURN NULL;
    END IF;
  END IF;
  IF keys IS NULL OR cardinality(keys) > 100 THEN
    PERFORM pg_notify('gatepost_identity', '');
  ELSE
    PERFORM pg_notify('gatepost_identity', key) FROM unnest(keys) AS key;
  END IF;
  RETURN NULL;
END;
""",
)

_EVENTS = {
    "gatepost_identity_update": "AFTER UPDATE {table} REFERENCING OLD TABLE AS old_rows",
    "gatepost_identity_delete": "AFTER DELETE {table} REFERENCING OLD TABLE AS old_rows",
    "gatepost_identity_truncate": "AFTER TRUNCATE {table}",
}

_PRESENT = """
SELECT count(*) FROM pg_trigger
WHERE tgrelid = to_regclass($1) AND tgname = ANY ($2::text[]) AND tgenabled IN ('O', 'A')
"""


def notify_of_changes(model: type[Any]) -> None:
    """Declare the function and the triggers with the model's table. Idempotent."""
    table = _table(model)
    add_object(table, NOTIFY_FUNCTION)
    key = next(iter(table.primary_key.columns)).name.replace("'", "''")
    for name, event in _EVENTS.items():
        add_object(table, trigger(name, table, event, f"FOR EACH STATEMENT EXECUTE FUNCTION {FUNCTION}('{key}')"))


async def are_notified(connection: RawConnection, model: type[Any]) -> bool:
    """True where the database has all of the triggers, enabled: only then may identities be cached."""
    table = _table(model)
    found: int = await connection.fetchval(_PRESENT, qualified(table.name, table.schema), list(_EVENTS))
    return found == len(_EVENTS)


def _table(model: type[Any]) -> "Table[Any]":
    mapper: Mapper[Any] = inspect(model)
    return cast("Table[Any]", mapper.local_table)
