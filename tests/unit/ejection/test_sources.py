"""What `gatepost eject` writes of each kind of resource, and what it refuses."""

import ast
import enum
from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any
from uuid import UUID

import pytest
from annotated_types import Ge, Len
from examples.bookshop.app import app as bookshop
from sqlalchemy import ARRAY, Column, Double, ForeignKey, Table, Text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from gatepost import (
    DTO,
    App,
    ConfigurationError,
    Field,
    Group,
    Resource,
    Service,
    anyone,
    hidden,
    owner,
    role,
    write_once,
)
from gatepost import Actor as GatepostActor
from gatepost.ejection.ejected import Ejected
from gatepost.ejection.ejecting import eject, parse_asked

PAGE = Path(__file__).parents[3] / "docs" / "how-to" / "own-what-is-derived.md"


class Genre(enum.Enum):
    """A type that is imported from this module."""

    DRAMA = "drama"


class Base(DeclarativeBase):
    """Tables of this test alone."""


class Actor(Base):
    """A model that is called like a class of Gatepost's."""

    __tablename__ = "ejected_actors"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[Annotated[str, Len(1, 50)]]


class Movie(Base):
    """Fields of every kind, with rules."""

    __tablename__ = "ejected_movies"

    code: Mapped[Annotated[str, Len(1, 20)]] = mapped_column(primary_key=True)
    date: Mapped[date | None]
    genre: Mapped[Genre]
    price: Mapped[Annotated[Decimal, Ge(0)]]
    tags: Mapped[list[Annotated[str, Len(1, 9)]]] = mapped_column(ARRAY(Text))
    details: Mapped[dict[str, Any]] = mapped_column(JSONB)
    extras: Mapped[Any | None] = mapped_column(JSONB)
    internal: Mapped[str | None]
    budget: Mapped[int | None]
    studio: Mapped[str]
    owner_id: Mapped[UUID]


class Casting(Base):
    """A composite key."""

    __tablename__ = "ejected_castings"

    movie_code: Mapped[str] = mapped_column(ForeignKey("ejected_movies.code"), primary_key=True)
    actor_id: Mapped[int] = mapped_column(ForeignKey("ejected_actors.id"), primary_key=True)


class Measure(Base):
    """A key that SQLAlchemy compares by the class of the value."""

    __tablename__ = "ejected_measures"

    value: Mapped[float] = mapped_column(Double, primary_key=True)


class ActorCard(DTO[Actor]):
    """A DTO of one's own."""

    name: str


class Change(Base):
    """A model whose service is called like a class of Gatepost's."""

    __tablename__ = "changes"

    id: Mapped[int] = mapped_column(primary_key=True)
    text: Mapped[str]


class Lesson(Base):
    """A table whose columns are attributes by their names."""

    __table__ = Table("ejected_lessons", Base.metadata, Column("class", Text, primary_key=True))


class Actors(Service[Actor]):
    """A service with a verb and a hook of its own."""

    async def create(self, draft: Actor, actor: GatepostActor) -> Actor:
        return await super().create(draft, actor)

    async def before_update(self, row: Actor, changes: Any, actor: GatepostActor) -> None:
        """A hook."""


app = App(
    Resource(Actor, read=anyone, write=role("editor"), service=Actors, answers=ActorCard),
    Resource(
        Movie,
        read=anyone,
        create=owner(Movie.owner_id),
        update=owner(Movie.owner_id),
        fields={"internal": hidden, "budget": Field(read=role("boss"), write=role("boss")), "studio": write_once},
    ),
    Resource(Casting, read=anyone),
    Resource(Measure, get=anyone),
)


def ejected(target: str, *verbs: str, app: App = app) -> Ejected:
    return eject(app.declaration, parse_asked(target, verbs))


def methods_of(found: Ejected) -> dict[str, str]:
    """The source of each method of the only class."""
    (made,) = [node for node in ast.parse(found.source).body if isinstance(node, ast.ClassDef)]
    return {node.name: ast.unparse(node) for node in made.body if isinstance(node, ast.AsyncFunctionDef)}


def members_of(found: Ejected) -> dict[str, dict[str, str]]:
    """The members of each class."""
    classes = [node for node in ast.parse(found.source).body if isinstance(node, ast.ClassDef)]
    return {
        made.name: {ast.unparse(node.target): ast.unparse(node.annotation) for node in made.body
                    if isinstance(node, ast.AnnAssign)}
        for made in classes
    }  # fmt: skip


def imports_of(found: Ejected) -> set[str]:
    return {ast.unparse(node) for node in ast.parse(found.source).body if isinstance(node, ast.ImportFrom)}


def shown_on_the_page() -> Sequence[str]:
    return [part.split("```")[0] for part in PAGE.read_text().split('```python title="')[1:]]


def test_the_page_shows_what_is_written_of_the_bookshop() -> None:
    service, dtos = (part.partition("\n")[2] for part in shown_on_the_page())

    found = ejected("Book.service", app=bookshop)
    assert found.source.replace("examples.bookshop.app", "shop.models") == service
    assert found.resource == {"service": "Books"}
    found = ejected("Book.dto", app=bookshop)
    assert found.source.endswith(dtos)
    assert found.resource == dict.fromkeys(("answers", "lists"), "BookAnswer") | dict.fromkeys(
        ("creates", "updates"), "BookBody"
    )


def test_a_module_is_as_long_as_one_reads() -> None:
    lines = ejected("Book.service", app=bookshop).source.splitlines()

    assert len(lines) <= 60
    assert max(map(len, lines)) <= 88


