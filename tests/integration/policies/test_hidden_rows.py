"""The law: two contents of a database that differ only in what an actor may not see give him the same bytes."""

from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
import pytest_asyncio
from hidden_rows_app import FEW, LISTS, app, ask, current, empty, fill
from sqlalchemy import Date, Integer, MetaData, and_, cast, func, not_, or_

from gatepost.events import PolicyMayFail
from gatepost.testing import TestApp

pytestmark = pytest.mark.asyncio(loop_scope="module")


def level(row: Any) -> Any:
    return row.meta["level"].as_integer()


def day(row: Any) -> Any:
    return cast(row.meta["day"].as_string(), Date)


CONDITIONS: dict[str, Callable[[Any], Any]] = {
    "an integer of a document": lambda row: level(row) < 5,
    "a member cast by hand": lambda row: cast(row.meta["level"], Integer) < 5,
    "is true": lambda row: row.meta["open"].as_boolean().is_(True),
    "a text": lambda row: cast(row.code, Integer) < 5,
    "a day": lambda row: day(row) < func.current_date(),
    "an element of a list": lambda row: cast(row.tags[1], Integer) < 5,
    "a fallback": lambda row: func.coalesce(level(row), 0) < 5,
    "one of two": lambda row: or_(level(row) < 5, cast(row.code, Integer) >= 5),
    "the opposite within": lambda row: not_(and_(level(row) < 5, row.meta["open"].as_boolean().is_(True))),
}

THROUGHOUT = ("an integer of a document", "the opposite within")
"""Conditions under which everything is asked."""

Responses = dict[str, dict[str, Any]]

warned: list[PolicyMayFail] = []
app.events.subscribe(PolicyMayFail, warned.append)


@pytest.fixture(scope="module")
def database_metadata() -> MetaData:
    """Databases here have the tables of the hidden rows."""
    return app.metadata


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def both(module_database_url: str) -> AsyncIterator[tuple[Responses, Responses]]:
    """The responses under each condition: without hidden rows, and with them."""
    found: list[Responses] = []
    async with TestApp(app, module_database_url) as running:
        for with_hidden in (False, True):
            await empty()
            await fill(with_hidden=with_hidden)
            responses: Responses = {}
            for name, condition in CONDITIONS.items():
                current[0] = condition
                responses[name] = await ask(running.anonymous, LISTS if name in THROUGHOUT else FEW)
            found.append(responses)
    yield found[0], found[1]


@pytest.mark.parametrize("name", CONDITIONS)
async def test_a_hidden_row_changes_no_byte_of_a_response(both: tuple[Responses, Responses], name: str) -> None:
    without, with_hidden = (responses[name] for responses in both)
    assert without.keys() == with_hidden.keys()
    for path, response in without.items():
        assert response[0] < 500, path
        for expected, given in zip(response, with_hidden[path], strict=True):
            assert given == expected, path


async def test_the_start_warns_of_a_policy_that_can_raise_on_a_row(module_database_url: str) -> None:
    warned.clear()
    current[0] = lambda row: 10 / row.rank > 2
    async with TestApp(app, module_database_url):
        pass
    assert {(warning.policy, warning.reason) for warning in warned} == {
        ("chosen (Paper.list)", "a division by zero raises"),
        ("chosen (Opposite.list)", "a division by zero raises"),
        ("chosen (Either.list)", "a division by zero raises"),
        ("chosen (Excerpt.code)", "a division by zero raises"),
    }
