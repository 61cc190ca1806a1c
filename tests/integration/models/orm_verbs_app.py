"""An app whose models refuse values in their own code, and whose sessions are listened to."""

from typing import Any

from sqlalchemy import ColumnElement, Text, and_, event, func
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, validates

from gatepost import Actor, App, Field, Resource, Service, UserColumns, anyone, hidden, nobody, policy, read_only


class Base(DeclarativeBase):
    """Somebody's own base."""


class Member(UserColumns, Base):
    __tablename__ = "members"

    id: Mapped[int] = mapped_column(primary_key=True)
    badge: Mapped[str] = mapped_column(default=lambda context: context.get_current_parameters()["email"].upper())

    @validates("roles")
    def _check_roles(self, _: str, roles: list[str]) -> list[str]:
        if "root" in roles:
            raise ValueError("Nobody is root here.")
        return roles


class Page(Base):
    __tablename__ = "pages"

    id: Mapped[int] = mapped_column(primary_key=True)
    title: Mapped[str]
    slug: Mapped[str] = mapped_column(default="none")
    rank: Mapped[int | None]
    secret: Mapped[str | None]
    _private: Mapped[str | None] = mapped_column("private", Text)
    _opened: Mapped[str | None] = mapped_column("opened", Text)

    @validates("title")
    def _title(self, _: str, title: str) -> str:
        if title == "bug":
            raise KeyError("A mistake in the validator.")
        if title != "as it is":
            self.slug = title.lower()
        if title == "tell":
            self.secret = "longer than ten"
        return title

    @validates("slug", "secret")
    def _short(self, name: str, value: str | None) -> str | None:
        if value is not None and len(value) > 10:
            raise ValueError(f"The {name} {value!r} has more than ten characters.")
        return value

    @validates("rank")
    def _number(self, _: str, rank: int | None) -> int | None:
        if rank is not None and rank < 0:
            raise ValueError
        return rank


class Pages(Service[Page]):
    """Sets what the validator refuses, and fails by itself."""

    async def before_update(self, row: Page, changes: Any, actor: Actor) -> None:
        if changes.get("title") == "from the service":
            row.slug = "longer than ten"
        if changes.get("title") == "own mistake":
            raise ValueError("A mistake in the service.")


class Filled(Base):
    __tablename__ = "filled"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    slug: Mapped[str]


@event.listens_for(Filled, "before_insert")
def fill(_mapper: Any, _connection: Any, row: Filled) -> None:
    row.slug = row.name.lower()


class Noted(Base):
    """Written by a compiled statement."""

    __tablename__ = "noted"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)
    note: Mapped[str | None] = mapped_column(default="nothing", server_default="nothing")
    data: Mapped[Any | None] = mapped_column(JSONB)


class Checked(Base):
    """The same, written through the ORM; who owns a row is decided by the name as the validator leaves it."""

    __tablename__ = "checked"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)
    note: Mapped[str | None] = mapped_column(default="nothing", server_default="nothing")
    data: Mapped[Any | None] = mapped_column(JSONB)
    revision: Mapped[int] = mapped_column()

    __mapper_args__ = {"version_id_col": revision}  # noqa: RUF012 - SQLAlchemy declares it as an instance's

    @validates("name")
    def _lower(self, _: str, name: str) -> str:
        return name.lower()


def is_lower(model: type[Checked], _actor: Actor) -> ColumnElement[bool]:
    """A policy that reads what a validator and the ORM make of a row."""
    return and_(model.name == func.lower(model.name), model.revision > 0)


class Logged(Base):
    __tablename__ = "logged"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)


def make_app() -> App:
    """The app, as it is declared."""
    return App(
        Resource(Member, read=anyone, write=anyone),
        Resource(
            Page,
            read=anyone,
            write=anyone,
            service=Pages,
            fields={"secret": hidden, "_opened": Field(write=anyone)},
        ),
        Resource(Filled, read=anyone, write=anyone, delete=nobody, fields={"slug": read_only}),
        Resource(Logged, read=anyone, write=anyone),
        Resource(Noted, read=anyone, write=anyone),
        Resource(Checked, read=anyone, write=policy(is_lower)),
        users=Member,
    )


app = make_app()


class AuditedSession(Session):
    """A session class of the application, which no request uses."""


heard: list[str] = []
"""What the listeners to `AuditedSession` did."""


def before_commit(session: Session) -> None:
    if any(isinstance(row, Logged) for row in session):
        heard.append("before_commit")
        session.add(Filled(name="Made Before Commit"))


def after_commit(_session: Session) -> None:
    heard.append("after_commit")


def after_rollback(_session: Session) -> None:
    heard.append("after_rollback")


LISTENERS = {"before_commit": before_commit, "after_commit": after_commit, "after_rollback": after_rollback}
