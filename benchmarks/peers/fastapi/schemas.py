"""Request and response models."""

from datetime import datetime
from decimal import Decimal
from typing import Annotated
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

Title = Annotated[str, Field(min_length=1, max_length=200)]
Price = Annotated[Decimal, Field(ge=0, max_digits=10, decimal_places=2)]
Stock = Annotated[int, Field(ge=0, lt=2**31)]


class BookCreate(BaseModel):
    model_config = ConfigDict(extra="forbid")

    title: Title
    price: Price
    author_id: UUID
    stock: Stock = 0


class BookUpdate(BaseModel):
    model_config = ConfigDict(extra="forbid")

    title: Title | None = None
    price: Price | None = None
    stock: Stock | None = None


class BookPublic(BaseModel):
    model_config = ConfigDict(from_attributes=True)

    id: UUID
    title: str
    price: Decimal
    stock: int
    author_id: UUID
    created_at: datetime
    updated_at: datetime
    version: int


class BookResponse(BaseModel):
    data: BookPublic


class Page(BaseModel):
    limit: int
    next: str | None
    prev: str | None


class BookList(BaseModel):
    data: list[BookPublic]
    page: Page
