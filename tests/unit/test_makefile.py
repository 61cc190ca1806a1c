"""What `make` says while it installs, with stubs in place of Python and its installers."""

import os
import shutil
import stat
import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[2]
STUB = """#!/bin/sh
echo "$@" >> calls
[ "$2" != venv ] || { mkdir -p .venv/bin; cp "$0" .venv/bin/python; cp "$0" .venv/bin/uv; }
"""


def test_one_line_is_said_before_packages_are_installed_and_none_afterwards(tmp_path: Path) -> None:
    for name in ("Makefile", "pyproject.toml", "requirements/dev.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    stub = tmp_path / "stub"
    stub.write_text(STUB)
    stub.chmod(stub.stat().st_mode | stat.S_IXUSR)
    command = ["make", "--no-print-directory", f"PYTHON={stub}", ".venv/.ready"]
    environ = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}

    first, second = (
        subprocess.run(command, cwd=tmp_path, env=environ, capture_output=True, text=True, check=True) for _ in range(2)
    )

    assert (
        first.stdout == "Installing the packages of requirements/dev.txt into .venv: a minute or two the first time.\n"
    )
    assert "pip install" in (tmp_path / "calls").read_text()
    assert second.stdout == "make: '.venv/.ready' is up to date.\n"
