"""Refuses requests that pages of other origins make browsers send, unless the `cors` of their path admits the origin.

Two rules. Behind the gate alone, where nobody knows what identifies a client, every post that needs no preflight is
checked: a browser sends a form, or a post without a body, to any origin, with cookies. In an app, every request that
would change something by ambient credentials is (`auth/access_control.py`), whatever its method and body.
"""

from gatepost.call import Call
from gatepost.declaring.origins import Origins
from gatepost.errors import Forbidden
from gatepost.gateway.media_types import URLENCODED, media_type

FORM_TYPES: frozenset[bytes] = frozenset(
    {URLENCODED, b"multipart/form-data", b"text/plain"},
)
"""What needs no preflight (Fetch standard, CORS-safelisted request-header)."""

_OWN = frozenset({b"same-origin", b"none"})
"""`Sec-Fetch-Site` (Fetch metadata) of a page of this origin, and of an address typed by the user."""


class CrossSiteRequests:
    """The origins whose pages may send what changes something, besides the application's own pages: `origins`, or those
    of the path's `cors`."""

    def __init__(self, origins: Origins) -> None:
        self._origins = origins

    def check_form(self, call: Call) -> None:
        """Raise 403 `cross_origin` for a post that needs no preflight. A client that sends neither `Sec-Fetch-Site` nor
        `Origin` is not a current browser."""
        if call.scope["method"] != "POST":
            return
        headers = call.headers
        if media_type(headers.get(b"content-type", b"text/plain")) in FORM_TYPES:
            # Old browsers: our own pages also send `null`, because of `Referrer-Policy: no-referrer`.
            self._check(call, headers.get(b"origin", b"null"), accepted=b"null")

    def check(self, call: Call) -> None:
        """Raise 403 `cross_origin` for a request of whatever method and body. `null`, which a frame of any page can
        send, is not an origin of ours."""
        origin = call.headers.get(b"origin")
        self._check(call, origin, accepted=None)

    def _check(self, call: Call, origin: bytes | None, *, accepted: bytes | None) -> None:
        headers = call.headers
        site = headers.get(b"sec-fetch-site")
        if site is not None:
            if site in _OWN:
                return
        elif origin == accepted or (origin is not None and origin.partition(b"://")[2] == headers.get(b"host")):
            return
        rules = call.rules
        origins = self._origins if rules is None or rules.cors is None else rules.cors.origins
        if origin is None or origin not in origins:
            raise Forbidden("cross_origin", "Pages of that origin may not change anything here.")
