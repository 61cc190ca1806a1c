"""What the result of an own endpoint becomes: rows are read again as the actor may see them, everything else is written
as it is."""

from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from typing import Any, Protocol, cast

from gatepost.call import JSON_HEADERS, SAFE, Call, Response, location_field
from gatepost.controllers.bound_endpoints import EndpointMethod
from gatepost.controllers.endpoint_lists import EndpointList
from gatepost.controllers.endpoint_results import Returned
from gatepost.controllers.envelopes import Envelope
from gatepost.controllers.plain_values import value_encoder
from gatepost.controllers.query_strings import RawQuery
from gatepost.controllers.responses import empty_response, row_response, unless_unchanged
from gatepost.controllers.rows_above import ListPaths
from gatepost.declaring.dto import Created
from gatepost.declaring.wire_names import WireName
from gatepost.dtos.path_keys import key_writer
from gatepost.errors import NotFound
from gatepost.models.actor_columns import ActorColumns
from gatepost.models.nesting import Nesting
from gatepost.models.served_model import ServedModel
from gatepost.services.answers import RowAnswers, is_select, select_plainly
from gatepost.services.unit_of_work import UnitOfWork
from gatepost.services.verbs import Row

WriteLocation = Callable[[Call, Any], str]
"""The path of a row by what it has as its key."""


class ResultResponses(Protocol):
    """What a handler makes responses of results with."""

    async def respond(self, call: Call, unit: UnitOfWork, result: Any, query: RawQuery | None) -> Response:
        """The response that a result means."""
        ...

    async def page(self, call: Call, unit: UnitOfWork | None, selected: Any, raw: RawQuery) -> Response:
        """The rows of a `Select`."""
        ...

    def plain(self, result: Any) -> Response:
        """The response that a result means which shows no rows."""
        ...

    def cached(self, response: Response) -> Response:
        """A response with what its endpoint declares of caching."""
        ...


class EndpointResponses:
    """Renders the results of one endpoint. `shown` renders the rows that it returns, None where it returns none.
    `actor_columns` are those that a Select may name."""

    def __init__(  # noqa: PLR0913 - what a response is made of
        self,
        method: EndpointMethod,
        returned: Returned,
        shown: RowAnswers | None,
        envelope: Envelope,
        wire_name: WireName,
        *,
        listed: EndpointList | None = None,
        write_location: WriteLocation | None = None,
        actor_columns: ActorColumns | None = None,
    ) -> None:
        route = method.route
        self._actor_columns = actor_columns
        self._location = method.location
        self._is_safe = route.method in SAFE
        self.status = route.status
        self._may_be_missing = self._is_safe and not returned.is_nothing
        self._caching = None if route.cache_control is None else route.cache_control.encode()
        self._shown = shown
        self._envelope = envelope
        self._opening = envelope.opening.encode()
        self._encode = value_encoder(wire_name)
        self._list = listed
        self._write_location = write_location

    async def respond(self, call: Call, unit: UnitOfWork, result: Any, query: RawQuery | None) -> Response:
        """The response that a result means. `query` is the query string of a list."""
        shown = self._shown
        if query is not None and is_select(result):
            return await self.page(call, unit, result, query)
        if shown is None and is_select(result):
            with self._located():
                result = await select_plainly(call, unit, result, self._actor_columns)
        if shown is None or result is None or isinstance(result, Response):
            return self.plain(result)
        if isinstance(result, Created):
            return await self._created(call, unit, cast("Any", result), shown)
        return await self._rows(call, unit, result, shown)

    def plain(self, result: Any) -> Response:
        """The response that a result means which shows no rows."""
        if result is None:
            return self._nothing()
        if isinstance(result, Response):
            return result
        try:
            encoded = self._encode(result)
        except (TypeError, ValueError, RecursionError) as error:
            raise TypeError(f"{self._location} returned what JSON cannot hold: {error}") from error
        return Response(self.status or 200, b"%b%b}" % (self._opening, encoded), JSON_HEADERS)

    def row(self, call: Call, row: Row) -> Response:
        """The response that shows one row, or says that it is unchanged."""
        unless = call.headers.get(b"if-none-match") if self._is_safe else None
        return unless_unchanged(unless, self.status or 200, row.data, row.tag, self._envelope.opening)

    def cached(self, response: Response) -> Response:
        """A response that may be stored as its endpoint declares, unless it is no success or says so itself. One that
        says that a row is unchanged repeats what was said of it (RFC 9110, section 15.4.5)."""
        may_be_stored = 200 <= response.status < 300 or response.status == 304
        if self._caching is not None and may_be_stored and response.cache_control is None:
            return Response(response.status, response.body, response.headers, self._caching)
        return response

    async def page(self, call: Call, unit: UnitOfWork | None, selected: Any, raw: RawQuery) -> Response:
        """The rows of a `Select`, as the query string wants them; without a unit of work, outside of a transaction."""
        shown, listed = cast("RowAnswers", self._shown), cast("EndpointList", self._list)
        call.view = shown.served.view(call.actor)
        with self._located():
            chosen = shown.choose(call, selected)
            query = listed.query(call, raw, chosen.order)
            page = await shown.show_selected(call, unit, chosen.rows, query)
        return listed.respond(call, query, page, chosen.limit)

    @contextmanager
    def _located(self) -> Generator[None]:
        """Name the method in what is wrong with its result."""
        try:
            yield
        except TypeError as error:
            raise TypeError(f"{self._location}: {error}") from error

    async def _rows(self, call: Call, unit: UnitOfWork, result: Any, shown: RowAnswers) -> Response:
        """One row or several, as far as the actor may read them."""
        if isinstance(result, Sequence):
            rows = [self._checked(row, shown.served) for row in cast("Any", result)]
            page = await shown.show_all(call, unit, rows)
            return Response(self.status or 200, b"%b%b]}" % (self._envelope.list_opening, page.rows.encode()))
        row = await shown.show(call, unit, self._checked(result, shown.served))
        return self._nothing() if row is None else self.row(call, row)

    async def _created(self, call: Call, unit: UnitOfWork, result: "Created[Any]", shown: RowAnswers) -> Response:
        row: Row | None = await shown.show(call, unit, self._checked(result.row, shown.served))
        location = result.location
        if location is None and self._write_location is not None:
            address = await shown.address(call, unit, result.row)
            location = None if address is None else self._write_location(call, address)
        headers = () if location is None else (location_field(location),)
        status = self.status or 201
        if row is None:
            return empty_response(status, *headers)
        return row_response(status, row.data, row.tag, *headers, opening=self._envelope.opening)

    def _nothing(self) -> Response:
        """Nothing to show: where a read shows something, there is nothing here; otherwise there is no more to say."""
        if self._may_be_missing:
            raise NotFound("not_found", "There is nothing here that you may see.")
        return empty_response(self.status or 204)

    def _checked(self, row: Any, served: ServedModel) -> Any:
        if not isinstance(row, served.entity.model):
            raise TypeError(f"{self._location} returned {type(row).__name__}, not {served.entity.name}.")
        return row


def location_writer(served: ServedModel | None, prefix: str, nesting: Nesting | None) -> WriteLocation | None:
    """What writes the path of a row; None where the resource has no path for one, or has it below another row, which
    only the endpoints of its own controller know."""
    if served is None or not (served.has_routes and served.offers("get")):
        return None
    if served.nesting is not nesting and served.nesting is not None:
        return None
    write, paths = key_writer(served.addressed.entity.key), ListPaths(served, prefix)
    return lambda call, key: f"{paths.of(call)}/{write(key)}"
