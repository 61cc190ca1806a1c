"""What `gatepost doctor` says of row level security: tables whose rows PostgreSQL itself hides or refuses."""

from typing import TYPE_CHECKING

from gatepost.cli.doctor_findings import DoctorFinding

if TYPE_CHECKING:
    from gatepost.app import App
    from gatepost.database.connection import RawConnection

_ACTIVE = """
    SELECT DISTINCT name FROM unnest($1::text[]) AS name
    WHERE to_regclass(name) IS NOT NULL AND row_security_active(to_regclass(name)::oid)
    ORDER BY name
"""


async def examine_row_security(connection: "RawConnection", app: "App") -> DoctorFinding:
    """Which of the app's tables have row level security that holds for the role of DATABASE_URL."""
    from gatepost.database.privileges import quoted

    tables = [
        ".".join(quoted(part) for part in (table.schema, table.name) if part) for table in app.metadata.tables.values()
    ]
    names = [row["name"] for row in await connection.fetch(_ACTIVE, tables)]
    if not names:
        return DoctorFinding("row security", True, "no table hides rows from the role of DATABASE_URL")
    detail = f"hides rows of {', '.join(names)}, which look absent, and refuses others, which leads to 403"
    role = await connection.fetchval("SELECT quote_ident(current_user)")
    hint = f"Write the same rules as policies of the resource, or: ALTER ROLE {role} BYPASSRLS;"
    return DoctorFinding("row security", False, detail, hint, is_warning=True)
