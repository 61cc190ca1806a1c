"""What a role lacks, said as the statement to run: a right that is missing is a mistake in the set-up, not a refusal.

Off the request path: asked once PostgreSQL has reported 42501, to a server or to a migration. Row level security has
the same code; what tells them apart is the function of PostgreSQL that raised it, whatever language its message is in.
"""

import re

import asyncpg

from gatepost.database.error_details import last_name, written_table
from gatepost.errors import DatabaseMistake

_ROW_SECURITY = "ExecWithCheckOptions"

_DENIED = re.compile(
    r"permission denied for (?P<kind>table|view|materialized view|foreign table|relation|sequence|schema|function|"
    r"procedure|type|domain|language|database) (?P<name>\S+)"
)
_RIGHTS = {
    "sequence": "USAGE ON SEQUENCE",
    "schema": "USAGE ON SCHEMA",
    "function": "EXECUTE ON FUNCTION",
    "procedure": "EXECUTE ON PROCEDURE",
    "type": "USAGE ON TYPE",
    "domain": "USAGE ON DOMAIN",
    "language": "USAGE ON LANGUAGE",
    "database": "CREATE ON DATABASE",
}
_ROWS = "SELECT, INSERT, UPDATE, DELETE ON"
_DEFINES = re.compile(r"\s*(?:/\*.*?\*/\s*)*(?:CREATE|ALTER|DROP|COMMENT)\b", re.IGNORECASE | re.DOTALL)
_ALTERED = ("table", "view", "sequence", "schema", "function", "type", "domain", "database")
"""What has an owner that can be changed by itself."""

_OWNED = re.compile(r"must be owner of (?P<kind>[a-z ]+) (?P<name>\S+)")
_EXTENSION = re.compile(r'permission denied to create extension (?P<name>"?[\w-]+"?)')
_NO_DATABASE = "permission denied to create database"


HIDES_ROWS = """
SELECT coalesce(bool_or(row_security_active(class.oid) AND NOT EXISTS (
    SELECT FROM pg_trigger AS item
    WHERE item.tgrelid = class.oid AND NOT item.tgisinternal AND item.tgtype & 67 IN (3, 65) AND item.tgenabled <> 'D'
      AND item.tgname NOT LIKE '%gatepost\\_%'
)), false) FROM pg_class AS class WHERE class.oid = to_regclass($1)
"""
"""Whether it was row level security that kept an UPDATE or DELETE from a row, and no trigger before it or in its place
(`tgtype` has a bit for each row, one for BEFORE and one for INSTEAD OF)."""


class PrivilegeMissing(DatabaseMistake):
    """The role that Gatepost connects as may not do what was asked; the message ends with the GRANT to run."""


def refuses_row(error: asyncpg.PostgresError) -> bool:
    """Whether row level security refused the row, and not a missing right the statement."""
    return getattr(error, "server_source_function", None) == _ROW_SECURITY


def missing_privilege(error: asyncpg.PostgresError, role: str) -> PrivilegeMissing:
    """The mistake that a missing right shows, with what to run as the owner."""
    orders = (
        orders_for(error, role) or f"Run as the owner: GRANT {_ROWS} {written_table(error) or '...'} TO {quoted(role)};"
    )
    return PrivilegeMissing(f"the role {role} of DATABASE_URL lacks a right. {orders}")


def orders_for(error: BaseException | None, role: str) -> str | None:
    """Who has to run what, so that the role may do what PostgreSQL refused; None where its words do not tell."""
    if not isinstance(error, asyncpg.InsufficientPrivilegeError):
        return None
    words, to = str(error.args[0] if error.args else ""), quoted(role)
    if found := _DENIED.search(words):
        return _grant(found["kind"], found["name"], error, to)
    if found := _OWNED.search(words):
        kind, name = found["kind"], found["name"]
        order = f"ALTER {kind.upper()} {name} OWNER TO {to};"
        return f"Run this as the owner, or: {order}" if kind in _ALTERED else f"Run this as the owner of {kind} {name}."
    if found := _EXTENSION.search(words):
        return f"Run as a superuser, in this database: CREATE EXTENSION {found['name']};"
    return f"Run as a superuser: ALTER ROLE {to} CREATEDB;" if words == _NO_DATABASE else None


def _grant(kind: str, name: str, error: asyncpg.PostgresError, to: str) -> str:
    if kind == "schema" and _is_definition(error):
        return order_to_create_in(name, to)
    return f"Run as the owner: GRANT {_RIGHTS.get(kind, _ROWS)} {_qualified(kind, name, error)} TO {to};"


def order_to_create_in(schema: str, to: str) -> str:
    """What to run, so that a role may create objects in a schema; both as they stand in SQL."""
    grant = f"Run as the owner: GRANT USAGE, CREATE ON SCHEMA {schema} TO {to};"
    if schema != "public":
        return grant
    return f"{grant} Since PostgreSQL 15 only the owner of a database may create objects in its schema public."


def _qualified(kind: str, name: str, error: asyncpg.PostgresError) -> str:
    """PostgreSQL names a table without its schema; the statement may have both."""
    written = None if kind in _RIGHTS else written_table(error)
    return written if written is not None and last_name(written) == name else name


def _is_definition(error: asyncpg.PostgresError) -> bool:
    return _DEFINES.match(getattr(error, "query", None) or "") is not None


def quoted(name: str) -> str:
    """A name as it stands in SQL."""
    return name if re.fullmatch(r"[a-z_][a-z0-9_]*", name) else '"' + name.replace('"', '""') + '"'
