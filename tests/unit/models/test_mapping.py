"""Classes whose mapper adds what compiled statements do not apply are refused when the app is built."""

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import Column, ForeignKey, Integer, MetaData, Table, Text, select
from sqlalchemy.ext.declarative import AbstractConcreteBase
from sqlalchemy.orm import DeclarativeBase, Mapped, aliased, mapped_column, relationship

from gatepost import App, Resource, UserColumns, anyone, owner
from gatepost.errors import ConfigurationError
from gatepost.models.entity import entity_of


class Base(DeclarativeBase):
    metadata = MetaData()


class Note(Base):
    __tablename__ = "notes"
    __mapper_args__ = {"polymorphic_on": "kind"}  # noqa: RUF012 - as SQLAlchemy's users write it

    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str]
    owner_id: Mapped[int]


class PublicNote(Note):
    __mapper_args__ = {"polymorphic_identity": "public"}  # noqa: RUF012


class Employee(Base):
    __tablename__ = "employees"

    id: Mapped[int] = mapped_column(primary_key=True)


class Engineer(Employee):
    __tablename__ = "engineers"

    id: Mapped[int] = mapped_column(ForeignKey("employees.id"), primary_key=True)


class Apprentice(Engineer):
    """Without a discriminator: rows of the class and of its base cannot be told apart."""


class Guest(Employee):
    __tablename__ = "guests"
    __mapper_args__ = {"concrete": True}  # noqa: RUF012

    id: Mapped[int] = mapped_column(primary_key=True)


class Shape(AbstractConcreteBase, Base):
    strict_attrs = True


class Circle(Shape):
    __tablename__ = "circles"
    __mapper_args__ = {"concrete": True, "polymorphic_identity": "circle"}  # noqa: RUF012

    id: Mapped[int] = mapped_column(primary_key=True)


class Lonely(Base):
    """A discriminator, and no class that it discriminates."""

    __tablename__ = "lonely"
    __mapper_args__ = {"polymorphic_on": "kind"}  # noqa: RUF012

    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str]


class Comment(Base):
    __tablename__ = "comments"

    id: Mapped[int] = mapped_column(primary_key=True)
    note_id: Mapped[int] = mapped_column(ForeignKey("notes.id"))
    note: Mapped[PublicNote] = relationship(foreign_keys=note_id)


class Person(Base, UserColumns):
    __tablename__ = "people"

    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str]
    __mapper_args__ = {"polymorphic_on": "kind"}  # noqa: RUF012


class Plain(Base):
    __tablename__ = "plain"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]


class PlainAgain(Base):
    __table__ = Plain.__table__


class PlainAlias(Base):
    __table__ = Plain.__table__.alias()


class PlainQuery(Base):
    __table__ = select(Plain.__table__).subquery()
    __mapper_args__ = {"primary_key": [__table__.c.id]}  # noqa: RUF012


class OtherKey(Base):
    __table__ = Table("other_key", Base.metadata, Column("id", Integer, primary_key=True), Column("name", Text))
    __mapper_args__ = {"primary_key": [__table__.c.name]}  # noqa: RUF012


def refusal_of(build: Callable[[], object]) -> str:
    """The sentence that refuses what `build` makes."""
    with pytest.raises(ConfigurationError) as refusal:
        build()
    return str(refusal.value).removeprefix(f"{refusal.value.source}: ")


@pytest.mark.parametrize(
    ("model", "words"),
    [
        (Note, "Note: has mapped subclasses (PublicNote)"),
        (PublicNote, "PublicNote: inherits from the mapped class Note (single-table inheritance)"),
        (Employee, "Employee: has mapped subclasses (Apprentice, Engineer, Guest)"),
        (Engineer, "Engineer: inherits from the mapped class Employee (joined-table inheritance)"),
        (Apprentice, "Apprentice: inherits from the mapped class Engineer (single-table inheritance)"),
        (Guest, "Guest: inherits from the mapped class Employee (concrete inheritance)"),
        (Shape, "Shape: has mapped subclasses (Circle)"),
        (Circle, "Circle: inherits from the mapped class Shape (concrete inheritance)"),
        (Lonely, "Lonely: has a discriminator (polymorphic_on='lonely.kind')"),
    ],
)
def test_a_class_of_a_hierarchy_is_refused(model: type[Any], words: str) -> None:
    sentence = refusal_of(lambda: App(Resource(model, read=anyone)))
    assert sentence.startswith(words)
    assert "`__abstract__ = True`" in sentence


def test_a_policy_over_a_relation_to_a_class_of_a_hierarchy_is_refused() -> None:
    sentence = refusal_of(lambda: App(Resource(Comment, read=owner("note.owner_id"))))
    assert sentence.startswith("PublicNote: inherits from the mapped class Note")


def test_a_users_model_of_a_hierarchy_is_refused() -> None:
    sentence = refusal_of(lambda: App(Resource(Plain, read=anyone), users=Person))
    assert sentence.startswith("Person: has a discriminator")


@pytest.mark.parametrize(
    ("model", "words"),
    [
        (PlainAlias, "PlainAlias: is mapped to an SQLAlchemy Alias, not to a table."),
        (PlainQuery, "PlainQuery: is mapped to an SQLAlchemy Subquery, not to a table."),
        (OtherKey, "OtherKey: is mapped by the key name, and the table's is id."),
    ],
)
def test_a_class_that_is_not_simply_one_table_is_refused(model: type[Any], words: str) -> None:
    assert refusal_of(lambda: App(Resource(model, read=anyone))).startswith(words)


