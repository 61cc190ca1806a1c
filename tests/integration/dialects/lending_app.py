"""An app whose DTOs have names, which are the keys of its envelopes: books by shelf, and endpoints of its own."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated
from uuid import UUID

from annotated_types import Ge, Len
from msgspec import UNSET, Struct, UnsetType
from pydantic import BaseModel, computed_field
from pydantic import Field as Alias
from sqlalchemy import ForeignKey, MetaData, Select, select
from sqlalchemy.orm import Mapped, mapped_column, relationship

from gatepost import (
    DTO,
    Actor,
    App,
    CamelCase,
    Changes,
    Conflict,
    Controller,
    Created,
    FieldError,
    Model,
    Partial,
    Problem,
    Resource,
    Service,
    anyone,
    authenticated,
    computed,
    get,
    owner,
    policy,
    post,
    put,
    read_only,
    role,
)
from gatepost.models.base import NAMING


class Base(Model):
    """Tables of this app alone."""

    __abstract__ = True
    metadata = MetaData(naming_convention=NAMING)


class LibraryShelf(Base):
    """Where books stand. Only editors see one that is closed."""

    __tablename__ = "shelves"

    code_name: Mapped[Annotated[str, Len(1, 20)]] = mapped_column(unique=True)
    is_closed: Mapped[bool] = mapped_column(default=False)


class LibraryBook(Base):
    """A book of one shelf."""

    __tablename__ = "books"

    full_title: Mapped[Annotated[str, Len(1, 20)]]
    page_count: Mapped[Annotated[int, Ge(1)]]
    shelf_id: Mapped[UUID] = mapped_column(ForeignKey("shelves.id"), index=True)
    keeper_id: Mapped[UUID] = mapped_column(ForeignKey("users.id"), index=True)
    shelf: Mapped[LibraryShelf] = relationship()


class ShelfShown(DTO[LibraryShelf], name="shelf", names="shelves"):
    """A shelf."""

    code_name: str


class BookShown(DTO[LibraryBook], name="book"):
    """A book with its shelf."""

    full_title: str
    page_count: int
    twice_counted: int = computed(LibraryBook.page_count * 2)
    shelf: ShelfShown | None


class BookBody(DTO[LibraryBook], name="draft"):
    """What a book is made of."""

    full_title: str
    page_count: int


class Code(Struct):
    """The code of a shelf."""

    code_name: str


class Books(Service[LibraryBook]):
    """Refuses a title with a pointer by attribute."""

    async def before_create(self, draft: LibraryBook, actor: Actor) -> None:
        """Refuse it."""
        if draft.full_title == "taken":
            raise Conflict("title_taken", "No.", errors=[FieldError("/full_title", "already_exists", "There is one.")])


class Renaming(Struct):
    """The body of an endpoint whose envelope is that of what it shows."""

    full_title: Annotated[str, Len(1, 20)]
    note: str = ""


class Stamp(Struct, rename="kebab"):
    """A class that says its own names."""

    stamped_by: str


class Signature(BaseModel):
    """A pydantic model that says its own names."""

    signed_by: str = Alias(alias="signed-by")


class LineItem(Struct, omit_defaults=True, tag="line"):
    """A part of a report."""

    item_count: Annotated[int, Ge(1)]
    short_note: str = "none"
    stamp: Stamp | None = None


class PostMark(BaseModel):
    """A part of a letter, with a member that is only written."""

    posted_from: str
    half_price: Decimal = Decimal(1)

    @computed_field
    def full_price(self) -> Decimal:
        """Twice the half."""
        return 2 * self.half_price


class Letter(BaseModel):
    """A pydantic model, with others inside."""

    first_mark: PostMark
    other_marks: list[PostMark | None] = []
    marks_by_code: dict[str, PostMark] = {}
    sealed_by: Signature | None = None


class Parcel(Struct):
    """A Struct that has a pydantic model."""

    cover_letter: Letter
    was_opened: bool = False


@dataclass
class Report:
    """A body, and what is returned of it."""

    line_items: list[LineItem]
    extra_data: dict[str, int]
    sent_by: str | UnsetType = UNSET


class Desk(Controller):
    """Endpoints of its own."""

    @put("/desk/{book}", allow=authenticated, answers=BookShown)
    async def rename(self, book: LibraryBook, body: Renaming, books: Books, actor: Actor) -> LibraryBook:
        """Another title."""
        if body.note == "no":
            raise Conflict("title_taken", "No.", errors=[FieldError("/full_title", "already_exists", "There is one.")])
        return await books.update(book, Changes[LibraryBook]({"full_title": body.full_title}), actor)

    @post("/desk/{shelf:code_name}/books", allow=authenticated)
    async def add(self, shelf: LibraryShelf, body: BookBody, books: Books, actor: Actor) -> Created[LibraryBook]:
        """A book of a shelf."""
        return Created(await books.create(body.row(shelf_id=shelf.id, keeper_id=actor.require_id()), actor))

    @put("/desk/{book}/part", allow=authenticated)
    async def change(self, book: LibraryBook, body: Partial[BookBody], books: Books, actor: Actor) -> LibraryBook:
        """What was sent of it."""
        return await books.update(book, body.changes, actor)

    @put("/desk/{book}/shelf", allow=authenticated, name="moved")
    async def rename_shelf(
        self, book: LibraryBook, body: Code, shelves: Service[LibraryShelf], actor: Actor
    ) -> LibraryBook:
        """Another code for the shelf of a book, under an envelope of the endpoint."""
        shelf = await shelves.get(book.shelf_id, actor)
        await shelves.update(shelf, Changes[LibraryShelf]({"code_name": body.code_name}), actor)
        return book

    @get("/desk/found/{shelf:code_name}", allow=anyone, name="found")
    async def find(self, shelf: LibraryShelf) -> LibraryShelf:
        """A shelf under the name of the endpoint."""
        return shelf

    @get("/desk/all", allow=anyone, answers=BookShown, paging=False)
    async def all(self) -> Select[LibraryBook]:
        """Every book in one page."""
        return select(LibraryBook).order_by(LibraryBook.full_title)

    @get("/desk/first", allow=anyone, name="pick")
    async def first(self) -> Select[LibraryBook]:
        """Books under a name of the endpoint."""
        return select(LibraryBook).order_by(LibraryBook.full_title)

    @post("/desk/reports", allow=authenticated, name="reports")
    async def report(self, body: Report) -> list[Report]:
        """What was sent, twice."""
        return [body, body]

    @post("/desk/letters", allow=authenticated, name="letters")
    async def letter(self, body: Letter) -> list[Letter]:
        """What was sent."""
        return [body]

    @post("/desk/parcels", allow=authenticated, name="parcel")
    async def parcel(self, body: Parcel) -> Parcel:
        """What was sent."""
        return body

    @get("/desk/titles", allow=anyone, name="titles")
    async def titles(self) -> Select[str]:
        """Plain data."""
        return select(LibraryBook.full_title).order_by(LibraryBook.full_title).limit(9)

    @get("/desk/shelves/{shelf:code_name}", allow=anyone)
    async def shelf(self, shelf: LibraryShelf) -> dict[str, str]:
        """Plain data without a name."""
        return {"code_name": shelf.code_name}


class Librarian(CamelCase):
    """Says of a refusal what it is about, and which fields are wrong."""

    def problem(self, problem: Problem, name: str | None) -> object:
        """Both."""
        fields = self.by_field(problem, lambda error: error.code)
        return {"about": name, "code": problem.code, "fields": fields, "at": [each.pointer for each in problem.errors]}


def resources() -> list[Resource[LibraryShelf] | Resource[LibraryBook]]:
    """Shelves, and books below them."""
    return [
        Resource(
            LibraryShelf,
            key=LibraryShelf.code_name,
            read=role("editor") | policy(LibraryShelf.is_closed.is_(False)),
            write=role("editor"),
            answers=ShelfShown,
        ),
        Resource(
            LibraryBook,
            under="shelves/{shelf:code_name}",
            read=anyone,
            write=owner("keeper_id"),
            service=Books,
            answers=BookShown,
            creates=BookBody,
            updates=BookBody,
            fields={"shelf_id": read_only},
        ),
    ]


library = App(
    *resources(),
    controllers=[Desk],
    dialect=Librarian(total="{list}Count", paging="offset", update="PUT"),
)
