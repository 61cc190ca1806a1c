"""`examples/bookstore` on a real server: its data transfer objects, own endpoints and reports, for each identity."""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.acceptance.conftest import SECONDS_MAX, Running, run, wait_for, without_settings

EXAMPLES = Path(__file__).parents[2] / "examples"
APP = "examples.bookstore.app:app"
PASSWORD = "correct horse battery"
CARD = {"id", "title", "price", "is_available", "is_mine", "author"}
PAGE = CARD | {"published_on", "stock"}


@dataclass
class Store:
    """A running bookstore, and a client of each identity."""

    anonymous: httpx.Client
    editor: httpx.Client
    ada: httpx.Client
    bob: httpx.Client

    def author(self) -> str:
        """A new author's key."""
        return str(made(self.editor.post("/api/authors", json={"name": "Ursula K. Le Guin"}))["id"])

    def book(self, stock: int, author_id: str | None = None, **values: Any) -> str:
        """A new book's key."""
        book = {"title": "The Dispossessed", "price": "12.50", "cost": "5.00", "published_on": "1974-05-01"}
        body = {**book, "stock": stock, "author_id": author_id or self.author(), **values}
        return str(made(self.editor.post("/api/books", json=body))["id"])

    def stock(self, book: str) -> int:
        """How many copies there are."""
        return int(self.anonymous.get(f"/api/books/{book}").json()["data"]["stock"])


def made(response: httpx.Response) -> dict[str, Any]:
    """The data of a 201."""
    assert response.status_code == 201, response.text
    data: dict[str, Any] = response.json()["data"]
    return data


def data_of(response: httpx.Response) -> Any:
    """The data of a 200."""
    assert response.status_code == 200, response.text
    return response.json()["data"]


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """`gatepost dev` with the example, in a folder of its own: what is reloaded and kept is there."""
    folder = tmp_path_factory.mktemp("bookstore")
    shutil.copytree(EXAMPLES / "bookstore", folder / "examples/bookstore", ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "examples/__init__.py").touch()
    server = Running(["dev", APP, "--port", "0"], folder, without_settings(), "bookstore")
    try:
        wait_for(lambda: server.responds("/readyz", 200) or "Error: " in server.output, "the application")
        assert server.responds("/readyz", 200), server.output
        clients = [httpx.Client(base_url=f"http://127.0.0.1:{server.port}", timeout=SECONDS_MAX) for _ in range(4)]
        for client, name in zip(clients[1:], ("editor", "ada", "bob"), strict=True):
            sign_in(client, name, folder)
        yield Store(*clients)
        for client in clients:
            client.close()
    finally:
        server.close()


def sign_in(client: httpx.Client, name: str, folder: Path) -> None:
    """Create a user by the command, and give the client a token."""
    email = f"{name}@example.com"
    roles = ["--role", "editor"] if name == "editor" else []
    words = ["users", "create", email, *roles, "--password-stdin", "--app", APP]
    done = run(*words, cwd=folder, environ=without_settings(), stdin=PASSWORD)
    assert done.returncode == 0, done.stderr
    token = data_of(client.post("/api/auth/login", json={"email": email, "password": PASSWORD}))["access_token"]
    client.headers["Authorization"] = f"Bearer {token}"


def test_lists_show_cards_and_single_books_show_pages(store: Store) -> None:
    book = store.book(stock=3, title="Cards")

    card = data_of(store.anonymous.get("/api/books?title=Cards"))[0]
    page = data_of(store.anonymous.get(f"/api/books/{book}"))

    assert card.keys() == CARD
    assert page.keys() == PAGE
    assert card["author"].keys() == {"id", "name"}
    assert (page["is_available"], page["stock"]) == (True, 3)


def test_what_only_editors_may_see_is_absent_for_others_at_every_depth(store: Store) -> None:
    author = store.author()
    book = store.book(stock=3, author_id=author)
    made(store.ada.post("/api/orders", json={"book_id": book, "quantity": 1}))

    for client in (store.anonymous, store.ada, store.bob):
        shown = [client.get(path).text for path in (f"/api/books/{book}", f"/api/authors/{author}", "/api/orders")]
        assert not any(word in text for text in shown for word in ("cost", "margin", "orders_count"))
    page = data_of(store.editor.get(f"/api/books/{book}"))
    assert (page["margin"], page["orders_count"]) == ("7.50", 1)


