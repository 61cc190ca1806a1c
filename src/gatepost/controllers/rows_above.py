"""Rows above: what the path of a nested resource says before it comes to the resource itself."""

from collections.abc import Awaitable, Callable
from typing import Any

from gatepost.call import Call, Handler, Response
from gatepost.dtos.path_keys import key_reader, key_writer
from gatepost.errors import NotFound
from gatepost.models.catalog import ServedModel
from gatepost.models.nesting import Nesting
from gatepost.services.write_policies import not_found, row_above

FindAbove = Callable[[Call], Awaitable[Any]]
"""Finds the row above of a call. Raises `NotFound` where the actor may not read it."""


class RowAbove:
    """The row above those of one resource: `/articles/{article:slug}/comments`. `foreign_key` is the attribute of the
    rows below that refers to it."""

    @classmethod
    def of(cls, served: ServedModel, prefix: str, find: FindAbove) -> "RowAbove | None":
        """That of a resource; None where it stands by itself."""
        nesting, above = served.nesting, served.above
        return None if nesting is None or above is None else cls(nesting, above, prefix, find)

    def __init__(self, nesting: Nesting, above: ServedModel, prefix: str, find: FindAbove) -> None:
        self._find = find
        self.foreign_key = nesting.foreign_key
        self._nesting = nesting
        self._above = above
        self._parse, self._write = key_reader(nesting.entity.key), key_writer(nesting.entity.key)
        self._path = f"{prefix}/{above.path}"

    def handler(self, handle: Handler) -> Handler:
        """The handler whose call knows the row above, and has the other values of the path alone."""

        async def handle_below(call: Call) -> Response:
            text, *others = call.path_values
            try:
                value: Any = self._parse(text)
            except ValueError:
                raise self._about(not_found()) from None
            call.path_values = tuple(others)
            call.below = row_above(self._nesting, self._above, value, call.actor)
            try:
                return await handle(call)
            except NotFound as problem:
                raise await self._located(call, problem) from problem.__cause__

        return handle_below

    async def _located(self, call: Call, problem: NotFound) -> NotFound:
        """The refusal, about the row above where it is that one which was not found. One statement looks for both, so
        which it is is asked where dialects have a name for it."""
        if self._above.row_name is not None and call.below is not None:
            try:
                await self._find(call)
            except NotFound:
                return self._about(problem)
        return problem

    def _about(self, problem: NotFound) -> NotFound:
        problem.about = self._above.row_name
        return problem

    def path_of(self, call: Call, path: str) -> str:
        """The path of a list below the row of the call."""
        return f"{self._path}/{self._write(call.below.value.value)}/{path}"
