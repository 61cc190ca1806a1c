"""Rows above: what the path of a nested resource says before it comes to the resource itself."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from gatepost.call import Call, Handler, Response
from gatepost.dtos.path_keys import key_reader, key_writer
from gatepost.errors import NotFound
from gatepost.models.served_model import ServedModel
from gatepost.services.write_policies import RowAbove, not_found, row_above, rows_up_to

FindAbove = Callable[[RowAbove], Awaitable[Any]]
"""Finds a row above. Raises `NotFound` where the actor may not read it."""

GetAbove = Callable[[Call, RowAbove], Awaitable[Any]]
"""Finds a row above through a service that overrides `get`. Raises `NotFound`."""


class ListPaths:
    """The paths of the lists of one resource: one for each row above, where it is below one."""

    def __init__(self, served: ServedModel, prefix: str) -> None:
        self._path = f"{prefix}/{served.path}"
        self._prefix = prefix
        self._last = served.path
        self._levels = [(above.path, key_writer(nesting.entity.key)) for nesting, above in served.rows_above]

    def of(self, call: Call) -> str:
        """The path of the list that a call is about."""
        if not self._levels:
            return self._path
        levels = zip(self._levels, rows_up_to(call.below), strict=True)
        above = [f"{path}/{write(row.value.value)}" for (path, write), row in levels]
        return "/".join((self._prefix, *above, self._last))


class RowsAbove:
    """The rows above those of one resource, outermost first: `/articles/{article:slug}/comments`. `foreign_key` is the
    attribute of the rows below that refers to the last of them."""

    @classmethod
    def of(
        cls, served: ServedModel, find: FindAbove, services: Mapping[type[Any], GetAbove] = {}
    ) -> "RowsAbove | None":
        """Those of a resource; None where it stands by itself. `services` are asked for rows of these models."""
        return cls(served, find, services) if served.rows_above else None

    def __init__(self, served: ServedModel, find: FindAbove, services: Mapping[type[Any], GetAbove]) -> None:
        self._find = find
        self._levels = [(nesting, above, key_reader(nesting.entity.key)) for nesting, above in served.rows_above]
        self.foreign_key = self._levels[-1][0].foreign_key
        self._services = [services.get(nesting.model) for nesting, _, _ in self._levels]
        self._asks_services = any(self._services)
        self._has_names = any(above.row_name is not None for _, above, _ in self._levels)

    def handler(self, handle: Handler) -> Handler:
        """The handler whose call knows the row above, and has the other values of the path alone."""
        count = len(self._levels)

        async def handle_below(call: Call) -> Response:
            texts, call.path_values = call.path_values[:count], call.path_values[count:]
            found: RowAbove | None = None
            for text, (nesting, above, parse) in zip(texts, self._levels, strict=True):
                try:
                    value: Any = parse(text)
                except ValueError:
                    raise _about(not_found(), above) from None
                found = row_above(nesting, above, value, call.actor, found)
            call.below = found
            if self._asks_services:
                await self._ask_services(call)
            try:
                return await handle(call)
            except NotFound as problem:
                raise await self._located(call, problem) from problem.__cause__

        return handle_below

    async def _ask_services(self, call: Call) -> None:
        for (_, above, _), below, get in zip(self._levels, rows_up_to(call.below), self._services, strict=True):
            if get is not None:
                try:
                    await get(call, below)
                except NotFound as problem:
                    raise _about(problem, above) from problem.__cause__

    async def _located(self, call: Call, problem: NotFound) -> NotFound:
        """The refusal, about the row above that was not found, if it is one of those. One statement looks for all, so
        which it is is asked where dialects have a name for it."""
        if self._has_names and call.below is not None:  # a creation has passed it by then
            for (_, above, _), below in zip(self._levels, rows_up_to(call.below), strict=True):
                try:
                    await self._find(below)
                except NotFound:
                    return _about(problem, above)
        return problem


def _about(problem: NotFound, above: ServedModel) -> NotFound:
    problem.about = above.row_name
    return problem
