"""An app for the console to watch: its operations answer, take long or fail as the request asks."""

import asyncio
import os
from decimal import Decimal
from typing import Annotated

from annotated_types import Ge, Le, Len
from msgspec import Struct
from sqlalchemy import Numeric, text
from sqlalchemy.orm import Mapped, mapped_column

from gatepost import App, Conflict, Controller, Model, Objective, Resource, Service, anyone, get, post, seconds


class Book(Model):
    __tablename__ = "books"

    title: Mapped[Annotated[str, Len(1, 200)]]
    price: Mapped[Annotated[Decimal, Ge(0)]] = mapped_column(Numeric(10, 2))


class Order(Model):
    __tablename__ = "orders"

    title: Mapped[Annotated[str, Len(1, 200)]]
    copies: Mapped[Annotated[int, Ge(1), Le(100)]]


class Placed(Struct):
    """What became of an order."""

    copies: int


WORDS = os.environ.get("SOLD_OUT_WORDS", "no warehouse has 13 copies of it")


class SoldOut(Exception):
    """Nobody expects it."""


class Checkouts(Service[Order]):
    """What the endpoints have done."""

    async def wait(self, seconds: float) -> None:
        await self.session.execute(text("SELECT pg_sleep(:seconds)").bindparams(seconds=seconds))


class Checkout(Controller):
    path = "checkout"
    checkouts: Checkouts

    @post("", allow=anyone)
    async def check_out(self, copies: Annotated[int, Ge(1)] = 1, wait: Annotated[float, Ge(0), Le(5)] = 0.0) -> Placed:
        """Place an order: of 13 copies it fails, of more than 100 there are not enough; it waits for the database."""
        if wait:
            await self.checkouts.wait(wait)
        if copies == 13:
            raise SoldOut(WORDS)
        if copies > 100:
            raise Conflict("out_of_stock", "Too few copies are left.")
        return Placed(copies)

    @get("/quote", allow=anyone)
    async def quote(self, wait: Annotated[float, Ge(0), Le(5)] = 0.0) -> Placed:
        """A price, after a while."""
        await asyncio.sleep(wait)
        return Placed(1)


app = App(
    Resource(Book, read=anyone, create=anyone, search=["title"], sort=["title"]),
    Resource(Order, read=anyone, service=Checkouts),
    controllers=[Checkout],
    objectives=[Objective("checkout", share=0.999, of=[Checkout], faster_than=seconds(0.5))],
)
