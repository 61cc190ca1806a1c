"""What every server must do before it is measured, so that none wins by doing less."""

from decimal import Decimal
from typing import Any
from uuid import UUID

from benchmarks.checks import ABSENT, Response, ServerChecks, ask, must, must_have_security_headers, must_show_book
from benchmarks.works import PAGE_SIZE, page_target


class Conformance(ServerChecks):
    """The checks of a server whose interface is REST."""

    def _reading_one(self) -> None:
        id = self._shop.book_ids[0]
        response = self._ask("GET", f"/api/books/{id}", 200)
        must_show_book(self._shop, response.content["data"], id)
        must("one row: the ETag is the version", self._names_version(response))
        must_have_security_headers(response)

    def _reading_a_page(self) -> None:
        price = self._shop.prices[len(self._shop.prices) // 2]
        response = self._ask("GET", page_target(price), 200)
        rows = response.content["data"]
        prices = [Decimal(row["price"]) for row in rows]
        must("page: 50 rows", len(rows) == PAGE_SIZE == response.content["page"]["limit"])
        must("page: filtered and sorted", prices[0] < price and prices == sorted(prices, reverse=True))
        must("page: a cursor follows", isinstance(response.content["page"]["next"], str))
        expected = self._shop.read("SELECT max(price) FROM books WHERE price < $1", price)[0]
        must("page: begins at the highest price", prices[0] == expected)
        must_show_book(self._shop, rows[-1], UUID(rows[-1]["id"]))

    def _creating(self) -> None:
        draft = {"title": "Created by the benchmark, “check”", "price": "12.34", "stock": 3}
        draft["author_id"] = str(self._shop.author_id)
        response = self._ask("POST", "/api/books", 201, draft)
        id = UUID(response.content["data"]["id"])
        must_show_book(self._shop, response.content["data"], id)
        must("create: Location", response.headers.get("location", "").endswith(f"/api/books/{id}"))
        must("create: ETag", self._names_version(response))
        for wrong in ({"title": ""}, {"title": "x" * 201}, {"price": "-1"}, {"author_id": str(ABSENT)}):
            self._ask("POST", "/api/books", None, {**draft, **wrong}, why=f"create with {wrong}")

    def _changing(self) -> None:
        id = self._shop.book_ids[1]
        before = self._shop.read("SELECT price, version FROM books WHERE id = $1", id)
        price = "77.70" if before["price"] != Decimal("77.70") else "7.07"
        response = self._ask("PATCH", f"/api/books/{id}", 200, {"price": price})
        must_show_book(self._shop, response.content["data"], id)
        after = self._shop.read("SELECT price, version FROM books WHERE id = $1", id)
        must("patch: the price is changed", after["price"] == Decimal(price))
        must("patch: the version is bumped", after["version"] == before["version"] + 1)
        must("patch: ETag", self._names_version(response))
        self._ask("PATCH", f"/api/books/{id}", None, {"price": "-1"}, why="patch with a negative price")

    def _refusing(self) -> None:
        target = f"/api/books/{self._shop.book_ids[0]}"
        forged = self._token[:-8] + ("A" * 8)
        self._ask("GET", target, 401, token=forged, why="a forged token")
        self._ask("GET", f"/api/books/{ABSENT}", 404)
        # Gatepost's bookshop may be read by anyone; nobody may write without a token, or without the role.
        self._ask("PATCH", target, 401, {"price": "1.00"}, token=None, why="no token")
        self._ask("PATCH", target, 403, {"price": "1.00"}, token=self._stranger, why="no role")

    def _ask(
        self,
        method: str,
        target: str,
        status: int | None,
        body: Any = None,
        *,
        token: str | None = "",
        why: str = "",
    ) -> Response:
        """Ask, as the editor where no token is named; `status` None stands for 400 or 422."""
        response = ask(self._port, method, target, self._token if token == "" else token, body)
        expected = (400, 422) if status is None else (status,)
        said = "" if response.status < 400 else response.content
        must(f"{method} {target} {why}: {expected}, not {response.status} {said}", response.status in expected)
        return response

    @staticmethod
    def _names_version(response: Response) -> bool:
        return str(response.content["data"]["version"]) in response.headers.get("etag", "")
