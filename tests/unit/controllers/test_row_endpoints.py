"""Which endpoints only hand back the row of their path."""

from typing import Any

import pytest

from gatepost.controllers.row_endpoints import _only_returns


class Routes:
    async def plain(self, row: int) -> int:
        """A docstring changes nothing."""
        return row

    async def with_others(self, other: int, row: int, third: int = 1) -> int:
        return row

    async def another(self, other: int, row: int) -> int:
        return other

    async def changed(self, row: int) -> int:
        row += 1
        return row

    async def called(self, row: Any) -> int:
        return row.method()  # type: ignore[no-any-return]

    async def nothing(self, row: int) -> None:
        pass

    async def awaited(self, row: Any) -> int:
        await row
        return row  # type: ignore[no-any-return]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("plain", True),
        ("with_others", True),
        ("another", False),
        ("changed", False),
        ("called", False),
        ("nothing", False),
        ("awaited", False),
    ],
)
def test_only_a_method_that_does_nothing_else_is_not_called(name: str, expected: bool) -> None:
    assert _only_returns(getattr(Routes, name), "row") is expected
