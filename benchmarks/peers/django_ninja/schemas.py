"""Request and response schemas; what is shown of a book is derived from its model."""

from decimal import Decimal
from typing import Annotated
from uuid import UUID

from ninja import ModelSchema, Schema
from pydantic import Field

from .models import Book

Title = Annotated[str, Field(min_length=1, max_length=200)]
Price = Annotated[Decimal, Field(ge=0, max_digits=10, decimal_places=2)]
Stock = Annotated[int, Field(ge=0, lt=2**31)]


class BookCreate(Schema):
    model_config = {"extra": "forbid"}

    title: Title
    price: Price
    author_id: UUID
    stock: Stock = 0


class BookUpdate(Schema):
    model_config = {"extra": "forbid"}

    title: Title | None = None
    price: Price | None = None
    stock: Stock | None = None


class BookPublic(ModelSchema):
    author_id: UUID

    class Meta:
        model = Book
        fields = ["id", "title", "price", "stock", "created_at", "updated_at", "version"]


class BookResponse(Schema):
    data: BookPublic


class Page(Schema):
    limit: int
    next: str | None
    prev: str | None


class BookList(Schema):
    data: list[BookPublic]
    page: Page
