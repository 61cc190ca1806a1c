"""The four works for a server whose interface is GraphQL: the same rows and values, asked for in its language."""

from typing import Any
from uuid import UUID

from benchmarks.database import Bookshop
from benchmarks.works import CREATED_TITLE, PAGE_SIZE, Work, price_changes, request_bytes

PATH = "/graphql"
_BOOK = "rowId title price stock authorId createdAt updatedAt version"
ONE = f"query One($id: UUID!) {{ book(rowId: $id) {{ {_BOOK} }} }}"
PAGE = f"""query Page($below: BigFloat!, $limit: Int!) {{
  books(first: $limit, orderBy: [PRICE_DESC, ROW_ID_DESC], filter: {{ price: {{ lessThan: $below }} }}) {{
    nodes {{ {_BOOK} }}
    pageInfo {{ hasNextPage endCursor }}
  }}
}}"""
CREATE = f"mutation Create($book: BookInput!) {{ createBook(input: {{ book: $book }}) {{ book {{ {_BOOK} }} }} }}"
UPDATE = f"""mutation Update($id: UUID!, $patch: BookPatch!) {{
  updateBook(input: {{ rowId: $id, patch: $patch }}) {{ book {{ {_BOOK} }} }}
}}"""


def operation(document: str, **variables: Any) -> dict[str, Any]:
    """The body of a request."""
    return {"query": document, "variables": variables}


def page_of(price: object) -> dict[str, Any]:
    """The body that asks for the filtered and sorted page."""
    return operation(PAGE, below=str(price), limit=PAGE_SIZE)


def patch_of(id: UUID, price: str) -> dict[str, Any]:
    """The body that sets the price of a book."""
    return operation(UPDATE, id=str(id), patch={"price": price})


def graphql_works(shop: Bookshop, token: str) -> dict[str, Work]:
    """All works for one token, by name. GraphQL responds with 200 whatever happened."""
    draft = {"price": "12.34", "stock": 3, "authorId": str(shop.author_id)}
    bodies = {
        "one_row": [operation(ONE, id=str(id)) for id in shop.book_ids],
        "page_50": [page_of(price) for price in shop.prices],
        "create": [operation(CREATE, book={"title": CREATED_TITLE.format(n), **draft}) for n in range(256)],
        "patch": [patch_of(id, price) for id, price in price_changes(shop)],
    }
    return {
        name: Work(name, 200, name in {"create", "patch"}, tuple(request_bytes("POST", PATH, token, b) for b in of))
        for name, of in bodies.items()
    }
