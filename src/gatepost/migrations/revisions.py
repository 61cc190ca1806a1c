"""Revision files: a folder `migrations/versions` in the user's project, written here, read and run by Alembic."""

import re
import secrets
import warnings
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, cast

from alembic.autogenerate.api import AutogenContext
from alembic.autogenerate.render import render_op
from alembic.migration import MigrationContext
from alembic.operations import MigrateOperation
from alembic.operations.ops import CreateTableOp
from alembic.script import ScriptDirectory
from alembic.script.revision import RevisionError
from alembic.util import CommandError
from sqlalchemy.dialects.postgresql import DOMAIN, ENUM

from gatepost.errors import ConfigurationError
from gatepost.migrations.differences import Difference
from gatepost.models.schema_names import DIALECT

_FILE = '''"""{message}

Made by `{command}` at {made}. Read it, correct it where needed, and commit it.
"""

{imports}

revision = {revision!r}
down_revision = {down_revision!r}
branch_labels = None
depends_on = None


{functions}
'''

_FUNCTIONS = """def upgrade() -> None:
{upgrade}


def downgrade() -> None:
{downgrade}"""


def has_files(folder: Path) -> bool:
    """True where the folder has revisions."""
    with folder_errors(folder):
        return any((folder / "versions").glob("*.py"))


def has_versions(folder: Path) -> bool:
    """True where the folder has been made, even if it has no revisions."""
    with folder_errors(folder):
        return (folder / "versions").is_dir()


def make_folder(folder: Path) -> None:
    """Create the folder where it is missing. Raises ConfigurationError where that is not possible."""
    with folder_errors(folder):
        (folder / "versions").mkdir(parents=True, exist_ok=True)


@contextmanager
def folder_errors(folder: Path) -> Generator[None]:
    """A folder that cannot be read or written becomes ConfigurationError."""
    try:
        yield
    except OSError as error:
        raise ConfigurationError(
            f"The migration files cannot be used: {error.strerror or error}.",
            location=str(error.filename or folder),
            hint="Correct the folder, or name another one with --folder.",
        ) from error


def open_folder(folder: Path) -> ScriptDirectory:
    """The revisions of a folder. Raises ConfigurationError where it is missing, broken or has two ends."""
    if not has_versions(folder):
        raise ConfigurationError(
            "There are no migration files here.",
            location=str(folder / "versions"),
            hint="Run `gatepost migrate make` first, or name the folder.",
        )
    script = ScriptDirectory(str(folder))
    with folder_errors(folder), as_configuration_errors(folder):
        heads = script.get_heads()
    if len(heads) > 1:
        files = ", ".join(Path(script.get_revision(head).path).name for head in heads)
        raise ConfigurationError(
            f"There are {len(heads)} newest revisions: {files}.",
            location=str(folder),
            hint="Two branches were merged: set down_revision of one to the revision of the other.",
        )
    return script


@contextmanager
def as_configuration_errors(folder: Path) -> Generator[None]:
    """What is wrong with the files of a folder becomes ConfigurationError."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", UserWarning)  # so Alembic tells of a revision that is not there
            yield
    except (CommandError, RevisionError, UserWarning) as error:
        raise ConfigurationError(f"{error}".rstrip(".") + ".", location=str(folder)) from error
    except SyntaxError as error:
        location = f"{error.filename}:{error.lineno}"
        raise ConfigurationError(f"The file cannot be read: {error.msg}.", location=location) from error
    except (ImportError, AttributeError, NameError, TypeError, ValueError) as error:
        raise ConfigurationError(f"A revision cannot be loaded: {error}.", location=str(folder)) from error
    except SystemExit as error:
        raise ConfigurationError(
            f"A revision ends the program with the status {error.code}.",
            location=str(folder),
            hint="Remove its call of sys.exit(); raise an exception to stop a revision.",
        ) from error


def write_revision(
    folder: Path, message: str, differences: Sequence[Difference], *, command: str = "gatepost migrate make"
) -> Path:
    """Write the file that removes these differences, and, downwards, brings them back; whole or not at all."""
    imports, functions = revision_functions(differences)
    now, revision = datetime.now(UTC), secrets.token_hex(6)
    text = _FILE.format(
        message=message.strip().replace('"""', "'''").replace("\\", "/") or "changes",
        command=command,
        made=f"{now:%Y-%m-%d %H:%M} UTC",
        imports=imports,
        revision=revision,
        down_revision=open_folder(folder).get_current_head(),
        functions=functions,
    )
    slug = re.sub(r"[^a-z0-9]+", "_", message.lower()).strip("_")[:40] or "changes"
    path = folder / "versions" / f"{now:%Y%m%d_%H%M}_{slug}_{revision}.py"
    with folder_errors(folder):
        _write(path, text.encode())
    return path


