"""The four works: which requests are sent, as bytes made beforehand, and the status that each must get."""

import json
from dataclasses import dataclass
from uuid import UUID

from benchmarks.database import Bookshop

PAGE_SIZE = 50
CREATED_TITLE = "Created by the benchmark, {}"


@dataclass(frozen=True)
class Work:
    """One kind of request."""

    name: str
    status: int
    writes: bool
    requests: tuple[bytes, ...]
    contains: bytes = b'"version":'
    """What every response has in it: a status alone tells little where refusals have 200."""


def request_bytes(method: str, target: str, token: str | None, body: object = None, **headers: str) -> bytes:
    """A whole HTTP/1.1 request, as a program that is somebody's client would send it."""
    lines = [f"{method} {target} HTTP/1.1", "Host: 127.0.0.1", "Accept: application/json", "User-Agent: benchmark"]
    if token is not None:
        lines.append(f"Authorization: Bearer {token}")
    content = b"" if body is None else json.dumps(body).encode()
    if body is not None:
        kind = "application/merge-patch+json" if headers.pop("merge", None) else "application/json"
        lines += [f"Content-Type: {kind}", f"Content-Length: {len(content)}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode() + content


def page_target(price: object) -> str:
    """The target of the filtered and sorted page."""
    return f"/api/books?price[lt]={price}&sort=-price&limit={PAGE_SIZE}"


def price_changes(shop: Bookshop) -> list[tuple[UUID, str]]:
    """Which books `patch` changes, in this order, and the price that each gets: twice, by another one each time."""
    return [(id, f"{1 + n % 99}.{n % 100:02}") for turn in range(2) for n, id in enumerate(shop.book_ids, turn)]


def works(shop: Bookshop, token: str) -> dict[str, Work]:
    """All works for one token, by name."""
    draft = {"price": "12.34", "stock": 3, "author_id": str(shop.author_id)}
    return {
        work.name: work
        for work in (
            Work("one_row", 200, False, tuple(request_bytes("GET", f"/api/books/{id}", token) for id in shop.book_ids)),
            Work("page_50", 200, False, tuple(request_bytes("GET", page_target(p), token) for p in shop.prices)),
            Work(
                "create",
                201,
                True,
                tuple(
                    request_bytes("POST", "/api/books", token, {"title": CREATED_TITLE.format(n), **draft})
                    for n in range(256)
                ),
            ),
            Work(
                "patch",
                200,
                True,
                tuple(
                    request_bytes("PATCH", f"/api/books/{id}", token, {"price": price}, merge="1")
                    for id, price in price_changes(shop)
                ),
            ),
        )
    }


WORK_NAMES = ("one_row", "page_50", "create", "patch")
