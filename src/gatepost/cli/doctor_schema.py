"""`gatepost doctor` on the schema: what the models lack in the database, and which command helps on this one."""

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from gatepost.cli.doctor_findings import DoctorFinding, failed
from gatepost.errors import ConfigurationError

if TYPE_CHECKING:
    from gatepost.app import App
    from gatepost.database.connection import RawConnection
    from gatepost.migrations.plan import Plan

SHOWN = 3
FOLDER = Path("migrations")
_BELOW = "See `migrations` below."


class Schema(NamedTuple):
    """The finding, and what other findings say that have the same cause."""

    finding: DoctorFinding
    hint: str


_RIGHT_TO_CREATE = """
    SELECT quote_ident(current_schema()) AS schema, quote_ident(current_user) AS role
    WHERE NOT has_schema_privilege(current_schema(), 'CREATE')
"""


async def examine_schema(connection: "RawConnection", url: str, app: "App") -> Schema:
    """Compare the models with the database; changes nothing."""
    from gatepost.database.privileges import order_to_create_in
    from gatepost.migrations.apply import find_plan
    from gatepost.migrations.revisions import has_files

    try:
        plan = await find_plan(url, app.metadata)
    except ConfigurationError as error:
        finding = failed("migrations", error)
        return Schema(finding, _BELOW)
    found, hint = plan.differences, _hint(plan, has_files=has_files(FOLDER))
    if plan.allowed and (lacking := await connection.fetchrow(_RIGHT_TO_CREATE)) is not None:
        hint = f"{order_to_create_in(lacking['schema'], lacking['role'])} {hint}"
    if not found:
        return Schema(DoctorFinding("migrations", True, "the database matches the models"), hint)
    more = f"; and {len(found) - SHOWN} more" if len(found) > SHOWN else ""
    return Schema(DoctorFinding("migrations", False, f"to do: {'; '.join(found[:SHOWN])}{more}", hint), _BELOW)


async def examine_columns(connection: "RawConnection", app: "App") -> DoctorFinding:
    """Whether the tables are those of the models, as far as responses would be wrong: `gatepost serve` refuses to start
    otherwise."""
    from gatepost.database.reflection import reflect

    expected = app.declaration.expected_tables
    found = expected.mismatches(await reflect(connection, expected.tables, expected.types))
    refusal = expected.refusal(found)
    if refusal is not None:
        return DoctorFinding("columns", False, refusal.message)
    if missing := expected.missing(found):
        listed = "".join(f"\n  - {each}" for each in missing)
        return DoctorFinding("columns", False, f"requests that use these get 503:{listed}", is_warning=True)
    return DoctorFinding("columns", True, "the tables hold what the models declare")


async def examine_sql(connection: "RawConnection", app: "App") -> DoctorFinding:
    """Whether PostgreSQL takes the SQL of policies and expressions: `gatepost serve` refuses to start otherwise."""
    from gatepost.database.reflection import reflect
    from gatepost.database.sql_trials import try_all
    from gatepost.mistakes import together

    expected = app.declaration.expected_tables
    changed = expected.mismatches(await reflect(connection, expected.tables, expected.types))
    found = await try_all(connection, app.declaration.sql_trials(), changed)
    if found.refused:
        return failed("sql", together([*found.refused, *found.missing]))
    if found.missing:
        said = "".join(f"\n  - {each}" for each in found.missing)
        return DoctorFinding("sql", False, f"requests that use what is missing get 500:{said}", is_warning=True)
    return DoctorFinding("sql", True, "PostgreSQL takes the policies and the expressions")


def _hint(plan: "Plan", *, has_files: bool) -> str:
    """Only what helps here: files extend no table of others, and no command converts its columns."""
    steps: list[str] = []
    if plan.users_refusal is not None:
        steps.append("Gatepost did not create the users' table: name your own model of it in App(users=...).")
    if has_files:
        steps.append("Run `gatepost migrate up`; `gatepost migrate status` says more.")
    elif plan.allowed:
        steps.append(
            "Run `gatepost dev --migrate`; or write migration files with `gatepost migrate make`, and run them with "
            "`gatepost migrate up`."
        )
    if plan.extensible:
        steps.append("`gatepost dev --migrate --extend` adds what is missing to tables that Gatepost did not create.")
    elif plan.refused and plan.users_refusal is None:
        steps.append("Change the models, or the database by hand, so that they agree.")
    if not has_files:
        steps.append("`gatepost migrate check` lists everything.")
    return " ".join(steps)
