from decimal import Decimal
from typing import Annotated
from uuid import UUID

from annotated_types import Ge, Le, Len
from sqlalchemy import ForeignKey, Numeric
from sqlalchemy.orm import Mapped, mapped_column, relationship

from gatepost import Actor, App, Conflict, Model, Resource, Service, anyone, owner, role


class Author(Model):
    __tablename__ = "authors"

    name: Mapped[Annotated[str, Len(1, 200)]]
    books: Mapped[list["Book"]] = relationship(back_populates="author")


class Book(Model):
    __tablename__ = "books"

    title: Mapped[Annotated[str, Len(1, 200)]]
    price: Mapped[Annotated[Decimal, Ge(0)]] = mapped_column(Numeric(10, 2))
    stock: Mapped[Annotated[int, Ge(0)]] = mapped_column(default=0)
    author_id: Mapped[UUID] = mapped_column(ForeignKey("authors.id"), index=True)
    author: Mapped[Author] = relationship(back_populates="books")


class Order(Model):
    __tablename__ = "orders"

    book_id: Mapped[UUID] = mapped_column(ForeignKey("books.id"), index=True)
    quantity: Mapped[Annotated[int, Ge(1), Le(100)]]
    buyer_id: Mapped[UUID] = mapped_column(ForeignKey("users.id"), index=True)


class Orders(Service[Order]):
    """Business logic lives here, inside the request's own transaction."""

    async def create(self, draft: Order, actor: Actor) -> Order:
        book = await self.session.get_one(Book, draft.book_id, with_for_update=True)
        if book.stock < draft.quantity:
            raise Conflict("out_of_stock", f"Only {book.stock} copies are left.")
        book.stock -= draft.quantity
        return await super().create(draft, actor)


app = App(
    Resource(Author, read=anyone, write=role("editor"), sort=["name"]),
    Resource(Book, read=anyone, write=role("editor"), search=["title"], sort=["title", "price"]),
    Resource(Order, read=owner("buyer_id"), create=owner("buyer_id"), service=Orders),
)
