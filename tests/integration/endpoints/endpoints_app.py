"""A library whose controllers have endpoints of every kind: what the tests of this folder serve."""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from enum import Enum
from typing import Annotated
from uuid import UUID

import msgspec
from annotated_types import Ge, Le, Len
from sqlalchemy import ForeignKey, Select, func, select
from sqlalchemy.orm import Mapped, mapped_column, relationship

from gatepost import (
    Actor,
    App,
    Call,
    Changes,
    Conflict,
    Controller,
    Cookie,
    Created,
    Header,
    Locked,
    Model,
    Resource,
    Service,
    actor_column,
    actor_id,
    anyone,
    authenticated,
    delete,
    get,
    owner,
    policy,
    post,
    put,
    role,
)
from gatepost.call import Response


class Shelf(Model):
    __tablename__ = "endpoint_shelves"

    name: Mapped[Annotated[str, Len(1, 50)]]


class Folio(Model):
    __tablename__ = "endpoint_books"

    isbn: Mapped[Annotated[str, Len(1, 20)]] = mapped_column(unique=True)
    title: Mapped[Annotated[str, Len(1, 200)]]
    stock: Mapped[Annotated[int, Ge(0)]] = mapped_column(default=0)
    price: Mapped[Decimal] = mapped_column(default=Decimal(1))
    is_secret: Mapped[bool] = mapped_column(default=False)
    shelf_id: Mapped[UUID | None] = mapped_column(ForeignKey("endpoint_shelves.id"), index=True)
    shelf: Mapped[Shelf | None] = relationship()


class Loan(Model):
    __tablename__ = "endpoint_loans"

    book_id: Mapped[UUID] = mapped_column(ForeignKey("endpoint_books.id"), index=True)
    reader_id: Mapped[UUID] = mapped_column(ForeignKey("users.id"), index=True)


class Genre(Enum):
    CRIME = "crime"
    POETRY = "poetry"


class Restock(msgspec.Struct, frozen=True):
    copies: Annotated[int, Ge(1), Le(1000)]
    note: str | None = None


@dataclass(frozen=True)
class Move:
    shelf: Annotated[str, Len(1, 50)]

    def __post_init__(self) -> None:
        if self.shelf == "floor":
            raise ValueError("Books do not belong on the floor.")


class Books(Service[Folio]):
    async def restock(self, book: Folio, copies: int, actor: Actor) -> Folio:
        return await self.update(book, Changes({"stock": book.stock + copies}), actor)


class FolioRoutes(Controller[Folio]):
    @post("/{book}/restock", allow=role("editor"))
    async def restock(self, book: Locked[Folio], body: Restock, books: Books, actor: Actor) -> Folio:
        return await books.restock(book, body.copies, actor)

    @post("/{book:isbn}/sell", allow=authenticated)
    async def sell(self, book: Locked[Folio]) -> Folio:
        """Sets an attribute: trusted code."""
        if book.stock == 0:
            raise Conflict("out_of_stock", "None is left.")
        book.stock -= 1
        return book

    @get("/by-isbn/{book:isbn}", allow=anyone)
    async def by_isbn(self, book: Folio) -> Folio:
        return book

    @get("/{book:isbn}/steal", allow=anyone)
    async def steal(self, book: Folio) -> Folio:
        """A read that writes."""
        book.stock = 0
        return book

    @post("/{book}/move", allow=role("editor"))
    async def move(self, book: Folio, body: Move, shelves: Service[Shelf], actor: Actor) -> Folio:
        shelf = await shelves.create(Shelf(name=body.shelf), actor)
        book.shelf_id = shelf.id
        return book

    @get("/many", allow=anyone)
    async def many(self, books: Books) -> list[Folio]:
        return list(await books.session.scalars(select(Folio).order_by(Folio.isbn.desc())))

    @delete("/{book}", allow=role("editor"))
    async def bury(self, book: Folio, books: Books, actor: Actor) -> None:
        """Replaces the derived one."""
        await books.update(book, Changes({"stock": 0}), actor)


