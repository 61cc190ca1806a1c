"""What customers do in the bookshop: look around, order, and try to see what others ordered."""

import re
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID, uuid4

import pytest
import pytest_asyncio
from examples.bookshop.app import Author, Book, Order, Orders, app
from shop import Shop, open_shop

from gatepost import App, Resource, anyone, owner
from gatepost.testing import Client, ClientResponse, TestApp

pytestmark = pytest.mark.asyncio(loop_scope="module")

STOCK = 3


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def running(module_database_url: str) -> AsyncIterator[TestApp]:
    """The bookshop, started once for the tests of this module."""
    async with TestApp(app, module_database_url) as started:
        yield started


@pytest_asyncio.fixture(loop_scope="module")
async def shop(running: TestApp) -> Shop:
    """A shop with one book, three copies of it, and a customer."""
    return await open_shop(running, STOCK)


async def add_book(title: str, price: str, author: str) -> None:
    """One more book, by another author."""
    async with app.transaction() as tx:
        writer = Author(name=author)
        tx.session.add(writer)
        await tx.session.flush()
        tx.session.add(Book(title=title, price=price, stock=1, author_id=writer.id))


def refusal(response: ClientResponse) -> tuple[int, str, list[tuple[str, str]]]:
    """Status, code, and pointers with their codes."""
    problem: dict[str, Any] = response.json()
    return response.status, problem["code"], [(error["pointer"], error["code"]) for error in problem["errors"]]


async def test_a_book_is_read_by_anybody(shop: Shop) -> None:
    response = await shop.running.anonymous.get(f"/api/books/{shop.book}")
    assert response.status == 200
    assert re.fullmatch(r'"1\.[0-9a-f]{8}"', response.headers["etag"])
    assert (response.data["title"], response.data["price"], response.data["stock"]) == (
        "The Dispossessed",
        "9.99",
        STOCK,
    )


async def test_a_filtered_page_shows_each_book_with_its_author(shop: Shop) -> None:
    await add_book("The Sea", "4.50", "John Banville")
    await add_book("Small Things Like These", "12.00", "Claire Keegan")
    response = await shop.running.anonymous.get("/api/books?price[lt]=10&sort=-price&expand=author&fields=title,price")
    shown = [(book["title"], book["price"], book["author"]["name"]) for book in response.data]
    assert shown == [("The Dispossessed", "9.99", "Ursula K. Le Guin"), ("The Sea", "4.50", "John Banville")]
    named = await shop.running.anonymous.get("/api/books?author.name=Claire+Keegan")
    assert [book["title"] for book in named.data] == ["Small Things Like These"]


async def test_an_order_takes_copies_and_belongs_to_who_made_it(shop: Shop) -> None:
    response = await shop.order(2)
    assert response.status == 201
    assert response.headers["location"] == f"/api/orders/{response.data['id']}"
    me = (await shop.customer.get("/api/auth/me")).data["id"]
    assert (response.data["quantity"], response.data["buyer_id"]) == (2, me)
    assert await shop.stock() == STOCK - 2


async def test_an_order_that_runs_out_of_stock_is_a_conflict_and_leaves_the_stock(shop: Shop) -> None:
    response = await shop.order(STOCK + 1)
    assert refusal(response) == (409, "out_of_stock", [])
    assert response.json()["detail"] == f"Only {STOCK} copies are left."
    assert await shop.stock() == STOCK
    assert await shop.orders() == {}


@pytest.mark.parametrize("quantity", [0, -1, 101, 10**30, 1.5, "1", None, True, [1]])
async def test_an_order_of_no_number_of_copies_is_refused_before_the_stock_is_asked(shop: Shop, quantity: Any) -> None:
    response = await shop.order(quantity)
    assert response.status == 422
    assert [error["pointer"] for error in response.json()["errors"]] == ["/quantity"]
    assert (await shop.stock(), await shop.orders()) == (STOCK, {})


