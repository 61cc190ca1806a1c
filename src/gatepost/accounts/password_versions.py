"""The version of a user's password: a trigger on the users' table raises it whenever the hash changes.

It is part of the schema: declared with the table, created by migrations. An access token holds the version with which
it was issued (`auth/tokens.py`), and is valid only as long (`identities.py`). Only the rehash at sign-in, which stores
the same password with other parameters, sets REHASH and is exempt.
"""

import hashlib
from typing import Any

from sqlalchemy import Table

from gatepost.models.schema_names import quote
from gatepost.models.schema_objects import add_object, trigger, trigger_function

REHASH = "SET LOCAL gatepost.rehash = 'on'"
"""Run in the transaction that stores another hash of the same password, before the UPDATE."""

TRIGGER = "zy_gatepost_password_version"
"""PostgreSQL fires triggers in alphabetical order: this one sees the hash as the application's triggers leave it, and
precedes the one that raises the row's version."""


def raise_with_password(table: "Table[Any]", password_hash: str, password_version: str) -> None:
    """Declare function and trigger for a table with these columns. Idempotent."""
    hashed, version = quote(password_hash), quote(password_version)
    shape = hashlib.sha256(repr((hashed, version)).encode()).hexdigest()[:8]
    function = trigger_function(
        f"gatepost_password_version_{shape}",
        f"""
BEGIN
  NEW.{version} := greatest(NEW.{version}, OLD.{version});
  IF NEW.{hashed} IS DISTINCT FROM OLD.{hashed}
    AND current_setting('gatepost.rehash', true) IS DISTINCT FROM 'on'
  THEN
    NEW.{version} := NEW.{version} + 1;
  END IF;
  RETURN NEW;
END;
""",
    )
    add_object(table, function)
    call = f"FOR EACH ROW EXECUTE FUNCTION {quote(function.name)}()"
    add_object(table, trigger(TRIGGER, table, "BEFORE UPDATE {table}", call))
