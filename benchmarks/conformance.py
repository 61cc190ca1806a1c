"""What every server must do before it is measured, so that none wins by doing less."""

import json
import urllib.error
import urllib.request
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from uuid import UUID

from benchmarks.database import Bookshop
from benchmarks.works import PAGE_SIZE, page_target

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


class NotConforming(Exception):
    """A server does not do the work; the message says which part."""


@dataclass(frozen=True)
class _Response:
    status: int
    headers: dict[str, str]
    content: Any


class Conformance:
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

    def _reading_one(self) -> None:
        id = self._shop.book_ids[0]
        response = self._ask("GET", f"/api/books/{id}", 200)
        self._same_book(response.content["data"], id)
        self._must("one row: the ETag is the version", self._names_version(response))
        missing = [name for name in SECURITY_HEADERS if name not in response.headers]
        self._must(f"security headers, missing {missing}", not missing)

    def _reading_a_page(self) -> None:
        price = self._shop.prices[len(self._shop.prices) // 2]
        response = self._ask("GET", page_target(price), 200)
        rows = response.content["data"]
        prices = [Decimal(row["price"]) for row in rows]
        self._must("page: 50 rows", len(rows) == PAGE_SIZE == response.content["page"]["limit"])
        self._must("page: filtered and sorted", prices[0] < price and prices == sorted(prices, reverse=True))
        self._must("page: a cursor follows", isinstance(response.content["page"]["next"], str))
        expected = self._shop.read("SELECT max(price) FROM books WHERE price < $1", price)[0]
        self._must("page: begins at the highest price", prices[0] == expected)
        self._same_book(rows[-1], UUID(rows[-1]["id"]))

    def _creating(self) -> None:
        draft = {"title": "Created by the benchmark, “check”", "price": "12.34", "stock": 3}
        draft["author_id"] = str(self._shop.author_id)
        response = self._ask("POST", "/api/books", 201, draft)
        id = UUID(response.content["data"]["id"])
        self._same_book(response.content["data"], id)
        self._must("create: Location", response.headers.get("location", "").endswith(f"/api/books/{id}"))
        self._must("create: ETag", self._names_version(response))
        for wrong in ({"title": ""}, {"title": "x" * 201}, {"price": "-1"}, {"author_id": str(ABSENT)}):
            self._ask("POST", "/api/books", None, {**draft, **wrong}, why=f"create with {wrong}")

    def _changing(self) -> None:
        id = self._shop.book_ids[1]
        before = self._shop.read("SELECT price, version FROM books WHERE id = $1", id)
        price = "77.70" if before["price"] != Decimal("77.70") else "7.07"
        response = self._ask("PATCH", f"/api/books/{id}", 200, {"price": price})
        self._same_book(response.content["data"], id)
        after = self._shop.read("SELECT price, version FROM books WHERE id = $1", id)
        self._must("patch: the price is changed", after["price"] == Decimal(price))
        self._must("patch: the version is bumped", after["version"] == before["version"] + 1)
        self._must("patch: ETag", self._names_version(response))
        self._ask("PATCH", f"/api/books/{id}", None, {"price": "-1"}, why="patch with a negative price")

    def _refusing(self) -> None:
        target = f"/api/books/{self._shop.book_ids[0]}"
        forged = self._token[:-8] + ("A" * 8)
        self._ask("GET", target, 401, token=forged, why="a forged token")
        self._ask("GET", f"/api/books/{ABSENT}", 404)
        # Gatepost's bookshop may be read by anyone; nobody may write without a token, or without the role.
        self._ask("PATCH", target, 401, {"price": "1.00"}, token=None, why="no token")
        self._ask("PATCH", target, 403, {"price": "1.00"}, token=self._stranger, why="no role")

    def _same_book(self, shown: dict[str, Any], id: UUID) -> None:
        row = self._shop.read("SELECT title, price, stock, author_id, version FROM books WHERE id = $1", id)
        expected = {**dict(row), "id": str(id), "price": str(row["price"]), "author_id": str(row["author_id"])}
        differing = {name: (shown.get(name), value) for name, value in expected.items() if shown.get(name) != value}
        self._must(f"the book as the database has it; differing {differing}", not differing)
        self._must("timestamps in UTC", shown["created_at"].endswith("Z") and shown["updated_at"].endswith("Z"))

    def _ask(
        self,
        method: str,
        target: str,
        status: int | None,
        body: Any = None,
        *,
        token: str | None = "",
        why: str = "",
    ) -> _Response:
        """Ask, as the editor where no token is named; `status` None stands for 400 or 422."""
        headers = {"Accept": "application/json"}
        if token is not None:
            headers["Authorization"] = f"Bearer {token or self._token}"
        if body is not None:
            headers["Content-Type"] = "application/merge-patch+json" if method == "PATCH" else "application/json"
        data = None if body is None else json.dumps(body).encode()
        url = f"http://127.0.0.1:{self._port}{target}"
        request = urllib.request.Request(url, data, headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=10) as opened:
                response = _Response(opened.status, _lower(opened.headers), json.loads(opened.read()))
        except urllib.error.HTTPError as refusal:
            response = _Response(refusal.code, _lower(refusal.headers), refusal.read().decode(errors="replace"))
        expected = (400, 422) if status is None else (status,)
        said = "" if response.status < 400 else response.content
        self._must(f"{method} {target} {why}: {expected}, not {response.status} {said}", response.status in expected)
        return response

    @staticmethod
    def _names_version(response: _Response) -> bool:
        return str(response.content["data"]["version"]) in response.headers.get("etag", "")

    @staticmethod
    def _must(what: str, holds: bool) -> None:
        if not holds:
            raise NotConforming(what)


def _lower(headers: Any) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items()}
