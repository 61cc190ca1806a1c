"""What a server whose interface is GraphQL must do before it is measured: what `conformance.py` asks of the others,
without what GraphQL has no place for (statuses of refusals by the schema or by rows, `ETag`, `Location`)."""

from decimal import Decimal
from typing import Any
from uuid import UUID

from benchmarks.checks import ABSENT, Response, ServerChecks, ask, must, must_have_security_headers, must_show_book
from benchmarks.graphql_works import CREATE, ONE, PATH, operation, page_of, patch_of
from benchmarks.works import PAGE_SIZE

_COLUMNS = {"rowId": "id", "authorId": "author_id", "createdAt": "created_at", "updatedAt": "updated_at"}


class GraphQLConformance(ServerChecks):
    """The checks of a server whose interface is GraphQL."""

    def _reading_one(self) -> None:
        id = self._shop.book_ids[0]
        response = self._ask(operation(ONE, id=str(id)))
        self._must_show(_data(response)["book"], id)
        must_have_security_headers(response)
        must("an absent row is null", _data(self._ask(operation(ONE, id=str(ABSENT))))["book"] is None)

    def _reading_a_page(self) -> None:
        price = self._shop.prices[len(self._shop.prices) // 2]
        page = _data(self._ask(page_of(price)))["books"]
        rows = page["nodes"]
        prices = [Decimal(row["price"]) for row in rows]
        must("page: 50 rows", len(rows) == PAGE_SIZE)
        must("page: filtered and sorted", prices[0] < price and prices == sorted(prices, reverse=True))
        must(
            "page: a cursor follows", page["pageInfo"]["hasNextPage"] and isinstance(page["pageInfo"]["endCursor"], str)
        )
        expected = self._shop.read("SELECT max(price) FROM books WHERE price < $1", price)[0]
        must("page: begins at the highest price", prices[0] == expected)
        self._must_show(rows[-1], UUID(rows[-1]["rowId"]))

    def _creating(self) -> None:
        draft = {"title": "Created by the benchmark, “check”", "price": "12.34", "stock": 3}
        draft["authorId"] = str(self._shop.author_id)
        book = _data(self._ask(operation(CREATE, book=draft)))["createBook"]["book"]
        self._must_show(book, UUID(book["rowId"]))
        for wrong in ({"title": ""}, {"title": "x" * 201}, {"price": "-1"}, {"authorId": str(ABSENT)}):
            self._must_refuse(operation(CREATE, book={**draft, **wrong}), f"create with {wrong}")

    def _changing(self) -> None:
        id = self._shop.book_ids[1]
        before = self._price_and_version(id)
        price = "77.70" if before[0] != Decimal("77.70") else "7.07"
        self._must_show(_data(self._ask(patch_of(id, price)))["updateBook"]["book"], id)
        must(
            "patch: the price is changed, the version bumped",
            self._price_and_version(id) == (Decimal(price), before[1] + 1),
        )
        self._must_refuse(patch_of(id, "-1"), "patch with a negative price")

    def _refusing(self) -> None:
        id = self._shop.book_ids[0]
        change = patch_of(id, "1.00")
        for token, why in ((self._token[:-8] + ("A" * 8), "a forged token"), (None, "no token")):
            status = ask(self._port, "POST", PATH, token, change).status
            must(f"{why}: 401, not {status}", status == 401)
        before = self._price_and_version(id)
        refused = ask(self._port, "POST", PATH, self._stranger, change)
        must("no role: no book", not _is_served(refused))
        must("no role: nothing is changed", self._price_and_version(id) == before)

    def _ask(self, body: dict[str, Any]) -> Response:
        response = ask(self._port, "POST", PATH, self._token, body)
        must(f"200, not {response.status} {response.content}", response.status == 200)
        return response

    def _must_refuse(self, body: dict[str, Any], why: str) -> None:
        must(f"{why}: refused", not _is_served(self._ask(body)))

    def _must_show(self, book: dict[str, Any], id: UUID) -> None:
        must_show_book(self._shop, {_COLUMNS.get(name, name): value for name, value in book.items()}, id)

    def _price_and_version(self, id: UUID) -> tuple[Decimal, int]:
        return tuple(self._shop.read("SELECT price, version FROM books WHERE id = $1", id))


def _data(response: Response) -> dict[str, Any]:
    must(f"no errors: {response.content}", "errors" not in response.content)
    data: dict[str, Any] = response.content["data"]
    return data


def _is_served(response: Response) -> bool:
    """Whether a mutation has given a book."""
    if response.status != 200 or response.content.get("errors"):
        return False
    return all(payload is not None and payload["book"] is not None for payload in response.content["data"].values())
