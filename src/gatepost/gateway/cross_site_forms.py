"""Refuses posts from pages of other origins that need no preflight, unless the path's `cors` admits the origin.

Used behind the gate alone. A browser sends a form, or a post without a body, to any origin, with cookies and
without a preflight. JSON, and every method but POST, needs one.
"""

from collections.abc import Mapping

from gatepost.declaring.origins import Origins
from gatepost.errors import Forbidden
from gatepost.gateway.media_types import URLENCODED, media_type
from gatepost.operations import RouteRules
from gatepost.request import Request

FORM_TYPES: frozenset[bytes] = frozenset(
    {URLENCODED, b"multipart/form-data", b"text/plain"},
)
"""What needs no preflight (Fetch standard, CORS-safelisted request-header)."""

_OWN = frozenset({b"same-origin", b"none"})
"""`Sec-Fetch-Site` (Fetch metadata) of a page of this origin, and of an address typed by the user."""


class CrossSiteForms:
    """The origins whose pages may send forms, by rules, besides the application's own pages."""

    __slots__ = ("_origins",)

    def __init__(self, origins: Mapping[RouteRules, Origins]) -> None:
        self._origins = origins

    def check(self, request: Request) -> None:
        """Raise 403 `cross_origin`. A client without `Sec-Fetch-Site` and `Origin` is not a current browser."""
        rules = request.rules
        if request.scope["method"] != "POST" or rules is None:
            return
        headers = request.headers
        if media_type(headers.get(b"content-type", b"text/plain")) not in FORM_TYPES or _is_of_ours(headers):
            return
        if headers.get(b"origin", b"null") not in self._origins[rules]:
            raise Forbidden("cross_origin", "Pages of that origin may not send forms here.")


def _is_of_ours(headers: Mapping[bytes, bytes]) -> bool:
    """Whether it comes from a page of this origin, or from no page."""
    site = headers.get(b"sec-fetch-site")
    if site is not None:
        return site in _OWN
    # Old browsers: our own pages also send `null`, because of `Referrer-Policy: no-referrer`.
    origin = headers.get(b"origin", b"null")
    return origin == b"null" or origin.partition(b"://")[2] == headers.get(b"host")
