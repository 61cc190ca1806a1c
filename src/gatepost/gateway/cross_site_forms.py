"""Posts that need no preflight, from pages of other origins: refused, unless the path's `cors` lets the origin in.

Used behind the gate alone. A browser sends a form, or a post without a body, to any origin, with its cookies, and asks
nobody first. JSON, and every method but POST, has had its preflight.
"""

from collections.abc import Mapping

from gatepost.declaring.origins import Origins
from gatepost.errors import Forbidden
from gatepost.gateway.media_types import URLENCODED, media_type
from gatepost.request import Action, Request

FORM_TYPES: frozenset[bytes] = frozenset(
    {URLENCODED, b"multipart/form-data", b"text/plain"},
)
"""What needs no preflight (Fetch standard, CORS-safelisted request-header)."""

_OWN = frozenset({b"same-origin", b"none"})
"""`Sec-Fetch-Site` (Fetch metadata) of a page of this origin, and of somebody who typed the address."""


class CrossSiteForms:
    """The origins whose pages may send forms, by action: besides them only our own pages may."""

    __slots__ = ("_origins",)

    def __init__(self, origins: Mapping[Action, Origins]) -> None:
        self._origins = origins

    def check(self, request: Request) -> None:
        """Raise 403 `cross_origin`. Who sends neither `Sec-Fetch-Site` nor `Origin` is no browser of today."""
        action = request.action
        if request.scope["method"] != "POST" or action is None:
            return
        headers = request.headers
        if media_type(headers.get(b"content-type", b"text/plain")) not in FORM_TYPES or _is_of_ours(headers):
            return
        if headers.get(b"origin", b"null") not in self._origins[action]:
            raise Forbidden("cross_origin", "Pages of that origin may not send forms here.")


def _is_of_ours(headers: Mapping[bytes, bytes]) -> bool:
    """Whether it comes from a page of this origin, or from no page."""
    site = headers.get(b"sec-fetch-site")
    if site is not None:
        return site in _OWN
    # Of old browsers: `null` is what our own pages send, too, under `Referrer-Policy: no-referrer`.
    origin = headers.get(b"origin", b"null")
    return origin == b"null" or origin.partition(b"://")[2] == headers.get(b"host")
