"""Own endpoints that only read the row of their path and return it: `async def article(self, article: Article): return
article`. Nothing of what the method does can be seen from outside, so it is not called: the row is read and shown by
one statement, outside of a transaction, as the derived endpoint does it."""

import inspect
from collections.abc import Awaitable, Callable
from typing import Any

from gatepost.call import Call, Response
from gatepost.controllers.bound_endpoints import BoundEndpoint
from gatepost.controllers.endpoint_responses import EndpointResponses
from gatepost.controllers.path_rows import PathRow
from gatepost.services.verbs import Row

ReadRow = Callable[[Call, Any], Awaitable[Row]]
"""Reads the row that a value of the path names. Raises `NotFound`."""


def handed_back(bound: BoundEndpoint) -> PathRow | None:
    """The row that an endpoint reads and returns, and nothing else; None for any other endpoint."""
    route, returned = bound.method.route, bound.returned.served
    is_alone = not (bound.body or any(bound.injected) or any(bound.attributes)) and len(bound.rows) == 1
    if route.method != "GET" or not is_alone or bound.rows[0].is_locking or bound.rows[0].served is not returned:
        return None
    return bound.rows[0] if _only_returns(bound.method.function, bound.rows[0].name) else None


class RowEndpoint:
    """Handles the requests of one endpoint that hands back the row of its path."""

    def __init__(self, bound: BoundEndpoint, row: PathRow, read: ReadRow, responses: EndpointResponses) -> None:
        self._simple = [each for _, each in bound.simple]
        self._query = bound.query
        self._value = row.read
        self._read = read
        self._view = row.served.view
        self._about = row.about
        self._responses = responses

    async def handle(self, call: Call) -> Response:
        """The response to one request."""
        for read in self._simple:
            read(call)
        self._query.read(call)
        with self._about:
            value = self._value(call)
            call.view = self._view(call.actor)
            row = await self._read(call, value)
        return self._responses.cached(self._responses.row(call, row))


def _only_returns(function: Any, name: str) -> bool:
    """Whether a method does nothing but return this parameter: it has the code of one that does."""
    code = inspect.unwrap(function).__code__
    if function is not inspect.unwrap(function) or code.co_freevars or code.co_kwonlyargcount:
        return False
    names = ", ".join(code.co_varnames[: code.co_argcount])
    made: dict[str, Any] = {}
    exec(f"async def same({names}): return {name}", made)  # noqa: S102 - names of parameters
    return bool(code.co_code == made["same"].__code__.co_code)
