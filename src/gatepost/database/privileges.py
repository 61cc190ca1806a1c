"""What a role lacks, said as the GRANT to run: a right that is missing is a mistake in the set-up, not a refusal.

Off the request path: asked once PostgreSQL has reported 42501. Row level security has the same code; what tells them
apart is the function of PostgreSQL that raised it, whatever language its message is in.
"""

import re

import asyncpg

from gatepost.database.error_details import written_table
from gatepost.errors import DatabaseMistake

_ROW_SECURITY = "ExecWithCheckOptions"

_KINDS = {"table": "TABLE", "view": "TABLE", "relation": "TABLE", "sequence": "SEQUENCE", "schema": "SCHEMA"}
_RIGHTS = {
    "TABLE": "SELECT, INSERT, UPDATE, DELETE",
    "SEQUENCE": "USAGE",
    "SCHEMA": "USAGE",
    "FUNCTION": "EXECUTE",
}
_NAMED = re.compile(r"permission denied for (table|view|relation|sequence|schema|function) (\S+)")


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
    kind, name = "TABLE", written_table(error)
    if (named := _NAMED.match(error.args[0] if error.args else "")) is not None:
        kind = _KINDS.get(named[1], "FUNCTION")
        if kind != "TABLE" or name is None:
            name = named[2]
    grant = f"GRANT {_RIGHTS[kind]} ON {'' if kind == 'TABLE' else kind + ' '}{name or '...'} TO {quoted(role)};"
    return PrivilegeMissing(f"the role {role} of DATABASE_URL lacks a right. Run as the owner: {grant}")


def quoted(name: str) -> str:
    """A name as it stands in SQL."""
    return name if re.fullmatch(r"[a-z_][a-z0-9_]*", name) else '"' + name.replace('"', '""') + '"'
