"""The security headers of every answer, as bytes made at start.

The twelve of helmet 8, with a strict profile for JSON (nothing in it may be loaded, framed or run) and helmet's own
defaults for mounted applications, which may be pages. What an answer sets itself wins, except for what names us.
"""

from gatepost.errors import Header

HSTS: Header = (b"strict-transport-security", b"max-age=31536000; includeSubDomains")
NO_STORE: Header = (b"cache-control", b"no-store")
CLOSE: Header = (b"connection", b"close")

COMMON: tuple[Header, ...] = (
    (b"server", b"gatepost"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"origin-agent-cluster", b"?1"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-content-type-options", b"nosniff"),
    (b"x-dns-prefetch-control", b"off"),
    (b"x-download-options", b"noopen"),
    (b"x-permitted-cross-domain-policies", b"none"),
    # The filter that this header controlled had holes of its own; 0 turns it off where it still exists.
    (b"x-xss-protection", b"0"),
)

STRICT: tuple[Header, ...] = (
    *COMMON,
    (
        b"content-security-policy",
        b"default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
    ),
    (b"cross-origin-embedder-policy", b"require-corp"),
    (b"permissions-policy", b"camera=(), display-capture=(), geolocation=(), microphone=(), payment=(), usb=()"),
    (b"x-frame-options", b"DENY"),
)

PAGES: tuple[Header, ...] = (
    *COMMON,
    (
        b"content-security-policy",
        b"default-src 'self'; base-uri 'self'; font-src 'self' https: data:; form-action 'self'; "
        b"frame-ancestors 'self'; img-src 'self' data:; object-src 'none'; script-src 'self'; "
        b"script-src-attr 'none'; style-src 'self' https: 'unsafe-inline'",
    ),
    (b"x-frame-options", b"SAMEORIGIN"),
)

NAMES: frozenset[bytes] = frozenset(name for name, _ in (*STRICT, HSTS, NO_STORE, CLOSE))
"""What an answer may repeat; then the answer's own value stands."""

OURS: frozenset[bytes] = frozenset({b"server", b"x-request-id"})
"""What an answer cannot set: who serves, and the id that is in our log."""


class Profiles:
    """The headers to add, by what is answered: a mounted application, over TLS, to somebody who is signed in.

    The combinations are made once; `is_closing` adds `connection: close` to all of them, for draining. `json` are those
    of this application's own answers: plain, private, plain over TLS, private over TLS.
    """

    __slots__ = ("_combinations", "json")

    def __init__(self, *, is_closing: bool = False) -> None:
        self._combinations = tuple(
            profile + (HSTS,) * is_tls + (NO_STORE,) * is_private + (CLOSE,) * is_closing
            for profile in (STRICT, PAGES)
            for is_tls in (False, True)
            for is_private in (False, True)
        )
        self.json = self._combinations[:4]

    def select(self, is_mounted: bool, is_tls: bool, is_private: bool) -> tuple[Header, ...]:
        """The headers for one answer."""
        return self._combinations[is_mounted * 4 + is_tls * 2 + is_private]
