"""The bookstore's API: what goes out and comes in, the business logic, and endpoints beside the derived ones."""

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Annotated
from uuid import UUID

import msgspec
from annotated_types import Ge, Le
from sqlalchemy import Date, Numeric, Select, cast, func, select

from examples.bookstore.models import Author, Book, Order
from gatepost import (
    DTO,
    Actor,
    App,
    Changes,
    Conflict,
    Controller,
    Field,
    Locked,
    RateLimit,
    Resource,
    Service,
    actor_id,
    anyone,
    computed,
    count,
    first,
    get,
    minutes,
    owner,
    post,
    role,
)

editor = role("editor")
MONEY = Numeric(12, 2)


class Books(Service[Book]):
    async def restock(self, book: Book, copies: int, actor: Actor) -> Book:
        return await self.update(book, Changes[Book]({Book.stock: book.stock + copies}), actor)


class Orders(Service[Order]):
    async def before_create(self, draft: Order, actor: Actor) -> None:
        book = await self.session.get_one(Book, draft.book_id, with_for_update=True)
        if book.stock < draft.quantity:
            raise Conflict("out_of_stock", f"Only {book.stock} copies are left.")
        book.stock -= draft.quantity
        draft.price = book.price


class AuthorName(DTO[Author]):
    id: UUID
    name: str


class BookCard(DTO[Book]):
    """A book in lists."""

    id: UUID
    title: str
    price: Decimal
    is_available: bool = computed(Book.stock > 0)
    is_mine: bool = computed(Book.orders.any(Order.buyer_id == actor_id))
    author: AuthorName


class BookPage(BookCard):
    """A book by itself."""

    published_on: date | None
    stock: int
    orders_count: int = computed(count(Book.orders), read=editor)
    margin: Decimal | None = computed(Book.price - Book.cost)


class AuthorPage(AuthorName):
    books: list[BookCard] = first(20, order_by=Book.published_on.desc())


class OrderCard(DTO[Order]):
    id: int
    quantity: int
    price: Decimal
    total: Decimal = computed(Order.price * Order.quantity)
    created_at: datetime
    book: BookCard


class NewOrder(DTO[Order]):
    book_id: UUID
    quantity: int


class Restock(msgspec.Struct, frozen=True):
    copies: Annotated[int, Ge(1), Le(1_000)]


class BookRoutes(Controller[Book]):
    @post("/{book}/restock", allow=editor, answers=BookPage, rate_limit=RateLimit(60, per=minutes(1)))
    async def restock(self, book: Locked[Book], body: Restock, books: Books, actor: Actor) -> Book:
        """Add copies to the stock."""
        return await books.restock(book, body.copies, actor)

    @get("/bestsellers", allow=anyone, answers=BookCard)
    async def bestsellers(self, since: date | None = None) -> Select[Book]:
        """The 50 books of which most copies were ordered."""
        sold = select(func.sum(Order.quantity)).where(Order.book_id == Book.id)
        if since is not None:
            sold = sold.where(Order.created_at >= datetime(since.year, since.month, since.day, tzinfo=UTC))
        copies = sold.scalar_subquery()
        return select(Book).where(copies > 0).order_by(copies.desc(), Book.id).limit(50)


class StockReport(msgspec.Struct):
    titles: int
    copies: int
    value: Decimal


class Reports(Controller):
    """Numbers for editors: plain data, which no resource has."""

    path = "reports"

    @get("/sales", allow=editor)
    async def sales(self, since: date) -> Select[date, int, Decimal]:
        """Copies and turnover of each day (UTC)."""
        day = cast(func.timezone("UTC", Order.created_at), Date).label("day")
        copies = func.sum(Order.quantity).label("copies")
        turnover = cast(func.sum(Order.quantity * Order.price), MONEY).label("turnover")
        return select(day, copies, turnover).where(day >= since).group_by(day).order_by(day).limit(366)

    @get("/stock", allow=editor)
    async def stock(self, books: Books) -> StockReport:
        """What is on the shelves."""
        value = cast(func.coalesce(func.sum(Book.stock * Book.price), 0), MONEY)
        query = select(func.count(), func.coalesce(func.sum(Book.stock), 0), value).select_from(Book)
        titles, copies, price = (await books.session.execute(query)).one()
        return StockReport(titles, copies, price)


app = App(
    Resource(Author, read=anyone, write=editor, sort=[Author.name], answers=AuthorPage, lists=AuthorName),
    Resource(
        Book,
        read=anyone,
        write=editor,
        search=[Book.title],
        sort=[Book.title, Book.price],
        fields={"cost": Field(read=editor, write=editor)},
        answers=BookPage,
        lists=BookCard,
        service=Books,
        controller=BookRoutes,
    ),
    Resource(
        Order,
        read=owner(Order.buyer_id),
        create=owner(Order.buyer_id),
        answers=OrderCard,
        creates=NewOrder,
        service=Orders,
    ),
    controllers=[Reports],
)
