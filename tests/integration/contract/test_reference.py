"""Random queries find exactly what a naive reference finds that filters and sorts the same rows in Python."""

from collections.abc import Sequence
from typing import Any

import pytest
import pytest_asyncio
from all_types_app import SORTED
from contract_clients import random_requests
from contract_rows import VALUES, write_samples
from hypothesis import given
from hypothesis import strategies as st
from pagination import there_and_back
from reference_queries import OPERANDS, Row, Term, operators_of, selected

from gatepost.testing import TestApp

pytestmark = pytest.mark.asyncio(loop_scope="module")

PIECES = {
    "contains": ("land", "sea", "ack\\sla", "100%", "ÖDL", "Ödl", "xxx", "b_sea"),
    "icontains": ("LAND", "Sea", "ACK\\sla", "100%", "öDL", "xxx", ', "Lan'),
    "starts_with": ("a", "a_", "a%", "x", "s", "ö", "Ö", "100%", "back\\", "land", "sea"),
    "istarts_with": ("A", "a_", "X", "S", "ö", "Ö", "100%", "Back\\", "SEA", '"s'),
}


class Rows(list[Row]):
    """Rows that do not fill the screen when an example fails."""

    def __repr__(self) -> str:
        return f"<{len(self)} rows>"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def rows(running: TestApp) -> Sequence[Row]:
    """The rows of the database, as Python sees them."""
    return Rows(await write_samples())


@st.composite
def terms(draw: st.DrawFn) -> Term:
    """A filter of any column by any operator, with a value that may occur."""
    name = draw(st.sampled_from(SORTED))
    operator = draw(st.sampled_from(operators_of(name)))
    if OPERANDS[operator] == "flag":
        return Term(name, operator, draw(st.booleans()))
    if operator in PIECES:
        return Term(name, operator, draw(st.sampled_from(PIECES[operator])))
    value: st.SearchStrategy[Any] = st.sampled_from([item for item in VALUES[name] if item is not None])
    return Term(
        name, operator, draw(st.lists(value, min_size=1, max_size=3) if OPERANDS[operator] == "list" else value)
    )


@st.composite
def sorts(draw: st.DrawFn) -> list[str]:
    """An order of up to three columns, rising and falling mixed."""
    names = draw(st.lists(st.sampled_from([*SORTED, "id"]), max_size=3, unique=True))
    names = names[: names.index("id") + 1] if "id" in names else names
    return [draw(st.sampled_from(("", "-"))) + name for name in names]


@random_requests(0.4)
@given(
    filters=st.lists(terms(), max_size=3),
    sort=sorts(),
    limit=st.integers(1, 12),
    fields=st.sampled_from(("", "fields=id", "fields=id,span,genre")),
)
async def test_random_queries_and_the_naive_reference_agree(
    running: TestApp, rows: Sequence[Row], filters: list[Term], sort: list[str], limit: int, fields: str
) -> None:
    parameters = [term.parameter for term in filters] + [f"limit={limit}"]
    parameters += [f"sort={','.join(sort)}"] if sort else []
    parameters += [fields] if fields else []
    found = await there_and_back(running.anonymous, f"/api/samples?{'&'.join(parameters)}")
    assert found == selected(rows, filters, sort), parameters
