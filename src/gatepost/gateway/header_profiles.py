"""The security headers of every response, as bytes made at start.

The twelve of helmet 8, stricter where the response is JSON: nothing in it may be loaded, framed or run. Any
other response (of a mounted application) gets the profile of a page, which may load what comes from its own origin.
What a response sets itself wins, except for what names us. The profile of our own pages is made in `pages.py`.
"""

from collections.abc import Sequence

from gatepost.declaring.headers import Headers
from gatepost.errors import ConfigurationError, Header
from gatepost.settings import GateSettings

YEAR_SECONDS = 31_536_000

NO_STORE: Header = (b"cache-control", b"no-store")
CLOSE: Header = (b"connection", b"close")

COMMON: tuple[Header, ...] = (
    (b"server", b"gatepost"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"origin-agent-cluster", b"?1"),
    (
        b"permissions-policy",
        b"camera=(), display-capture=(), geolocation=(), hid=(), microphone=(), payment=(), serial=(), usb=()",
    ),
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
    (b"x-frame-options", b"DENY"),
)

PAGES: tuple[Header, ...] = (
    *COMMON,
    (
        b"content-security-policy",
        b"default-src 'self'; base-uri 'self'; form-action 'self'; frame-ancestors 'self'; img-src 'self' data:; "
        b"object-src 'none'; script-src-attr 'none'",
    ),
    (b"x-frame-options", b"SAMEORIGIN"),
)
"""Of a page that we did not write. Unlike helmet's own default it allows neither inline styles nor foreign ones."""

NAMES: frozenset[bytes] = frozenset(
    {*(name for name, _ in (*STRICT, NO_STORE, CLOSE)), b"strict-transport-security"},
)
"""What a response may repeat; then the response's own value stands."""

OURS: frozenset[bytes] = frozenset({b"server", b"x-request-id"})
"""What a response cannot set: who serves, and the id that is in our log."""


HeaderTable = tuple[tuple[Header, ...], ...]
"""The headers of a response: plain, private, plain over TLS, private over TLS."""


class HeaderProfiles:
    """The headers to add, by what is sent. `json` is for data, `pages` for everything else that a mounted application
    sends.

    The tables are made once; `is_closing` adds `connection: close` to all of them, for draining. What caches may store
    has `stored_vary` beside `vary`.
    """

    def __init__(
        self,
        hsts: Header,
        vary: tuple[Header, ...] = (),
        stored_vary: tuple[Header, ...] = (),
        *,
        is_closing: bool = False,
    ) -> None:
        self._hsts = hsts
        self._vary = vary
        self.stored_vary = stored_vary
        self._is_closing = is_closing
        self.json, _, self.pages, _ = self._tables(None)
        self._declared: dict[Headers, tuple[HeaderTable, ...]] = {}

    def declared(self, headers: Headers, *, is_page: bool, is_caching_decided: bool) -> HeaderTable:
        """The table of a path that declares `headers`. Their `Cache-Control` is left out with `is_caching_decided`: the
        response is a refusal, or sets its own."""
        tables = self._declared.get(headers)
        if tables is None:
            tables = self._declared[headers] = self._tables(headers)
        return tables[is_page * 2 + is_caching_decided]

    def closing(self) -> "HeaderProfiles":
        """The same, for a server that is about to stop."""
        return HeaderProfiles(self._hsts, self._vary, self.stored_vary, is_closing=True)

    def _tables(self, headers: Headers | None) -> tuple[HeaderTable, ...]:
        return tuple(
            tuple(
                _merged(_profile(is_page, is_tls, self._hsts), headers, is_private, is_caching_decided)
                + self._vary
                + self.stored_vary * (not is_caching_decided and _may_be_stored(headers))
                + (CLOSE,) * self._is_closing
                for is_tls in (False, True)
                for is_private in (False, True)
            )
            for is_page in (False, True)
            for is_caching_decided in (False, True)
        )


def is_json(content_type: bytes) -> bool:
    """Whether a response of this type is data, of which nothing may be loaded, framed or run."""
    media_type = content_type.partition(b";")[0].strip().lower()
    return media_type == b"application/json" or media_type.endswith(b"+json")


def hsts_of(settings: GateSettings) -> Header:
    """`Strict-Transport-Security` (RFC 6797). Raises `ConfigurationError` where the lists of browsers refuse it."""
    seconds = settings.hsts_seconds
    if settings.hsts_preload and (seconds < YEAR_SECONDS or not settings.hsts_subdomains):
        raise ConfigurationError(
            "asks for preloading, which browsers grant only for a year or more and with all subdomains.",
            location="GATEPOST_HSTS_PRELOAD",
            hint=f"Set GATEPOST_HSTS_SECONDS={YEAR_SECONDS} or more, and GATEPOST_HSTS_SUBDOMAINS=true.",
        )
    subdomains = "; includeSubDomains" if settings.hsts_subdomains else ""
    preload = "; preload" if settings.hsts_preload else ""
    return b"strict-transport-security", f"max-age={seconds}{subdomains}{preload}".encode()


def stored_vary_of(credential_headers: Sequence[str]) -> tuple[Header, ...]:
    """`Vary` of responses that a declared rule lets caches store: `public` permits shared ones to store what was sent
    to a client with `Authorization`, and to send it to others (RFC 9111, section 3.5)."""
    return ((b"vary", b"authorization"),) if "authorization" in credential_headers else ()


def may_be_stored(cache_control: bytes) -> bool:
    """Whether a `Cache-Control` lets caches store a response."""
    return b"no-store" not in cache_control


def _may_be_stored(headers: Headers | None) -> bool:
    given = () if headers is None else headers.values
    return any(name == NO_STORE[0] and may_be_stored(value) for name, value in given)


def vary_of(credential_headers: Sequence[str]) -> tuple[Header, ...]:
    """`Vary` for shared caches: without a rule that permits it, they store nothing that was sent to a client with
    `Authorization` (RFC 9111, section 3.5), but do not know of other headers by which responses differ."""
    names = [name for name in credential_headers if name != "authorization"]
    return ((b"vary", ", ".join(names).encode()),) if names else ()


def _profile(is_page: bool, is_tls: bool, hsts: Header) -> tuple[Header, ...]:
    if not is_page:
        return STRICT + (hsts,) * is_tls
    if not is_tls:
        return PAGES
    # Over plain HTTP it would send the page's own styles and scripts to a port where nothing listens.
    upgraded = b"; upgrade-insecure-requests"
    policy = b"content-security-policy"
    return (*((name, value + upgraded if name == policy else value) for name, value in PAGES), hsts)


def _merged(
    profile: tuple[Header, ...], headers: Headers | None, is_private: bool, is_caching_decided: bool
) -> tuple[Header, ...]:
    ours = profile + (NO_STORE,) * is_private
    if headers is None:
        return ours
    given = tuple(header for header in headers.values if not (is_caching_decided and header[0] == NO_STORE[0]))
    gone = {name for name, _ in given} | headers.removed
    return (*(header for header in ours if header[0] not in gone), *given)
