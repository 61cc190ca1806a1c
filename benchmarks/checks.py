"""What the conformance checks of every kind of interface have in common: asking, and comparing with the database."""

import json
import urllib.error
import urllib.request
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from benchmarks.database import Bookshop

SECURITY_HEADERS = (
    "content-security-policy",
    "cross-origin-opener-policy",
    "cross-origin-resource-policy",
    "origin-agent-cluster",
    "referrer-policy",
    "x-content-type-options",
    "x-dns-prefetch-control",
    "x-download-options",
    "x-frame-options",
    "x-permitted-cross-domain-policies",
    "x-xss-protection",
)
ABSENT = UUID(int=1)
IN_UTC = ("Z", "+00:00")


class NotConforming(Exception):
    """A server does not do the work; the message says which part."""


@dataclass(frozen=True)
class Response:
    """A response with the names of its headers in lower case; `content` is decoded JSON, or the text of a refusal."""

    status: int
    headers: dict[str, str]
    content: Any


class ServerChecks(ABC):
    """The checks of one server; `token` is an editor's, `stranger` that of a user without roles."""

    def __init__(self, port: int, shop: Bookshop, token: str, stranger: str) -> None:
        self._port = port
        self._shop = shop
        self._token = token
        self._stranger = stranger

    def check(self) -> None:
        """Raise NotConforming at the first thing that is not as it must be."""
        self._reading_one()
        self._reading_a_page()
        self._creating()
        self._changing()
        self._refusing()

    @abstractmethod
    def _reading_one(self) -> None: ...

    @abstractmethod
    def _reading_a_page(self) -> None: ...

    @abstractmethod
    def _creating(self) -> None: ...

    @abstractmethod
    def _changing(self) -> None: ...

    @abstractmethod
    def _refusing(self) -> None: ...


def must(what: str, holds: bool) -> None:
    """Raise NotConforming with `what` has to hold where it does not."""
    if not holds:
        raise NotConforming(what)


def must_have_security_headers(response: Response) -> None:
    """Those that helmet sets by default."""
    missing = [name for name in SECURITY_HEADERS if name not in response.headers]
    must(f"security headers, missing {missing}", not missing)


def must_show_book(shop: Bookshop, shown: Mapping[str, Any], id: UUID) -> None:
    """The book as the database has it; `shown` has the names of the columns."""
    row = shop.read("SELECT title, price, stock, author_id, version FROM books WHERE id = $1", id)
    expected = {**dict(row), "id": str(id), "price": str(row["price"]), "author_id": str(row["author_id"])}
    differing = {name: (shown.get(name), value) for name, value in expected.items() if shown.get(name) != value}
    must(f"the book as the database has it; differing {differing}", not differing)
    must("timestamps in UTC", shown["created_at"].endswith(IN_UTC) and shown["updated_at"].endswith(IN_UTC))


def ask(port: int, method: str, target: str, token: str | None, body: Any = None) -> Response:
    """Send one request, a PATCH as a merge patch, and read the whole response."""
    headers = {"Accept": "application/json"}
    if token is not None:
        headers["Authorization"] = f"Bearer {token}"
    if body is not None:
        headers["Content-Type"] = "application/merge-patch+json" if method == "PATCH" else "application/json"
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(f"http://127.0.0.1:{port}{target}", data, headers, method=method)
    try:
        with urllib.request.urlopen(request, timeout=10) as opened:
            return Response(opened.status, _lower(opened.headers), json.loads(opened.read()))
    except urllib.error.HTTPError as refusal:
        return Response(refusal.code, _lower(refusal.headers), refusal.read().decode(errors="replace"))


def _lower(headers: Any) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items()}
