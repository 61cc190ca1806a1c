"""Type checkers, strict, accept programs on the public interface, and find each of the mistakes in `interface/`."""

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

PROGRAM = Path(__file__).parent / "interface" / "mistakes.py"
MARKED = re.compile(r"  # E$")

Lines = dict[int, str]
"""What is wrong of a line, in the words of a type checker."""


def lines_of_mypy(folder: Path) -> Lines:
    """The lines of the program in which mypy finds errors."""
    (folder / "mypy.ini").write_text("[mypy]\nstrict = true\npython_version = 3.11\n")
    done = checked("mypy", "--output=json", PROGRAM.name, folder=folder)
    found = [json.loads(line) for line in done.splitlines()]
    assert {each["file"] for each in found} == {PROGRAM.name}, done
    return {each["line"]: each["message"] for each in found if each["severity"] == "error"}


def lines_of_pyright(folder: Path) -> Lines:
    """The lines of the program in which pyright finds errors."""
    config = {"typeCheckingMode": "strict", "pythonVersion": "3.11"}
    (folder / "pyrightconfig.json").write_text(json.dumps(config))
    done = checked("pyright", f"--pythonpath={sys.executable}", "--outputjson", folder=folder)
    report = json.loads(done)
    assert report["summary"]["filesAnalyzed"] == 1, done
    found = [each for each in report["generalDiagnostics"] if each["severity"] == "error"]
    return {each["range"]["start"]["line"] + 1: each["message"] for each in found}


def checked(*command: str, folder: Path) -> str:
    """What a type checker prints in a folder of its own, which has no settings but those of the test."""
    done = subprocess.run(
        [sys.executable, "-m", *command], cwd=folder, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 1, done.stdout + done.stderr
    return done.stdout


@pytest.mark.parametrize("lines_of", [lines_of_mypy, lines_of_pyright])
def test_a_type_checker_finds_each_mistake_and_nothing_else(lines_of: Callable[[Path], Lines], tmp_path: Path) -> None:
    shutil.copy(PROGRAM, tmp_path)
    marked = {number for number, line in enumerate(PROGRAM.read_text().splitlines(), 1) if MARKED.search(line)}

    found = lines_of(tmp_path)

    assert len(marked) > 15
    assert {number: words for number, words in found.items() if number not in marked} == {}
    assert sorted(marked - found.keys()) == []
