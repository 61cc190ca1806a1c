"""The tests of the HTTP contract and of policies, all of them once more on Debian's PostgreSQL."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.alone

ROOT = Path(__file__).parents[1]
FOLDERS = [f"tests/integration/{name}" for name in ("contract", "policies")]
SECONDS_MAX = 900


def test_what_holds_on_the_embedded_postgresql_holds_on_debians() -> None:
    processes = str(2 * (os.cpu_count() or 2))
    parallel = ["--numprocesses", processes, "--dist", "loadfile"]
    command = [sys.executable, "-m", "pytest", "--debian", "-p", "no:cacheprovider", *parallel, *FOLDERS]

    done = subprocess.run(
        command,
        cwd=ROOT,
        env={name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")},
        capture_output=True,
        text=True,
        timeout=SECONDS_MAX,
        check=False,
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert "skipped" not in done.stdout.splitlines()[-1]