def test_an_order_takes_copies_and_shows_its_book_to_its_buyer_only(store: Store) -> None:
    book = store.book(stock=3)

    order = made(store.ada.post("/api/orders", json={"book_id": book, "quantity": 2}))

    assert (order["price"], order["total"], order["book"]["is_mine"]) == ("12.50", "25.00", True)
    assert store.stock(book) == 1
    path = f"/api/orders/{order['id']}"
    assert [client.get(path).status_code for client in (store.anonymous, store.bob, store.ada)] == [401, 404, 200]
    assert data_of(store.anonymous.get(f"/api/books/{book}"))["is_mine"] is False
    refused = store.ada.post("/api/orders", json={"book_id": book, "quantity": 2})
    assert (refused.status_code, refused.json()["code"]) == (409, "out_of_stock")


def test_the_body_of_an_order_has_the_members_of_its_class_only(store: Store) -> None:
    book = store.book(stock=3)

    response = store.ada.post("/api/orders", json={"book_id": book, "quantity": 101, "price": "0.01"})

    assert response.status_code == 422
    assert {error["pointer"]: error["code"] for error in response.json()["errors"]} == {
        "/price": "unknown_field",
        "/quantity": "too_large",
    }
    assert store.stock(book) == 3


def test_an_editor_restocks_a_book(store: Store) -> None:
    book = store.book(stock=1)

    shown = data_of(store.editor.post(f"/api/books/{book}/restock", json={"copies": 5}))

    assert shown.keys() == PAGE | {"margin", "orders_count"}
    assert (shown["stock"], store.stock(book)) == (6, 6)


@pytest.mark.parametrize(
    ("who", "body", "status", "code"),
    [
        ("anonymous", {"copies": 5}, 401, "not_signed_in"),
        ("ada", {"copies": 5}, 403, "forbidden"),
        ("ada", {"copies": -5}, 403, "forbidden"),
        ("editor", {"copies": -5}, 422, "invalid_body"),
        ("editor", {"copies": 1001}, 422, "invalid_body"),
        ("editor", {"copies": 5, "note": "x"}, 422, "invalid_body"),
        ("editor", {}, 422, "invalid_body"),
    ],
)
def test_what_restocks_nothing(store: Store, who: str, body: dict[str, Any], status: int, code: str) -> None:
    book = store.book(stock=1)

    response = getattr(store, who).post(f"/api/books/{book}/restock", json=body)

    assert (response.status_code, response.json()["code"]) == (status, code)
    assert store.stock(book) == 1


def test_a_book_that_does_not_exist_is_not_restocked(store: Store) -> None:
    path = "/api/books/01a22c7b-6aee-794b-912c-d0ca910f1841/restock"
    assert store.editor.post(path, json={"copies": 5}).status_code == 404


def test_bestsellers_are_those_of_which_most_copies_were_ordered(store: Store) -> None:
    few, many = store.book(stock=90, title="Few"), store.book(stock=90, title="Many")
    for book, quantity in ((few, 70), (many, 40), (many, 40)):
        made(store.bob.post("/api/orders", json={"book_id": book, "quantity": quantity}))

    best = data_of(store.anonymous.get("/api/books/bestsellers"))

    assert [book["title"] for book in best[:2]] == ["Many", "Few"]
    assert best[0].keys() == CARD
    assert data_of(store.anonymous.get("/api/books/bestsellers?since=2999-01-01")) == []
    assert store.anonymous.get("/api/books/bestsellers?since=yesterday").status_code == 400


def test_reports_are_plain_data_for_editors(store: Store) -> None:
    made(store.ada.post("/api/orders", json={"book_id": store.book(stock=3, price="10"), "quantity": 2}))

    days = data_of(store.editor.get("/api/reports/sales?since=2020-01-01"))
    shelves = data_of(store.editor.get("/api/reports/stock"))

    assert days[-1].keys() == {"day", "copies", "turnover"}
    assert days[-1]["copies"] >= 2
    assert shelves.keys() == {"titles", "copies", "value"}
    assert shelves["titles"] >= 1
    for path in ("sales?since=2020-01-01", "stock"):
        statuses = [client.get(f"/api/reports/{path}").status_code for client in (store.anonymous, store.ada)]
        assert statuses == [401, 403]