def revision_functions(differences: Sequence[Difference]) -> tuple[str, str]:
    """What a file imports that removes these differences, and its functions `upgrade` and `downgrade`."""
    options = {
        "sqlalchemy_module_prefix": "sa.",
        "alembic_module_prefix": "op.",
        "user_module_prefix": None,
        "render_item": _render_item,
    }
    context = AutogenContext(MigrationContext.configure(dialect=DIALECT, opts=options), autogenerate=False)
    context.imports = {"import sqlalchemy as sa", "from alembic import op"}
    upgrade = [line for item in differences for line in _lines(context, item.operation, item)]
    downgrade = [line for item in reversed(differences) for line in _lines(context, item.operation.reverse())]
    body = {"upgrade": _body(upgrade), "downgrade": _body(downgrade)}
    return _imports(context.imports, "".join(body.values())), _FUNCTIONS.format(**body)


def _write(path: Path, content: bytes) -> None:
    # Alembic loads no file of another suffix, so that one which is not complete is not a revision.
    partial = path.with_suffix(".partial")
    try:
        partial.write_bytes(content)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def _imports(found: set[str], body: str) -> str:
    used = sorted(line for line in found if line != "import sqlalchemy as sa" or re.search(r"\bsa\.", body))
    plain = [line for line in used if line.startswith("import")]
    return "\n".join([*plain, *(line for line in used if line not in plain)])


def _lines(context: AutogenContext, operation: MigrateOperation, difference: Difference | None = None) -> list[str]:
    lines = [line for text in render_op(context, operation) for line in text.splitlines()]
    if isinstance(operation, CreateTableOp):
        lines = [lines[0], *(f"    {line}" for line in lines[1:-1]), lines[-1], ""]
    if difference is not None and difference.loss is not None:
        lines.insert(0, f"# LOSES DATA: {difference.summary}: {difference.loss}.")
    return lines


def _body(lines: list[str]) -> str:
    while lines and not lines[-1]:
        lines.pop()
    return _indented(lines) if any(not line.startswith("#") for line in lines) else _indented([*lines, "pass"])


def _indented(lines: Sequence[str]) -> str:
    """Indented by four spaces, except within multi-line strings, which must not change."""
    indented: list[str] = []
    in_text = False
    for line in lines:
        indented.append(line if in_text or not line else f"    {line}")
        in_text ^= line.count('"""') % 2 == 1
    return "\n".join(indented)


def _render_item(kind: str, item: Any, context: AutogenContext) -> str | Literal[False]:
    """Enum types and domains have their own operations; a table must not create them a second time."""
    if kind == "type" and isinstance(item, DOMAIN):
        context.imports.add("from sqlalchemy.dialects import postgresql")
        domain: Any = item
        schema = "" if domain.schema is None else f", schema={domain.schema!r}"
        # The base type is not part of any statement: SQLAlchemy only asks for one.
        return f"postgresql.DOMAIN({str(domain.name)!r}, sa.Text(){schema}, create_type=False)"
    if kind == "type" and isinstance(item, ENUM):
        context.imports.add("from sqlalchemy.dialects import postgresql")
        values = ", ".join(repr(str(value)) for value in item.enums)
        named: Any = cast("Any", item).schema
        schema = f", schema={str(named)!r}" if named else ""
        return f"postgresql.ENUM({values}, name={str(item.name)!r}{schema}, create_type=False)"
    if kind == "type" and not type(item).__module__.startswith("sqlalchemy."):
        return _as_sql(item, context)
    return False


def _as_sql(given: Any, context: AutogenContext) -> str:
    """A type of a class that is not SQLAlchemy's, as PostgreSQL is told it: a file that imports the class would fail as
    soon as the class is changed or moved. Of the expressions with SQLAlchemy's own types only a domain can have any
    name."""
    context.imports.add("from sqlalchemy.dialects import postgresql")
    sql = given.compile(dialect=DIALECT)
    if sql in cast("Any", DIALECT).ischema_names:
        sql = sql.upper()  # SQLAlchemy refuses a domain that hides a type of PostgreSQL's
    return f"postgresql.DOMAIN(sa.quoted_name({sql!r}, quote=False), sa.Text(), create_type=False)"