class FolioLists(Controller):
    """Endpoints that return a Select."""

    path = "lists"

    @get("/stocked", allow=anyone)
    async def stocked(self, stock: int = 1, titles: list[str] = []) -> Select[Folio]:  # noqa: B006
        query = select(Folio).where(Folio.stock == stock).order_by(Folio.title.desc())
        return query.where(Folio.title.in_(titles)) if titles else query

    @get("/numbers/compared", allow=anyone)
    async def compared(self, stock: int) -> Select[Folio]:
        is_near = Folio.stock.in_([stock]) | Folio.stock.between(0, stock) | (Folio.stock + 1 < stock)
        return select(Folio).where(Folio.title == "numbers", is_near)

    @get("/numbers/added", allow=anyone)
    async def added(self, stock: int) -> Select[Folio]:
        return select(Folio).where(Folio.title == "numbers", Folio.stock + stock > 0)

    @get("/numbers/in-session", allow=anyone)
    async def in_session(self, stock: int, books: Service[Folio]) -> list[str]:
        is_near = (Folio.stock != stock) & Folio.stock.not_in([stock, 1])
        return [*await books.session.scalars(select(Folio.title).where(Folio.title == "numbers", is_near))]

    @get("/on/{shelf}/now", allow=anyone)
    async def on_shelf(self, shelf: str) -> Select[Folio]:
        return select(Folio).join(Folio.shelf).where(Shelf.name == shelf)

    @get("/of/{shelf}", allow=anyone)
    async def of_shelf(self, shelf: str) -> Select[Folio]:
        return select(Folio).where(Folio.shelf.has(Shelf.name == shelf))

    @get("/in", allow=anyone)
    async def in_shelves(self, names: list[str] = []) -> Select[Folio]:  # noqa: B006
        return select(Folio).where(Folio.shelf.has(Shelf.name.in_(names))).order_by(Folio.title).limit(9)

    @get("/filtered", allow=anyone, filters=True)
    async def filtered(self) -> Select[Folio]:
        return select(Folio).where(Folio.stock < 100)

    @get("/longest", allow=anyone)
    async def longest(self) -> Select[Folio]:
        return select(Folio).where(Folio.stock < 100).order_by(func.length(Folio.title).desc(), Folio.isbn).limit(2)

    @get("/whole", allow=anyone, paging=False)
    async def whole(self) -> Select[Folio]:
        return select(Folio).where(Folio.stock < 100).order_by(Folio.isbn)

    @get("/own", allow=anyone)
    async def own(self, limit: Annotated[int, Ge(1), Le(5)] = 2) -> Select[Folio]:
        return select(Folio).where(Folio.stock < 100).order_by(Folio.isbn).limit(limit)

    @get("/mine", allow=authenticated)
    async def mine(self) -> Select[Loan]:
        return select(Loan).where(Loan.reader_id == actor_id)

    @get("/titles", allow=anyone)
    async def titles(self, prefix: str) -> Select[str]:
        return select(Folio.title).where(Folio.title.startswith(prefix)).order_by(Folio.title).distinct().limit(10)

    @get("/counts", allow=anyone)
    async def counts(self, prefix: str) -> Select[tuple[str, int]]:
        counted = select(Folio.title, func.count().label("copies")).where(Folio.title.startswith(prefix))
        return counted.group_by(Folio.title).order_by(Folio.title).limit(10)

    @get("/unlimited", allow=anyone)
    async def unlimited(self) -> Select[str]:
        return select(Folio.title)

    @get("/distinct", allow=anyone)
    async def distinct(self) -> Select[Folio]:
        return select(Folio).distinct()

    @get("/unordered", allow=anyone)
    async def by_expression(self) -> Select[Folio]:
        return select(Folio).order_by(func.lower(Folio.title))

    @get("/of-shelves", allow=anyone)
    async def of_shelves(self) -> Select[Folio]:
        return select(Folio).where(Folio.title == actor_column(Shelf.name))

    @get("/titles-of-shelves", allow=anyone)
    async def titles_of_shelves(self) -> Select[str]:
        return select(Folio.title).where(Folio.title == actor_column(Shelf.name)).limit(10)

    @get("/nothing", allow=anyone)
    async def nothing(self) -> list[Folio]:
        return [None]  # type: ignore[list-item]  # pyright: ignore


class Desk(Controller):
    path = "desk"
    loans: Service[Loan]

    @post("/loans/{book:isbn}", allow=authenticated)
    async def lend(self, book: Folio, actor: Actor) -> Created[Loan]:
        return Created(await self.loans.create(Loan(book_id=book.id, reader_id=actor.id), actor))

    @put("/books/{isbn}", allow=role("editor"))
    async def put(self, isbn: str, body: Restock, books: Service[Folio], actor: Actor) -> Created[Folio] | Folio:
        found = (await books.session.scalars(select(Folio).where(Folio.isbn == isbn))).one_or_none()
        if found is not None:
            return await books.update(found, Changes({"stock": body.copies}), actor)
        return Created(await books.create(Folio(isbn=isbn, title=isbn, stock=body.copies), actor))

    @get("/echo/{number}/{day}", allow=anyone)
    async def echo(
        self,
        number: int,
        day: date,
        genre: Genre | None = None,
        price: Decimal = Decimal(1),
        tags: list[str] = [],  # noqa: B006 - the default of a parameter, which nobody changes
        limit: Annotated[int, Ge(1), Le(10)] = 5,
        is_open: bool = False,
    ) -> dict[str, object]:
        return {
            "number": number,
            "day": day,
            "genre": genre,
            "price": price,
            "tags": tags,
            "limit": limit,
            "is_open": is_open,
        }

    @get("/head", allow=anyone)
    async def head(
        self,
        call: Call,
        actor: Actor,
        x_signature: Annotated[str, Header()],
        theme: Annotated[str | None, Cookie()] = None,
        depth: Annotated[int, Header("x-depth"), Ge(1)] = 1,
    ) -> dict[str, object]:
        return {"id": call.id, "who": actor.id, "signature": x_signature, "theme": theme, "depth": depth}

    @get("/raw", allow=anyone)
    async def raw(self) -> Response:
        return Response(202, b"hello", ((b"content-type", b"text/plain"),))

    @get("/maybe", allow=anyone)
    async def maybe(self, books: Service[Folio], isbn: str) -> Folio | None:
        return (await books.session.scalars(select(Folio).where(Folio.isbn == isbn))).one_or_none()

    @get("/silent", allow=anyone)
    async def silent(self) -> None: ...

    @post("/nothing", allow=anyone, status=202)
    async def nothing(self) -> int:
        return 7


def not_secret(model: type[Folio], actor: Actor) -> object:
    return model.is_secret.is_(False)


app = App(
    Resource(
        Folio,
        path="books",
        read=role("editor") | policy(not_secret),
        write=authenticated,
        service=Books,
        controller=FolioRoutes,
    ),
    Resource(Shelf, path="shelves", read=anyone, write=role("editor")),
    Resource(Loan, path="loans", read=owner("reader_id"), create=owner("reader_id")),
    controllers=[Desk, FolioLists],
)
