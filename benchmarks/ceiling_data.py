"""The ceiling's words: SQL whose result is the wire's JSON already, shapes of bodies, and the precomputed headers.

No logic stands here. The statements build the JSON in PostgreSQL, the cheapest of the techniques measured
(benchmarks/README.md, "Rows to JSON"): `concat` copies each value's text once, `to_json` escapes what has to be.
"""

from decimal import Decimal
from itertools import combinations
from typing import Annotated

from joserfc.jwt import ClaimsOption, JWTClaimsRegistry
from msgspec import UNSET, Meta, Struct, UnsetType

_TIME = "replace(({0} AT TIME ZONE 'UTC')::text, ' ', 'T'), 'Z\""
_BOOK = (
    """concat('{"id":"', id, '","title":', to_json(title), ',"price":"', price, '","stock":', stock, """
    """',"author_id":"', author_id, '","created_at":"', """
    + _TIME.format("created_at")
    + ""","updated_at":"', """
    + _TIME.format("updated_at")
    + ""","version":', version, '}')"""
)

USER = "SELECT id::text, roles FROM users WHERE id = $1 AND is_active"
ONE = f"SELECT {_BOOK}, version FROM books WHERE id = $1"
PAGE = f"""SELECT string_agg(book, E',\\n'), count(*) FROM (
    SELECT {_BOOK} AS book FROM books WHERE price < $1 ORDER BY price DESC, id DESC LIMIT $2) AS page"""
INSERT = (
    f"INSERT INTO books (title, price, author_id, stock) VALUES ($1, $2, $3, $4) RETURNING {_BOOK}, version, id::text"
)

COLUMNS = ("title", "price", "stock")
UPDATE: dict[tuple[str, ...], str] = {
    names: f"UPDATE books SET {', '.join(f'{name} = ${2 + place}' for place, name in enumerate(names)) or 'id = id'}"
    f" WHERE id = $1 RETURNING {_BOOK}, version"
    for count in range(len(COLUMNS) + 1)
    for names in combinations(COLUMNS, count)
}

Title = Annotated[str, Meta(min_length=1, max_length=200)]
Stock = Annotated[int, Meta(ge=0, lt=2**31)]


class Draft(Struct, forbid_unknown_fields=True):
    """A book to create."""

    title: Title
    price: Decimal
    author_id: str
    stock: Stock = 0


class Patch(Struct, forbid_unknown_fields=True):
    """A merge patch of a book; what is absent stays."""

    title: Title | UnsetType = UNSET
    price: Decimal | UnsetType = UNSET
    stock: Stock | UnsetType = UNSET

    def changes(self) -> tuple[tuple[str, ...], list[object]]:
        """The names and the values that are present."""
        present = [(name, value) for name in COLUMNS if (value := getattr(self, name)) is not UNSET]
        return tuple(name for name, _ in present), [value for _, value in present]


class LastRow(Struct):
    """What the next cursor needs of the last row."""

    price: str
    id: str


class Access(Struct):
    """One line per request."""

    time: float
    request_id: str
    method: str
    path: str
    status: int
    milliseconds: float
    client: str
    user: str | None


_OURS = ClaimsOption(essential=True, value="gatepost")
CLAIMS = JWTClaimsRegistry(iss=_OURS, aud=_OURS, sub=ClaimsOption(essential=True), exp=ClaimsOption(essential=True))

HEADERS = [
    (b"content-type", b"application/json"),
    (b"server", b"ceiling"),
    (b"cache-control", b"no-store"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"),
    (b"cross-origin-embedder-policy", b"require-corp"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"origin-agent-cluster", b"?1"),
    (
        b"permissions-policy",
        b"camera=(), display-capture=(), geolocation=(), hid=(), microphone=(), payment=(), serial=(), usb=()",
    ),
    (b"ratelimit-policy", b'"api";q=1000000000;w=900, "api-actor";q=1000000000;w=900'),
    (b"referrer-policy", b"no-referrer"),
    (b"x-content-type-options", b"nosniff"),
    (b"x-dns-prefetch-control", b"off"),
    (b"x-download-options", b"noopen"),
    (b"x-frame-options", b"DENY"),
    (b"x-permitted-cross-domain-policies", b"none"),
    (b"x-xss-protection", b"0"),
]
LEFT = b'"api";r=%d;t=%d, "api-actor";r=%d;t=%d'
