"""PostgreSQL's programs for backups: those of the server's own version where they are installed, else the wheel's.

A cluster is recovered by a server of its own major version; `pg_basebackup` may be newer than the server.
"""

import shutil
import subprocess
from contextlib import suppress
from pathlib import Path

from gatepost.embedded.programs import find_programs
from gatepost.errors import ConfigurationError

DEBIAN = Path("/usr/lib/postgresql")


def programs_of(major: int, needed: str = "postgres") -> Path:
    """The folder with the programs of a major version. Raises ConfigurationError where there is none."""
    for folder in _installed():
        if (folder / needed).exists() and _major_of(folder / needed) == major:
            return folder
    raise ConfigurationError(
        f"The programs of PostgreSQL {major} are not installed here.",
        location=needed,
        hint=f"Run `apt install postgresql-{major}`, or on another machine what is needed of it.",
    )


def copying_programs(server_major: int) -> Path:
    """The folder with a `pg_basebackup` that can copy such a server: its own, or the oldest newer one."""
    found: dict[int, Path] = {}
    for folder in _installed():
        if (folder / "pg_basebackup").exists() and (major := _major_of(folder / "pg_basebackup")) >= server_major:
            found.setdefault(major, folder)
    if not found:
        raise ConfigurationError(
            f"There is no pg_basebackup of PostgreSQL {server_major} or newer here.",
            location="pg_basebackup",
            hint=f"Run `apt install postgresql-client-{server_major}`, or `pip install gatepost[embedded]`.",
        )
    return found[min(found)]


def _installed() -> list[Path]:
    """Folders with programs of PostgreSQL: Debian's, the one in PATH, the wheel's."""
    folders = sorted(DEBIAN.glob("*/bin"))
    if (found := shutil.which("pg_basebackup")) is not None:
        folders.append(Path(found).resolve().parent)
    with suppress(ConfigurationError):
        folders.append(find_programs())
    return folders


def _major_of(program: Path) -> int:
    """`pg_basebackup (PostgreSQL) 15.14 (Debian 15.14-1)` is of 15."""
    done = subprocess.run([program, "--version"], capture_output=True, text=True, check=False)  # noqa: S603
    version = done.stdout.partition("(PostgreSQL) ")[2].split(".")[0].strip()
    return int(version) if version.isdigit() else 0
