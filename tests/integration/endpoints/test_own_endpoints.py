"""Own endpoints over HTTP: what they take, what they return, and who is refused."""

from typing import Any
from uuid import uuid4

import pytest
from endpoints_clients import Library, failures

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_a_row_of_the_path_is_changed_by_a_service(library: Library) -> None:
    book = await library.book(stock=3)

    response = await library.editor.post(f"/api/books/{book.id}/restock", json={"copies": 4})

    assert response.status == 200
    assert response.data["stock"] == 7
    assert await library.stock(book) == 7


async def test_a_row_is_found_by_another_unique_attribute(library: Library) -> None:
    book = await library.book(title="Found")

    response = await library.anonymous.get(f"/api/books/by-isbn/{book.isbn}")

    assert (response.status, response.data["title"]) == (200, "Found")
    assert response.headers["etag"]


async def test_a_read_that_shows_nothing_is_204(library: Library) -> None:
    response = await library.anonymous.get("/api/desk/silent")

    assert (response.status, response.body) == (204, b"")


async def test_a_row_that_is_unchanged_is_not_sent_again(library: Library) -> None:
    book = await library.book()
    path = f"/api/books/by-isbn/{book.isbn}"
    tag = (await library.anonymous.get(path)).headers["etag"]

    same = await library.anonymous.get(path, headers={"if-none-match": tag})
    await library.reader.post(f"/api/books/{book.isbn}/sell")
    changed = await library.anonymous.get(path, headers={"if-none-match": tag})

    assert (same.status, same.body, same.headers["etag"]) == (304, b"", tag)
    assert (changed.status, changed.data["stock"]) == (200, 2)


async def test_an_attribute_that_is_set_on_a_loaded_row_is_written(library: Library) -> None:
    book = await library.book(stock=1)

    sold = await library.reader.post(f"/api/books/{book.isbn}/sell")
    refused = await library.reader.post(f"/api/books/{book.isbn}/sell")

    assert (sold.status, sold.data["stock"]) == (200, 0)
    assert (refused.status, refused.json()["code"]) == (409, "out_of_stock")


@pytest.mark.parametrize(
    ("who", "method", "path", "status"),
    [
        ("anonymous", "POST", "/api/books/{secret}/restock", 401),
        ("reader", "POST", "/api/books/{secret}/restock", 403),
        ("editor", "POST", "/api/books/{secret}/restock", 200),
        ("reader", "POST", "/api/books/{secret_isbn}/sell", 404),
        ("editor", "POST", "/api/books/{secret_isbn}/sell", 200),
        ("anonymous", "GET", "/api/books/by-isbn/{secret_isbn}", 404),
        ("editor", "GET", "/api/books/by-isbn/{secret_isbn}", 200),
        ("editor", "POST", "/api/books/{absent}/restock", 404),
        ("editor", "POST", "/api/books/not-a-uuid/restock", 404),
        ("anonymous", "GET", "/api/desk/maybe?isbn={secret_isbn}", 404),
        ("editor", "GET", "/api/desk/maybe?isbn={secret_isbn}", 200),
        ("anonymous", "GET", "/api/desk/maybe?isbn=absent", 404),
        ("anonymous", "PUT", "/api/desk/books/x", 401),
        ("anonymous", "PATCH", "/api/desk/books/x", 405),
        ("anonymous", "GET", "/api/desk/nowhere", 404),
    ],
)
async def test_who_is_refused(library: Library, who: str, method: str, path: str, status: int) -> None:
    secret = await library.book(is_secret=True)
    path = path.format(secret=secret.id, secret_isbn=secret.isbn, absent=uuid4())

    body = {} if method == "GET" else {"json": {"copies": 1}}
    response = await library.by(who).request(method, path, **body)

    assert response.status == status
    if status >= 400:
        assert "A book" not in response.body.decode()


async def test_hidden_rows_are_dropped_from_lists(library: Library) -> None:
    first, secret = await library.book(isbn="zz-2"), await library.book(isbn="zz-1", is_secret=True)

    seen = {who: await library.by(who).get("/api/books/many") for who in ("anonymous", "editor")}

    found = {who: [book["isbn"] for book in response.data] for who, response in seen.items()}
    assert found["editor"][:2] == [first.isbn, secret.isbn]
    assert found["anonymous"][0] == first.isbn
    assert secret.isbn not in found["anonymous"]


@pytest.mark.parametrize(
    ("body", "errors"),
    [
        ({"copies": 0}, [("/copies", "too_small")]),
        ({"copies": "7", "nte": 1}, [("/copies", "wrong_type"), ("/nte", "unknown_field")]),
        ({}, [("/copies", "required")]),
        ({"copies": 1.5}, [("/copies", "wrong_type")]),
        ([], [("", "wrong_type")]),
    ],
)
async def test_a_body_names_every_violation(library: Library, body: Any, errors: list[tuple[str, str]]) -> None:
    book = await library.book()

    response = await library.editor.post(f"/api/books/{book.id}/restock", json=body)

    assert response.status == 422
    assert [(error["pointer"], error["code"]) for error in response.json()["errors"]] == errors


