"""One set of models in two dialects: camelCase names alone, and an application with errors of its own as well."""

from datetime import date
from typing import Annotated, Any
from uuid import UUID

from annotated_types import Ge, Len
from sqlalchemy import ForeignKey, MetaData
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, column_property, mapped_column, relationship

from gatepost import (
    Actor,
    App,
    CamelCase,
    Conflict,
    Controller,
    Dialect,
    Field,
    FieldError,
    Model,
    Problem,
    Resource,
    Service,
    Unprocessable,
    anyone,
    get,
    hidden,
    owner,
    read_only,
    role,
)
from gatepost.models.base import NAMING


class Base(Model):
    """Tables of this app alone: a database for it has no others."""

    __abstract__ = True
    metadata = MetaData(naming_convention=NAMING)


class Poet(Base):
    """`bank_account` is hidden from all, `pen_name` shown to editors."""

    __tablename__ = "poets"

    full_name: Mapped[Annotated[str, Len(1, 40)]] = mapped_column(unique=True)
    pen_name: Mapped[str | None]
    bank_account: Mapped[str | None]


class Poem(Base):
    """`line_count_2` shows what becomes of digits, `first_print` of expressions, `draft_note` of rules by row."""

    __tablename__ = "poems"

    short_title: Mapped[Annotated[str, Len(1, 20)]]
    line_count_2: Mapped[Annotated[int, Ge(1)]] = mapped_column(default=1)
    print_run: Mapped[int] = mapped_column(default=0)
    extra_data: Mapped[dict[str, Any]] = mapped_column(JSONB, default=dict)
    draft_note: Mapped[str | None]
    printed_on: Mapped[date | None]
    poet_id: Mapped[UUID] = mapped_column(ForeignKey("poets.id"), index=True)
    co_poet_id: Mapped[UUID | None] = mapped_column(ForeignKey("poets.id"), index=True)
    keeper_id: Mapped[UUID | None] = mapped_column(ForeignKey("users.id"), index=True)
    main_poet: Mapped[Poet] = relationship(foreign_keys=[poet_id])
    twice_printed = column_property(print_run * 2)


class Poems(Service[Poem]):
    """Refuses two titles, in the ways in which a service refuses: it knows names of attributes only."""

    async def before_create(self, draft: Poem, actor: Actor) -> None:
        """Refuse them."""
        if draft.short_title == "wrong":
            errors = [FieldError("/short_title", "invalid_value", "Not this one."), FieldError("", "invalid_value", "")]
            raise Unprocessable("invalid_body", "The body is refused.", errors=errors)
        if draft.short_title == "taken":
            raise Conflict("title_taken", "There is one.")


def resources() -> list[Resource[Any]]:
    """The resources of both apps."""
    return [
        Resource(
            Poet,
            read=anyone,
            write=role("editor"),
            fields={"bank_account": hidden, "pen_name": Field(read=role("editor"), write=role("editor"))},
        ),
        Resource(
            Poem,
            read=anyone,
            write=role("editor"),
            service=Poems,
            sort=["short_title", "line_count_2"],
            filter=["extra_data.inner_key", "print_run"],
            search=["short_title"],
            fields={"draft_note": Field(read=owner("keeper_id"), write=anyone), "print_run": read_only},
        ),
    ]


class Grouping(CamelCase):
    """Errors by field, as clients of another API expect them."""

    def problem(self, problem: Problem, name: str | None) -> object:
        """What was refused, by field where there are any."""
        if problem.code == "title_taken":
            raise RuntimeError("the dialect itself fails")
        if problem.errors:
            return {"errors": self.by_field(problem, {"too_short": "can't be blank", "required": "can't be blank"})}
        return {"errors": {name or "request": [problem.code]}}


class Shouting(Dialect):
    """Names in another convention."""

    def wire_name(self, name: str) -> str:
        """All in capitals."""
        return name.upper()


class Counts(Controller):
    """An endpoint of its own."""

    @get("/line-sums", allow=anyone, raises=[Unprocessable("invalid_body", "It is less than 0.")])
    async def sum_lines(self, at_least: int, and_more: int = 0) -> dict[str, int]:
        """Two numbers together."""
        if and_more < 0:
            raise Unprocessable("invalid_body", "No.", errors=[FieldError("/and_more", "too_small", "No.", {"min": 0})])
        return {"line_sum": at_least + and_more}


camel = App(*resources(), controllers=[Counts], dialect=CamelCase())
counting = App(
    *resources(),
    controllers=[Counts],
    dialect=CamelCase(envelope=("item", "items"), total="{list}Count", paging="offset"),
)
with_cursors = App(*resources(), dialect=CamelCase(total="rowCount"))
grouping = App(*resources(), dialect=Grouping(scheme="Token", paging="offset", update="PUT"))
shouting = App(*resources(), dialect=Shouting())
