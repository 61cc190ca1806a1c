"""Which tables of the schema `gatepost` a role lacks, or may not write to, and what to run there."""

from collections.abc import Sequence
from typing import Any, NamedTuple

_LOOK = """
SELECT name, tables.oid IS NOT NULL AS is_there, quote_ident(current_user) AS role FROM unnest($1::text[]) AS name
LEFT JOIN pg_class AS tables ON tables.relname = name AND tables.relnamespace = to_regnamespace('gatepost')
WHERE tables.oid IS NULL OR NOT has_schema_privilege(tables.relnamespace, 'USAGE') OR NOT (
  SELECT bool_and(has_table_privilege(tables.oid, privilege))
  FROM unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE']) AS privilege
)
ORDER BY name
"""


class LackingTables(NamedTuple):
    """Tables that do not exist, and tables that the role may not read and write, by their names."""

    missing: Sequence[str] = ()
    closed: Sequence[str] = ()
    role: str = ""

    @property
    def names(self) -> frozenset[str]:
        """All of them."""
        return frozenset((*self.missing, *self.closed))

    @property
    def sentence(self) -> str:
        """What is wrong, and what makes it right; empty where nothing is."""
        return self.sentence_with(
            f"`gatepost migrate up` creates {'it' if len(self.missing) == 1 else 'them'}, or `gatepost dev` where "
            "there are no migration files."
        )

    def sentence_with(self, remedy: str) -> str:
        """The same where something else creates what is missing."""
        found: list[str] = []
        if self.missing:
            verb = "table {} does" if len(self.missing) == 1 else "tables {} do"
            found.append(f"The {verb.format(_listed(self.missing))} not exist: {remedy}")
        if self.closed:
            found.append(
                f"The role {self.role} may not read and write {_listed(self.closed)}. Their owner runs: GRANT USAGE ON "
                f"SCHEMA gatepost TO {self.role}; GRANT SELECT, INSERT, UPDATE, DELETE ON {_listed(self.closed)} TO "
                f"{self.role};"
            )
        return " ".join(found)


async def lacking_tables(connection: Any, tables: Sequence[str]) -> LackingTables:
    """Those of `tables` that the role of this connection lacks."""
    rows = await connection.fetch(_LOOK, list(tables))
    return LackingTables(
        [row["name"] for row in rows if not row["is_there"]],
        [row["name"] for row in rows if row["is_there"]],
        rows[0]["role"] if rows else "",
    )


def _listed(names: Sequence[str]) -> str:
    return ", ".join(f"gatepost.{name}" for name in names)
