"""What the shapes of attributes say, and that nothing else reads what they are made from."""

import ast
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import all_types_app
import pytest
import sqlalchemy as sa
from annotated_types import Ge, Interval, Len, MaxLen, MultipleOf, Not, Predicate, doc
from examples.bookshop.app import app as bookshop
from sqlalchemy.dialects import postgresql as pg
from sqlalchemy.types import TypeEngine

import gatepost
from gatepost.mistakes import Mistakes
from gatepost.models.catalog import Catalog
from gatepost.models.check_constraints import checks_of
from gatepost.models.constraints import Constraint
from gatepost.models.entity import Attribute
from gatepost.models.shape import Form, shape_of

SOURCE = Path(gatepost.__file__).parent
PRINTED = Path(__file__).with_name("shapes.txt")

OTHER_READERS = {
    "accounts/credentials.py": "declares constraints",
    "accounts/models.py": "declares constraints",
    "database/compiler.py": "the types by which compared numbers are bound",
    "database/arrays.py": "the types by which the driver sends arrays",
    "migrations/enums.py": "types that a database has",
    "migrations/losses.py": "types that a database has",
    "migrations/revisions.py": "types that a database has",
    "migrations/safe_changes.py": "types that a database has",
    "models/bind_types.py": "the types by which compared values are bound",
    "models/candidates.py": "the types of casts",
    "models/column_types.py": "types that a database has",
    "models/cast_guards.py": "the types of expressions",
    "models/computed_fields.py": "the types of expressions",
    "models/expressions.py": "the types of expressions",
    "models/first_rows.py": "the types of expressions",
    "models/owner_checks.py": "the types of expressions",
    "models/extensions.py": "what a database needs for a type",
    "models/policy_warnings.py": "the types of expressions",
    "models/type_traits.py": "how values are compared and indexed, and the extensions of types",
}
"""Modules that read types or constraints for another reason than the form of a value, with the reason."""


def printed(catalog: Catalog) -> str:
    """One line per attribute: its name, and its shape."""
    return "".join(
        f"{served.entity.name}.{attribute.name}: {attribute.shape}\n"
        for served in catalog.served
        for attribute in served.entity.attributes.values()
    )


def test_the_shapes_of_two_apps_are_as_committed() -> None:
    assert printed(bookshop.declaration.catalog) + printed(all_types_app.app.declaration.catalog) == PRINTED.read_text()


def test_integers_of_64_bits_are_text_where_the_app_says_so() -> None:
    resources = [served.resource for served in all_types_app.app.declaration.catalog.served]
    changed = {
        line.partition(":")[0]
        for line in set(printed(Catalog(resources, Mistakes(), bigint_as_string=True)).splitlines())
        - set(printed(Catalog(resources, Mistakes())).splitlines())
    }
    assert changed == {"Work.id", "Sample.large", "Loan.work_id"}


def _even(value: int) -> bool:
    return value % 2 == 0


@pytest.mark.parametrize(
    ("kind", "constraints", "elements", "expected"),
    [
        (sa.SmallInteger(), [Interval(ge=1, lt=9), Ge(5)], [], "integer ge=5 lt=9 le=32767"),
        (sa.Integer(), [MultipleOf(3), Predicate(_even), Not(_even), doc("x"), "mine"], [],
         "integer multiple_of=3 predicate=even predicate=not even ge=-2147483648 le=2147483647"),
        (sa.String(9), [Len(1, 20)], [], "string text min_length=1 max_length=9"),
        (sa.ARRAY(sa.Text()), [MaxLen(3)], [Len(1, 9)],
         "array max_length=3 of (string text min_length=1 max_length=9)"),
        (sa.Numeric(10, 2), [], [], "string decimal digits=8.2"),
        (sa.Numeric(10, 2, asdecimal=False), [], [], "number decimal digits=8.2"),
        (pg.TIMESTAMP(timezone=True, precision=0), [], [], "string date-time second_digits=0"),
        (pg.INET(), [], [], "any other"),
    ],
)  # fmt: skip
def test_a_shape_is_printed(kind: Any, constraints: list[Any], elements: list[Any], expected: str) -> None:
    assert str(shape_of(kind, constraints, elements)) == expected


def test_shapes_of_one_declaration_are_equal_and_hashable() -> None:
    kinds = [sa.Enum("a", "b", name="letters"), sa.ARRAY(sa.Numeric(6, 2)), pg.JSONB(), pg.INET()]
    assert {shape_of(kind, [Len(1, 2)], [Ge(0)]) for kind in kinds * 2} == {
        shape_of(kind, [Len(1, 2)], [Ge(0)]) for kind in kinds
    }
    assert len({shape_of(kind) for kind in kinds}) == len(kinds)


def test_what_does_not_fit_a_type_is_kept_apart() -> None:
    shape = shape_of(sa.Integer(), [Len(1, 2), Ge("a"), Ge(0)])
    assert shape.constraints == (Constraint("ge", 0),)
    assert [type(item).__name__ for item in shape.misfits] == ["MinLen", "MaxLen", "Ge"]
    assert shape.unconstrained == shape_of(sa.Integer())


@pytest.mark.parametrize("kind", [sa.Interval(), pg.INTERVAL()])
def test_both_types_of_intervals_are_one_form_with_one_check(kind: Any) -> None:
    shape = shape_of(kind, [Ge(timedelta(0))])
    attribute = Attribute("x", sa.Column("x", kind), shape, False, False, False, None)
    assert shape.form is Form.INTERVAL
    assert [rule.condition for rule in checks_of(attribute)] == ["x >= '0 microseconds'::interval"]


def _classes(test: ast.expr) -> Iterator[ast.expr]:
    """The classes of the second argument of `isinstance`."""
    if isinstance(test, ast.Tuple):
        for item in test.elts:
            yield from _classes(item)
    elif isinstance(test, ast.BinOp):
        yield from _classes(test.left)
        yield from _classes(test.right)
    else:
        yield test


def _imported(tree: ast.Module) -> dict[str, Any]:
    """What a module imports from SQLAlchemy, by name."""
    return {
        item.asname or item.name: getattr(sys.modules[node.module], item.name, None)
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("sqlalchemy")
        for item in node.names
    } | {"sa": sa}


def _is_column_type(node: ast.expr, imported: dict[str, Any]) -> bool:
    if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
        found = getattr(imported.get(node.value.id), node.attr, None)
    else:
        found = imported.get(node.id) if isinstance(node, ast.Name) else None
    return isinstance(found, type) and issubclass(found, TypeEngine)


def _reads_types_or_constraints(node: ast.AST, imported: dict[str, Any]) -> bool:
    if isinstance(node, ast.ImportFrom):
        return node.module == "annotated_types"
    if isinstance(node, ast.Import):
        return any(item.name == "annotated_types" for item in node.names)
    if isinstance(node, ast.MatchClass):
        return _is_column_type(node.cls, imported)
    is_check = isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "isinstance"
    return is_check and any(_is_column_type(item, imported) for item in _classes(node.args[1]))


def test_constraints_and_column_types_are_read_in_one_place_each() -> None:
    readers: set[str] = set()
    for path in SOURCE.rglob("*.py"):
        tree = ast.parse(path.read_text())
        imported = _imported(tree)
        if any(_reads_types_or_constraints(node, imported) for node in ast.walk(tree)):
            readers.add(str(path.relative_to(SOURCE)))
    assert readers == {"models/constraints.py", "models/shape.py", *OTHER_READERS}
