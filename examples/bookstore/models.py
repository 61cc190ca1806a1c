"""What the bookstore keeps."""

from datetime import date
from decimal import Decimal
from typing import Annotated
from uuid import UUID

from annotated_types import Ge, Le, Len
from sqlalchemy import ForeignKey, Identity, Numeric
from sqlalchemy.orm import Mapped, mapped_column, relationship

from gatepost import Model, Row


class Author(Model):
    __tablename__ = "authors"

    name: Mapped[Annotated[str, Len(1, 200)]]
    books: Mapped[list["Book"]] = relationship(back_populates="author")


class Book(Model):
    __tablename__ = "books"

    title: Mapped[Annotated[str, Len(1, 200)]]
    price: Mapped[Annotated[Decimal, Ge(0)]] = mapped_column(Numeric(10, 2))
    cost: Mapped[Annotated[Decimal, Ge(0)] | None] = mapped_column(Numeric(10, 2))
    stock: Mapped[Annotated[int, Ge(0)]] = mapped_column(default=0)
    published_on: Mapped[date | None] = mapped_column(index=True)
    author_id: Mapped[UUID] = mapped_column(ForeignKey("authors.id"), index=True)
    author: Mapped[Author] = relationship(back_populates="books")
    orders: Mapped[list["Order"]] = relationship(back_populates="book")


class Order(Row):
    __tablename__ = "orders"

    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    book_id: Mapped[UUID] = mapped_column(ForeignKey("books.id"), index=True)
    book: Mapped[Book] = relationship(back_populates="orders")
    quantity: Mapped[Annotated[int, Ge(1), Le(100)]]
    price: Mapped[Annotated[Decimal, Ge(0)]] = mapped_column(Numeric(10, 2))
    buyer_id: Mapped[UUID] = mapped_column(ForeignKey("users.id"), index=True)
