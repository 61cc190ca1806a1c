"""The page about errors says of each moment what really happens at it."""

import pytest
from failure_moments import MOMENTS, Moment
from fault_injection import FaultInjector
from outcome_table import HEAD, PAGE, in_page, row_of

pytestmark = pytest.mark.asyncio(loop_scope="module")

ROWS = in_page(PAGE.read_text()).removeprefix(HEAD).splitlines(keepends=True)


@pytest.mark.parametrize("number", range(len(MOMENTS)), ids=[each.sentence for each in MOMENTS])
async def test_the_page_says_what_happens(injector: FaultInjector, number: int) -> None:
    each: Moment = MOMENTS[number]

    assert ROWS[number] == await row_of(injector, each)


async def test_the_page_has_a_row_for_each_moment_and_no_other() -> None:
    assert len(ROWS) == len(MOMENTS)
