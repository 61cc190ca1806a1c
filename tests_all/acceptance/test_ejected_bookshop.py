"""The bookshop with what `gatepost eject` writes in place of what is derived: its tests pass as they are."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.acceptance.conftest import Command

ROOT = Path(__file__).parents[2]
TESTS = "tests/integration/bookshop/test_ordering.py"
BOOK = 'Resource(Book, read=anyone, write=role("editor"),'
EXPANDING = f"{TESTS}::test_a_filtered_page_shows_each_book_with_its_author"
"""Asks for `expand=`, which is not offered beside a DTO."""

IN_PLACE = """
from examples.bookshop.app import Book, Order, app

def test_what_is_ejected_is_in_place():
    declared = app.declaration.own
    assert {check}
"""


@pytest.fixture
def eject(tmp_path: Path, command: Command, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], str]:
    """Writes a part of the copied bookshop into a module beside it; returns the import that the command asks for."""
    ignored = shutil.ignore_patterns("__pycache__", ".*")
    for folder in ("examples", "tests"):
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=ignored)
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    monkeypatch.chdir(tmp_path)

    def write(part: str, name: str) -> str:
        done = command("eject", part, "--app", "examples.bookshop.app:app", "--to", f"examples/bookshop/{name}")
        assert done.returncode == 0, done.stderr
        (line,) = re.findall(r"^    (from .* import .*)$", done.stderr, re.M)
        return str(line)

    return write


def put_in_place(folder: Path, classes: str, *replaced: tuple[str, str]) -> None:
    """Write classes below the models of the copied bookshop, and replace parts of its declaration."""
    program = folder / "examples" / "bookshop" / "app.py"
    text = program.read_text()
    for old, new in (("\napp = App(", f"\n{classes}\n\napp = App("), *replaced):
        assert old in text
        text = text.replace(old, new)
    program.write_text(text)


def run_tests(folder: Path, check: str, *arguments: str) -> None:
    """Run the tests of the copied bookshop, which are those of this repository."""
    added = "tests/integration/bookshop/test_in_place.py"
    (folder / added).write_text(IN_PLACE.format(check=check))
    words = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", TESTS, added, *arguments]
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src"), "PYTEST_DEBUG_TEMPROOT": str(folder)}
    done = subprocess.run(words, cwd=folder, env=environment, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_bookshop_with_ejected_services(eject: Callable[[str, str], str], tmp_path: Path) -> None:
    imports = f"{eject('Book.service', 'books.py')}\n{eject('Order.service', 'orders.py')} as ReadOrders"

    put_in_place(
        tmp_path,
        f"{imports}\n\n\nclass AllOrders(Orders, ReadOrders):\n    pass\n",
        (BOOK, f"{BOOK} service=Books,"),
        ("service=Orders)", "service=AllOrders)"),
    )

    run_tests(tmp_path, "{Book, Order} == declared.services.keys()")


def test_a_bookshop_with_ejected_dtos(eject: Callable[[str, str], str], tmp_path: Path) -> None:
    named = "answers=BookAnswer, lists=BookAnswer, creates=BookBody, updates=BookBody,"

    put_in_place(tmp_path, eject("Book.dto", "book_dtos.py"), (BOOK, f"{BOOK} {named}"))

    run_tests(tmp_path, "declared.catalog.by_model[Book].answers", "--deselect", EXPANDING)
