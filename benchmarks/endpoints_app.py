"""The bookshop with own endpoints and data transfer objects, for `benchmarks/endpoints.py`."""

from decimal import Decimal
from uuid import UUID

from examples.bookshop.app import Author, Book, Order, Orders
from sqlalchemy import Select, select

from gatepost import DTO, App, Controller, Resource, anyone, computed, get, owner, role


class AuthorName(DTO[Author]):
    """Who wrote a book."""

    name: str


class BookCard(DTO[Book]):
    """Five members: three columns, one expression, one relation."""

    id: UUID
    title: str
    price: Decimal
    is_available: bool = computed(Book.stock > 0)
    author: AuthorName


class BookRoutes(Controller[Book]):
    """One endpoint of each kind that is measured."""

    @get("/{book}/again", allow=anyone)
    async def again(self, book: Book) -> Book:
        """The row of the path, handed back."""
        return book

    @get("/chosen", allow=anyone, paging=False)
    async def chosen(self, id: UUID) -> Select[Book]:
        """One row by a SELECT of its own."""
        return select(Book).where(Book.id == id)


def _app(**lists: type[DTO[Book]]) -> App:
    return App(
        Resource(Author, read=anyone, write=role("editor"), sort=["name"]),
        Resource(
            Book,
            read=anyone,
            write=role("editor"),
            search=["title"],
            sort=["title", "price"],
            controller=BookRoutes,
            **lists,
        ),
        Resource(Order, read=owner("buyer_id"), create=owner("buyer_id"), service=Orders),
    )


app = _app()
cards = _app(lists=BookCard)
