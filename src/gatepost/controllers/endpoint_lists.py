"""Lists of own endpoints: a `Select` of a served model, with the paging of derived lists compiled around it."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

import msgspec

from gatepost.bounded_cache import BoundedCache
from gatepost.call import Call, Response
from gatepost.controllers.endpoint_parameters import QueryParameters
from gatepost.controllers.envelopes import Envelope
from gatepost.controllers.own_paging import own_paging, unlimited
from gatepost.controllers.page_responses import PageResponses
from gatepost.controllers.queries import QueryReader
from gatepost.controllers.query_strings import RawQuery, invalid_parameter, parameters_of, raw_query
from gatepost.dtos.violations import Violation
from gatepost.errors import BadRequest
from gatepost.hints import parameter_hint
from gatepost.models.list_query import ListQuery, Order
from gatepost.models.select_shapes import ROW_COUNT_MAX, NumberOutOfRange, RowCountOutOfRange
from gatepost.services.verbs import RowPage
from gatepost.view import View

WHOLE_MAX = 1_000
"""The most rows of a list that is not paged and has no limit of its own."""

FIRST_PAGES_MAX = 256
"""What is wanted where a query string says nothing of the list, kept for each order and view."""

NO_QUERY = raw_query((), frozenset())

_POSITIONS = ("limit", "after", "before", "offset", "count")


class EndpointList:
    """The list that one endpoint returns. `own` are the endpoint's parameters; where one of them is named as one of
    paging, the endpoint pages itself. With `filters` clients may filter and sort it. `names` are those of the
    parameters that it has besides, `paging` what they mean, `envelope` what stands around its rows."""

    def __init__(
        self, reader: QueryReader, own: QueryParameters, envelope: Envelope, *, pages: bool, filters: bool
    ) -> None:
        self._reader = reader
        self._own = own
        self.filters = filters
        self._pages_itself_by = own_paging(own, pages=pages)
        self._is_paged = pages and self._pages_itself_by is None
        self.paging = reader.paging
        self.envelope = envelope if self._is_paged else envelope.of_whole
        self._pages = PageResponses(_path_of, reader.seal, reader.paging, self.envelope)
        absent = {*own.names, *(() if self._is_paged else _POSITIONS)}
        if not filters or self._pages_itself_by is not None:
            absent.add("sort")
        self.names = [name for name in reader.paging.names if name not in absent]
        self._first_pages = BoundedCache[tuple[tuple[Order, ...] | None, View], ListQuery](FIRST_PAGES_MAX)

    def parse(self, call: Call) -> tuple[dict[str, Any], RawQuery]:
        """The values of the endpoint's own parameters, and what the others say of the list. Raises `BadRequest`."""
        own, others = self._own.divided(parameters_of(call.query_string))
        if not others:
            return self._own.values(own), NO_QUERY
        raw = raw_query(others, self._reader.paging.reserved - set(self._own.names))
        known = [*self._own.names, *self.names]
        for parameter in others:
            is_filter = parameter in raw.filters
            if not (self.filters if is_filter else parameter.label in self.names):
                hint = parameter_hint(parameter.label, known)
                raise BadRequest("unknown_parameter", f"There is no parameter {parameter.label!r} here.{hint}")
        return self._own.values(own), raw

    def query(self, call: Call, raw: RawQuery, order: tuple[Order, ...] | None) -> ListQuery:
        """What is wanted of the rows. `order` is None where the Select has a limit, and so an order, of its own: then
        it is one page. Raises `BadRequest`, and `TypeError` where an endpoint that pages itself set no limit."""
        if order is not None and self._pages_itself_by is not None:
            raise unlimited(self._pages_itself_by)
        if raw is not NO_QUERY:
            return self._resolved(call, raw, order)
        query = self._first_pages.get((order, call.view))
        if query is None:
            query = self._first_pages[order, call.view] = self._resolved(call, raw, order)
        return query

    def _resolved(self, call: Call, raw: RawQuery, order: tuple[Order, ...] | None) -> ListQuery:
        if order is not None:
            query = self._reader.resolve(raw, call, order)
            return query if self._is_paged else msgspec.structs.replace(query, limit=WHOLE_MAX, counts=False)
        for label in raw.labels:
            if label in _POSITIONS or label == "sort":
                raise BadRequest("unknown_parameter", f"There is no parameter {label!r} here: the list has one page.")
        query = self._reader.resolve(raw, call)
        return msgspec.structs.replace(query, order=(), limit=WHOLE_MAX)

    def respond(self, call: Call, query: ListQuery, page: RowPage, limit: int | None) -> Response:
        """The response that shows a page of the list. `limit` is that of the Select, where it is a number."""
        if not (self._is_paged and query.order):
            page = msgspec.structs.replace(page, more=False)  # no client can ask for what is beyond
        if limit is not None:
            query = msgspec.structs.replace(query, limit=min(limit, WHOLE_MAX))
        return self._pages.respond(call, query, page)


def refused_number(error: NumberOutOfRange, own: QueryParameters, arguments: Mapping[str, Any]) -> BadRequest:
    """The refusal of a number that the Select of an endpoint has from its arguments, at its parameter."""
    value = error.value
    label = None if value is None else own.label_of(value, arguments)
    is_row_count = isinstance(error, RowCountOutOfRange)
    if value is None or label is None:
        what = "a number of rows, or of rows to skip," if is_row_count else "a number"
        return BadRequest("invalid_parameter", f"What it asks for makes {what} that is out of range.")
    detail = f"Send a whole number from 0 to {ROW_COUNT_MAX}." if is_row_count else "The number is out of range."
    if value > 0:
        violation = Violation("too_large", detail, params={"max": ROW_COUNT_MAX} if is_row_count else {})
    else:
        violation = Violation("too_small", detail, params={"min": 0} if is_row_count else {})
    return invalid_parameter(label, violation)


def _path_of(call: Call) -> str:
    return quote(call.scope["path"])
