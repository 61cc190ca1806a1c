"""The bookshop on a database of a test's own, and customers who order from it."""

from dataclasses import dataclass
from typing import Any

from examples.bookshop.app import Author, Book, Order, app
from sqlalchemy import delete

from gatepost.testing import Client, TestApp


@dataclass
class Shop:
    """A running bookshop with one book and one customer."""

    running: TestApp
    customer: Client
    book: str

    async def order(self, quantity: int = 1) -> Any:
        """Try to buy some copies."""
        return await self.customer.post("/api/orders", json={"book_id": self.book, "quantity": quantity})

    async def stock(self) -> int:
        """How many copies are left."""
        stock: int = (await self.customer.get(f"/api/books/{self.book}")).data["stock"]
        return stock

    async def orders(self) -> dict[str, int]:
        """The quantities that are in the database, by the order's key."""
        records = await app.running.database.fetch("SELECT id::text, quantity FROM orders")
        return {record[0]: record[1] for record in records}


async def open_shop(running: TestApp, stock: int) -> Shop:
    """One book with so many copies, and nothing of an earlier test."""
    async with app.transaction() as tx:
        for model in (Order, Book, Author):
            await tx.session.execute(delete(model))
        author = Author(name="Ursula K. Le Guin")
        tx.session.add(author)
        await tx.session.flush()
        book = Book(title="The Dispossessed", price="9.99", stock=stock, author_id=author.id)
        tx.session.add(book)
    return Shop(running, await running.user(), str(book.id))