async def test_a_value_error_of_a_class_is_a_violation(library: Library) -> None:
    book = await library.book()

    response = await library.editor.post(f"/api/books/{book.id}/move", json={"shelf": "floor"})

    [error] = response.json()["errors"]
    assert response.status == 422
    assert error == {"pointer": "", "code": "invalid_value", "detail": "Books do not belong on the floor."}


async def test_another_service_acts_in_the_same_transaction(library: Library) -> None:
    book = await library.book()

    response = await library.editor.post(f"/api/books/{book.id}/move", json={"shelf": "A1"})

    assert response.status == 200
    shelf = await library.anonymous.get(f"/api/shelves/{response.data['shelf_id']}")
    assert shelf.data["name"] == "A1"


async def test_an_endpoint_replaces_the_derived_one(library: Library) -> None:
    book = await library.book(stock=5)

    response = await library.editor.delete(f"/api/books/{book.id}")

    assert response.status == 204
    assert await library.stock(book) == 0


async def test_what_is_created_has_its_own_path(library: Library) -> None:
    book = await library.book()

    response = await library.reader.post(f"/api/desk/loans/{book.isbn}")

    assert response.status == 201
    assert response.data["reader_id"] == str(library.reader_id)
    found = await library.reader.get(response.headers["location"])
    assert found.data == response.data


async def test_a_put_creates_or_changes(library: Library) -> None:
    isbn = uuid4().hex[:12]

    created = await library.editor.request("PUT", f"/api/desk/books/{isbn}", json={"copies": 1})
    changed = await library.editor.request("PUT", f"/api/desk/books/{isbn}", json={"copies": 2})

    assert (created.status, created.data["stock"]) == (201, 1)
    assert (changed.status, changed.data["stock"]) == (200, 2)


async def test_query_parameters_have_the_types_of_the_signature(library: Library) -> None:
    plain = await library.anonymous.get("/api/desk/echo/7/2030-01-31")
    full = await library.anonymous.get(
        "/api/desk/echo/7/2030-01-31?genre=poetry&price=1.50&tags=a&tags=b&limit=10&is_open=true"
    )

    assert plain.data == {
        "number": 7,
        "day": "2030-01-31",
        "genre": None,
        "price": "1",
        "tags": [],
        "limit": 5,
        "is_open": False,
    }
    assert full.data == {
        **plain.data,
        "genre": "poetry",
        "price": "1.50",
        "tags": ["a", "b"],
        "limit": 10,
        "is_open": True,
    }


@pytest.mark.parametrize(
    ("path", "status", "words"),
    [
        ("/api/desk/echo/seven/2030-01-31", 404, ""),
        ("/api/desk/echo/7/2030-02-31", 404, ""),
        ("/api/desk/echo/7/2030-01-31?limit=11", 400, "limit"),
        ("/api/desk/echo/7/2030-01-31?limit=1&limit=2", 400, "more than once"),
        ("/api/desk/echo/7/2030-01-31?genre=prose", 400, "crime"),
        ("/api/desk/echo/7/2030-01-31?genra=crime", 400, "genre"),
        ("/api/desk/echo/7/2030-01-31?genre=x&price=y", 400, "price"),
        ("/api/desk/maybe", 400, "isbn"),
        ("/api/desk/head", 400, "x-signature"),
    ],
)
async def test_bad_parameters_are_refused_by_name(library: Library, path: str, status: int, words: str) -> None:
    response = await library.anonymous.get(path)

    assert response.status == status
    assert words in response.json()["detail"]


async def test_headers_cookies_actor_and_call_are_parameters(library: Library) -> None:
    headers = {"x-signature": "s", "cookie": "theme=dark", "x-depth": "3"}

    response = await library.reader.get("/api/desk/head", headers=headers)

    assert response.data == {
        "id": response.headers["x-request-id"],
        "who": str(library.reader_id),
        "signature": "s",
        "theme": "dark",
        "depth": 3,
    }


async def test_a_response_goes_out_as_it_is(library: Library) -> None:
    raw = await library.anonymous.get("/api/desk/raw")
    nothing = await library.anonymous.post("/api/desk/nothing")

    assert (raw.status, raw.body, raw.headers["content-type"]) == (202, b"hello", "text/plain")
    assert (nothing.status, nothing.json()) == (202, {"data": 7})


async def test_a_read_that_writes_is_an_error_of_the_server(library: Library) -> None:
    book = await library.book(stock=3)
    failures.clear()

    response = await library.anonymous.get(f"/api/books/{book.isbn}/steal")

    assert response.status == 500
    assert await library.stock(book) == 3
    [failure] = failures
    assert "@post" in str(failure.error)