async def test_an_order_for_a_book_that_does_not_exist_is_refused_at_its_pointer(shop: Shop) -> None:
    response = await shop.customer.post("/api/orders", json={"book_id": str(uuid4()), "quantity": 1})
    assert refusal(response) == (422, "reference_not_found", [("/book_id", "not_found")])
    assert await shop.orders() == {}


async def test_an_order_in_the_name_of_somebody_else_is_forbidden(shop: Shop) -> None:
    _, other = await shop.running.user_and_id()
    order = {"book_id": shop.book, "quantity": 1, "buyer_id": str(other)}
    assert refusal(await shop.customer.post("/api/orders", json=order)) == (403, "forbidden", [])
    assert (await shop.stock(), await shop.orders()) == (STOCK, {})


async def test_nobody_orders_or_sees_orders_without_signing_in(shop: Shop) -> None:
    made = (await shop.order()).data["id"]
    nobody = shop.running.anonymous
    for response in (
        await nobody.post("/api/orders", json={"book_id": shop.book, "quantity": 1}),
        await nobody.get("/api/orders"),
        await nobody.get(f"/api/orders/{made}"),
    ):
        assert refusal(response) == (401, "not_signed_in", [])
        assert response.headers["www-authenticate"] == "Bearer"


def without_request(response: ClientResponse) -> dict[str, Any]:
    """A problem without what differs from request to request."""
    return {name: value for name, value in response.json().items() if name != "request_id"}


async def test_a_stranger_can_neither_read_nor_guess_an_order(shop: Shop) -> None:
    made = (await shop.order()).data["id"]
    stranger: Client = await shop.running.user("editor")
    assert (await stranger.get("/api/orders")).data == []
    taken = await stranger.get(f"/api/orders/{made}")
    free = await stranger.get(f"/api/orders/{UUID(int=UUID(made).int + 1)}")
    assert refusal(taken) == refusal(free) == (404, "not_found", [])
    assert without_request(taken) == without_request(free)
    assert made not in taken.body.decode()


async def test_an_order_is_changed_by_nobody_because_its_resource_does_not_open_that(shop: Shop) -> None:
    """The declaration says who may read and create. An action that it does not name has no route, for whoever asks and
    for whatever key: the response tells nothing of an order either."""
    made = (await shop.order()).data["id"]
    stranger = await shop.running.user("editor")
    paths = [f"/api/orders/{made}", f"/api/orders/{uuid4()}"]
    problems = []
    for client in (stranger, shop.customer, shop.running.anonymous):
        for path in paths:
            for response in (await client.patch(path, json={"quantity": 100}), await client.delete(path)):
                assert refusal(response) == (405, "method_not_allowed", [])
                assert response.headers["allow"] == "GET, HEAD, OPTIONS"
                problems.append(without_request(response))
    assert all(problem == problems[0] for problem in problems)
    assert (await shop.customer.get(f"/api/orders/{made}")).data["quantity"] == 1


async def test_where_owners_may_change_orders_a_stranger_finds_none_to_change(
    shop: Shop, module_database_url: str
) -> None:
    mine = owner("buyer_id")
    opened = App(Resource(Book, read=anyone), Resource(Order, read=mine, write=mine, service=Orders))
    made = (await shop.order()).data["id"]
    async with TestApp(opened, module_database_url) as other:
        stranger, buyer = await other.user("editor"), await other.user()
        bought = (await buyer.post("/api/orders", json={"book_id": shop.book, "quantity": 1})).data["id"]
        for key in (made, bought, str(uuid4())):
            path = f"/api/orders/{key}"
            responses = [
                await stranger.get(path),
                await stranger.patch(path, json={"quantity": 2}),
                await stranger.patch(path, json={"quantity": 2}, headers={"if-match": '"1"'}),
                await stranger.delete(path),
            ]
            assert [refusal(response) for response in responses] == [(404, "not_found", [])] * 4
        assert (await buyer.patch(f"/api/orders/{bought}", json={"quantity": 2})).data["quantity"] == 2
        assert sorted((await shop.orders()).values()) == [1, 2]