def test_members_have_the_types_and_rules_of_the_model() -> None:
    found = ejected(f"{__name__}.Movie.dto")

    assert members_of(found)["MovieAnswer"] == {
        "code": "str",
        "date": "DatetimeDate | None",
        "genre": "Genre",
        "price": "Decimal",
        "tags": "list[str]",
        "details": "dict[str, Any]",
        "extras": "Any",
        "budget": "int | None",
        "studio": "str",
        "owner_id": "UUID",
    }
    assert members_of(found)["MovieBody"] == members_of(found)["MovieAnswer"]
    assert found.resource["updates"] == "MovieBody"  # what only a creation sets may be repeated
    assert imports_of(found) >= {
        "from datetime import date as DatetimeDate",
        f"from {__name__} import Genre, Movie",
    }


def test_a_name_of_two_modules_is_imported_by_another_one() -> None:
    found = ejected("Actor.service")

    assert "from gatepost import Actor as GatepostActor, Changes, ListQuery, NotFound, Service" in imports_of(found)
    assert "actor: GatepostActor" in methods_of(found)["delete"]


def test_a_service_that_is_there_gets_what_it_lacks_with_its_hooks() -> None:
    found = ejected("Actor.service")

    methods = methods_of(found)
    assert methods.keys() == {"get", "list", "update", "delete"}
    assert "await self.before_update(row, changes, actor)" in methods["update"]
    assert "before_" not in methods["delete"]
    assert found.resource == {"service": "Actors"}
    assert "keeps create" in found.notes[0]
    assert methods_of(ejected("Actor.service", "update")).keys() == {"update"}
    with pytest.raises(ConfigurationError, match="Actors has create"):
        ejected("Actor.service", "create")


def test_a_class_that_is_written_shadows_no_import() -> None:
    found = ejected("Change.service", app=App(Resource(Change, read=anyone, write=anyone)))
    assert found.resource == {"service": "Changes"}
    assert "from gatepost import Actor, Changes as GatepostChanges, ListQuery, NotFound, Service" in imports_of(found)
    assert "changes: GatepostChanges[Change]" in methods_of(found)["update"]


@pytest.mark.parametrize("part", ["service", "dto"])
def test_an_attribute_that_no_source_can_name_is_refused(part: str) -> None:
    with pytest.raises(ConfigurationError, match="'class' is not a name in Python source") as caught:
        ejected(f"Lesson.{part}", app=App(Resource(Lesson, read=anyone)))
    assert caught.value.hint == "Map the column 'class' to an attribute of another name."


def test_the_key_is_that_of_the_model() -> None:
    get = methods_of(ejected("Casting.service"))["get"]
    assert "id: tuple[str, int]" in get
    assert "Casting.movie_code == movie_code_value, Casting.actor_id == actor_id_value" in get
    get = methods_of(ejected("Measure.service"))["get"]
    assert "Measure.value == literal(id, Measure.value.type)" in get


def test_a_dto_that_is_there_stays() -> None:
    assert ejected("Actor.dto").resource == dict.fromkeys(("creates", "updates"), "ActorBody")


@pytest.mark.parametrize(
    ("target", "verbs", "words"),
    [
        ("Movi.service", (), "No resource has the model 'Movi'. Did you mean 'Movie'?"),
        ("Movie.servce", (), "is not a part of a resource. Did you mean 'service'?"),
        ("Movie", (), "is not a part of a resource"),
        ("Movie.service", ("creat",), "'creat' is not a verb. Did you mean 'create'?"),
        ("Movie.dto", ("create",), "A DTO has no verbs"),
        ("no.such.Movie.dto", (), "No resource has the model 'no.such.Movie'"),
    ],
)
def test_what_is_not_there_is_refused(target: str, verbs: Sequence[str], words: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        ejected(target, *verbs)
    assert words in str(caught.value)
    assert caught.value.hint


def test_a_model_that_no_module_can_import_is_refused() -> None:
    class Local(DeclarativeBase):
        """A base of its own."""

    class Inner(Local):
        __tablename__ = "ejected_inner"
        id: Mapped[int] = mapped_column(primary_key=True)

    with pytest.raises(ConfigurationError, match="cannot be imported"):
        ejected("Inner.dto", app=App(Resource(Inner, read=anyone)))


def test_a_model_and_its_resource_in_one_file_are_told_apart() -> None:
    (note,) = ejected("Movie.dto").notes
    assert note.startswith(f"{Path(__file__).name} declares both Movie and its resource")


def test_a_resource_of_a_group_has_rules_of_its_own_and_the_service_of_the_app() -> None:
    grouped = App(
        Resource(Actor, read=anyone, service=Actors),
        Group("/v2", Resource(Actor, read=anyone, update=role("editor"), fields={"id": hidden})),
    )
    assert members_of(ejected("Actor.dto", app=grouped))["ActorAnswer"] == {"id": "int", "name": "str"}
    of_group = eject(grouped.declaration, parse_asked("Actor.dto", group="v2"))
    assert members_of(of_group)["ActorAnswer"] == {"name": "str"}

    service = eject(grouped.declaration, parse_asked("Actor.service", group="/v2"))
    assert "class V2Actors(Actors):" in service.source
    assert methods_of(service).keys() == {"get", "list", "update"}
    with pytest.raises(ConfigurationError, match="no group 'v3'"):
        eject(grouped.declaration, parse_asked("Actor.dto", group="v3"))
