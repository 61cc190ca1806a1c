"""The tables of codes, the page made from them, and what the source raises say the same."""

import ast
import functools
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.unit.error_tables import PAGE, TABLES, in_page

from gatepost import errors
from gatepost.error_codes import CODES
from gatepost.field_codes import FIELD_CODES, PARAMS

SOURCE = Path(__file__).parents[2] / "src" / "gatepost"
UNRAISED = "Nothing raises it at present"


@functools.cache
def nodes() -> dict[Path, list[ast.AST]]:
    """Every node of every module of the source, parsed once."""
    return {path: list(ast.walk(ast.parse(path.read_text()))) for path in SOURCE.rglob("*.py")}


def calls() -> Iterator[tuple[str, ast.Call]]:
    """Every call in the source, with the name of what is called."""
    for found in nodes().values():
        for node in found:
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                yield node.func.id, node


def problems() -> set[tuple[str, str]]:
    """Class and code of every problem that the source makes with a written-out code."""
    names = {name for name, item in vars(errors).items() if isinstance(item, type) and issubclass(item, errors.Problem)}
    return {
        (name, str(call.args[0].value))
        for name, call in calls()
        if name in names and call.args and isinstance(call.args[0], ast.Constant)
    }


def texts() -> set[str]:
    """Every text in the source, without the tables: a field's code may reach its FieldError over a variable."""
    found = (
        node
        for path, inside in nodes().items()
        if path.name not in ("error_codes.py", "field_codes.py", "__init__.py")
        for node in inside
    )
    return {node.value for node in found if isinstance(node, ast.Constant) and isinstance(node.value, str)}


@pytest.mark.parametrize("name", TABLES)
def test_the_page_has_the_table_that_is_made_from_the_source(name: str) -> None:
    hint = "run: python tests/unit/error_tables.py"

    assert in_page(name, PAGE.read_text()) == TABLES[name](), hint


def test_no_cell_of_a_table_is_empty_or_breaks_it() -> None:
    cells = [cell for item in CODES.values() for cell in (item.meaning, item.when, item.advice)]
    cells += [cell for item in FIELD_CODES.values() for cell in (item.meaning, item.advice)]

    assert all(cells)
    assert [cell for cell in cells if "|" in cell or "\n" in cell] == []


def test_every_code_that_the_source_raises_is_listed_and_has_its_class() -> None:
    assert problems() <= {(item.problem.__name__, code) for code, item in CODES.items()}


def test_every_code_of_a_field_that_the_source_names_is_listed() -> None:
    named = {
        str(call.args[1].value)
        for name, call in calls()
        if name == "FieldError" and len(call.args) > 1 and isinstance(call.args[1], ast.Constant)
    }
    named |= {
        str(call.args[0].value)
        for name, call in calls()
        if name == "Violation" and call.args and isinstance(call.args[0], ast.Constant)
    } - {"check", "unique", "foreign_key", "not_null"}

    assert named <= FIELD_CODES.keys()


def test_the_tables_say_which_codes_nothing_raises() -> None:
    said = {code for code, item in CODES.items() if UNRAISED in f"{item.when} {item.advice}"}
    said |= {code for code, item in FIELD_CODES.items() if UNRAISED in item.advice}

    raised = {code for _, code in problems()} | (texts() & FIELD_CODES.keys())

    assert said == (CODES.keys() | FIELD_CODES.keys()) - raised


def test_every_name_in_params_is_explained_and_stands_in_the_order_of_the_alphabet() -> None:
    sets = [names for item in FIELD_CODES.values() for names in item.params]

    assert {name for names in sets for name in names} == PARAMS.keys()
    assert [names for names in sets if tuple(sorted(names)) != names] == []
