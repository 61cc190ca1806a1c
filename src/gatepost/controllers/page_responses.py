"""Responses to lists: the envelope of a page, its total, and the links to its neighbours."""

import string
from collections.abc import Callable
from urllib.parse import quote

import msgspec

from gatepost.call import Call, Response
from gatepost.controllers.envelopes import Envelope
from gatepost.controllers.paging import OFFSET_MAX, PagingParameters
from gatepost.controllers.responses import page_response
from gatepost.models.list_query import TOTAL_MAX, ListQuery, Order
from gatepost.services.verbs import RowPage

_QUERY_SIGNS = "!$%&'()*+,-./:;=?@[]_~"
_QUERY_BYTES = (_QUERY_SIGNS + string.ascii_letters + string.digits).encode()
"""Characters that stay unescaped in a `Link`; `<`, `>` and quotes do not, because they delimit its parts."""

Seal = Callable[[tuple[Order, ...], tuple[str | None, ...]], str]
"""Makes the cursor of a position in an order."""

Neighbours = list[tuple[str, str, str]]
"""The pages beside one: relation, parameter and value."""


class CursorInfo(msgspec.Struct, gc=False):
    """What the response to a list says of its page. `next` and `prev` are cursors; the total is there where it was
    counted."""

    limit: int
    next: str | None
    prev: str | None
    total: int | msgspec.UnsetType = msgspec.UNSET
    total_is_exact: bool | msgspec.UnsetType = msgspec.UNSET


class OffsetInfo(msgspec.Struct, gc=False):
    """The same of a page that begins at an offset."""

    limit: int
    offset: int
    total: int | msgspec.UnsetType = msgspec.UNSET
    total_is_exact: bool | msgspec.UnsetType = msgspec.UNSET


class PageResponses:
    """Makes the responses to one list. `seal` makes its cursors; `path` is the list's in a call, as it stands in
    links."""

    def __init__(self, path: Callable[[Call], str], seal: Seal, paging: PagingParameters, envelope: Envelope) -> None:
        self._path = path
        self._seal = seal
        self._envelope = envelope
        self._by_offset = paging.by_offset
        self._positions = tuple(f"{name}=".encode() for name in paging.positions)

    def respond(self, call: Call, query: ListQuery, page: RowPage) -> Response:
        """The response that shows this page."""
        info, neighbours = (self._by_offsets if self._by_offset else self._by_cursors)(query, page)
        links, envelope, beside = self._links(call, neighbours) if neighbours else b"", self._envelope, None
        if page.total is not None and envelope.total:
            beside = min(page.total, TOTAL_MAX)
        elif page.total is not None:
            info.total = min(page.total, TOTAL_MAX)
            info.total_is_exact = page.total <= TOTAL_MAX
        return page_response(page.rows, info, links, envelope, beside)

    def _by_cursors(self, query: ListQuery, page: RowPage) -> tuple[CursorInfo, Neighbours]:
        """A page that was reached by a cursor has a neighbour on that side, even if it is empty by now."""
        backward, neighbours = query.is_backward, Neighbours()
        after = before = None
        if page.last and (backward or page.more):
            after = self._seal(query.order, page.last)
            neighbours.append(("next", "after", after))
        if page.first and (page.more if backward else query.position is not None):
            before = self._seal(query.order, page.first)
            neighbours.append(("prev", "before", before))
        return CursorInfo(query.limit, after, before), neighbours

    def _by_offsets(self, query: ListQuery, page: RowPage) -> tuple[OffsetInfo, Neighbours]:
        """The next page begins behind the last row of this one, which may have ended before its limit."""
        neighbours, end = Neighbours(), query.offset + page.count
        if page.more and end <= OFFSET_MAX:
            neighbours.append(("next", "offset", str(end)))
        if query.offset:
            neighbours.append(("prev", "offset", str(max(0, query.offset - query.limit))))
        return OffsetInfo(query.limit, query.offset), neighbours

    def _links(self, call: Call, neighbours: Neighbours) -> bytes:
        """`Link` (RFC 8288) to the neighbours: this path, the same parameters, another position."""
        path, query_string = self._path(call).encode(), call.query_string
        if query_string.translate(None, _QUERY_BYTES):
            query_string = quote(query_string, safe=_QUERY_SIGNS).encode()
        kept = [part for part in query_string.split(b"&") if part and not part.startswith(self._positions)]
        links: list[bytes] = []
        for relation, name, value in neighbours:
            parameters = b"&".join([*kept, f"{name}={value}".encode()])
            links.append(b'<%b?%b>; rel="%b"' % (path, parameters, relation.encode()))
        return b", ".join(links)
