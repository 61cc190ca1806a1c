"""What a `Select[...]` in the source of an endpoint selects: however its signature is written."""

from functools import wraps
from typing import Annotated, Any

import pytest
from sqlalchemy import Select

from gatepost import ConfigurationError
from gatepost.controllers.select_annotations import selected_of


class Kept:
    """Stands for a model."""


def decorated(*arguments: object, **named: object) -> Any:
    """A decorator that wraps, with arguments of any form."""

    def decorate(function: Any) -> Any:
        @wraps(function)
        async def wrapped(*given: Any) -> Any:
            return await function(*given)

        return wrapped

    return decorate


class Endpoints:
    async def plain(self) -> Select[Kept]:
        raise NotImplementedError

    async def on_lines(
        self,
        words: dict[str, list[int]] | None = {"a": [1]},  # noqa: B006 - a colon and brackets in a default
    ) -> (
        Select[Kept]  # the rows
        | None
    ):
        raise NotImplementedError

    @decorated({"a": 1}, key=lambda each: each)
    async def below_a_decorator(self) -> Annotated[Select[Kept], "-> Select[int]:"]:
        raise NotImplementedError

    async def of_columns(self) -> Select[tuple[str, int]]:
        async def inner() -> Select[int]:
            raise NotImplementedError

        return await inner()

    async def as_text(self) -> "Select[Kept]":
        raise NotImplementedError

    async def of_two(self) -> Select[Kept] | Select[int]:
        raise NotImplementedError


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        (Endpoints.plain, [Kept]),
        (Endpoints.on_lines, [Kept]),
        (Endpoints.below_a_decorator, [Kept]),
        (Endpoints.of_columns, [tuple[str, int]]),
        (Endpoints.as_text, [Kept]),
        (Endpoints.of_two, [Kept, int]),
    ],
)
def test_it_is_read_from_the_signature(function: Any, expected: list[Any]) -> None:
    assert selected_of(function, "Endpoints") == expected


def test_a_function_without_source_is_refused() -> None:
    made: dict[str, Any] = {"Select": Select}
    exec("async def endpoint() -> Select[int]: ...", made)  # noqa: S102 - our own text
    with pytest.raises(ConfigurationError, match="what it selects cannot be read"):
        selected_of(made["endpoint"], "Endpoints.endpoint")