class Event(Base):
    __tablename__ = "events"
    __table_args__ = {"postgresql_partition_by": "RANGE (id)"}  # noqa: RUF012

    id: Mapped[int] = mapped_column(primary_key=True)


class VersionedEvent(Base):
    __tablename__ = "versioned_events"
    __table_args__ = {"postgresql_partition_by": "RANGE (id)"}  # noqa: RUF012

    id: Mapped[int] = mapped_column(primary_key=True)
    version: Mapped[int] = mapped_column(default=1, info={"gatepost.version": True})


def test_a_partitioned_table_without_a_version_column_is_refused() -> None:
    assert "is partitioned and has no version column" in refusal_of(lambda: App(Resource(Event, read=anyone)))
    assert App(Resource(VersionedEvent, read=anyone))


def test_two_served_classes_over_one_table_are_refused() -> None:
    sentence = refusal_of(lambda: App(Resource(Plain, read=anyone), Resource(PlainAgain, path="again", read=anyone)))
    assert "the table 'plain' is mapped to Plain and to PlainAgain, and the app serves both" in sentence


def test_one_served_class_over_a_table_that_others_map_is_taken() -> None:
    assert [item.name for item in App(Resource(PlainAgain, read=anyone)).declaration.entities] == ["PlainAgain", "User"]


def test_a_second_class_over_the_users_table_is_refused() -> None:
    class Own(DeclarativeBase):
        metadata = MetaData()

    class Member(Own, UserColumns):
        __tablename__ = "members"
        id: Mapped[int] = mapped_column(primary_key=True)

    class MemberRow(Own):
        __table__ = Member.__table__

    sentence = refusal_of(lambda: App(Resource(MemberRow, read=anyone), users=Member))
    assert "the table 'members' is mapped to Member and to MemberRow, and the app serves both" in sentence


@pytest.mark.parametrize("schemas", [(None, "public"), ("public", None)])
def test_a_schema_that_is_left_out_may_be_public(schemas: tuple[str | None, str | None]) -> None:
    class Own(DeclarativeBase):
        metadata = MetaData()

    class Other(DeclarativeBase):
        metadata = MetaData()

    class Member(Own, UserColumns):
        __tablename__ = "members"
        __table_args__ = {"schema": schemas[0]}  # noqa: RUF012
        id: Mapped[int] = mapped_column(primary_key=True)

    def shadow(base: type[DeclarativeBase], name: str, schema: str | None) -> type[Any]:
        return type(
            f"Shadow_{base.__name__}_{name}_{schema}",
            (base,),
            {
                "__module__": base.__module__,
                "__tablename__": name,
                "__table_args__": {"schema": schema},
                "id": mapped_column(Integer, primary_key=True),
                "password_hash": mapped_column(Text),
            },
        )

    words = "are one table on the default search_path"
    shadows = [shadow(base, "members", schemas[1]) for base in (Own, Other)]
    for given in shadows:
        sentence = refusal_of(lambda given=given: App(Resource(given, read=anyone), users=Member))  # type: ignore[misc]
        assert words in sentence
        assert "'members'" in sentence
        assert "'public.members'" in sentence
    both = [Resource(Member, read=anyone), Resource(shadows[1], read=anyone, path="shadows")]
    assert words in refusal_of(lambda: App(*both, users=Member))
    twins = [shadow(Own, "twins", schema) for schema in schemas]
    resources = [Resource(twin, read=anyone, path=f"twins{index}") for index, twin in enumerate(twins)]
    assert words in refusal_of(lambda: App(*resources, users=Member))
    apart = [shadow(Own, "apart", schema) for schema in ("one", "two")]
    resources = [Resource(model, read=anyone, path=f"apart{index}") for index, model in enumerate(apart)]
    assert len(App(*resources, users=Member).declaration.entities) == 3


def test_columns_of_mixins_and_of_abstract_bases_are_served() -> None:
    class Own(DeclarativeBase):
        metadata = MetaData()

    class Named:
        name: Mapped[str]

    class Abstract(Own):
        __abstract__ = True
        id: Mapped[int] = mapped_column(primary_key=True)

    class Dog(Named, Abstract):
        __tablename__ = "dogs"

    class Cat(Named, Abstract):
        __tablename__ = "cats"

    app = App(Resource(Dog, read=anyone), Resource(Cat, read=anyone))
    assert [sorted(item.attributes) for item in app.declaration.entities[:2]] == [["id", "name"], ["id", "name"]]


def test_a_relationship_that_says_more_than_a_foreign_key_is_not_served() -> None:
    class Own(DeclarativeBase):
        metadata = MetaData()

    class Author(Own):
        __tablename__ = "authors"
        id: Mapped[int] = mapped_column(primary_key=True)
        is_public: Mapped[bool]

    class Book(Own):
        __tablename__ = "books"
        id: Mapped[int] = mapped_column(primary_key=True)
        author_id: Mapped[int] = mapped_column(ForeignKey("authors.id"))
        author: Mapped[Author] = relationship()
        written: Mapped[Author] = relationship(primaryjoin="Author.id == foreign(Book.author_id)", viewonly=True)
        public: Mapped[Author] = relationship(
            primaryjoin="and_(Author.id == Book.author_id, Author.is_public)", viewonly=True
        )
        later: Mapped[Author] = relationship(primaryjoin="Author.id > foreign(Book.author_id)", viewonly=True)

    public = aliased(Author, select(Author).where(Author.is_public).subquery())
    Book.narrowed = relationship(public, primaryjoin=public.id == Book.author_id, viewonly=True)

    assert list(entity_of(Book).relations) == ["author", "written"]
