"""Classes whose mapper adds what compiled statements do not apply are refused when the app is built."""

import warnings
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import Column, ForeignKey, Integer, MetaData, SmallInteger, String, Table, Text, case, select
from sqlalchemy.ext.declarative import AbstractConcreteBase
from sqlalchemy.orm import DeclarativeBase, Mapped, aliased, column_property, mapped_column, relationship

from gatepost import App, Resource, UserColumns, anyone
from gatepost.errors import ConfigurationError
from gatepost.models.entity import entity_of


class Base(DeclarativeBase):
    metadata = MetaData()


class Note(Base):
    __tablename__ = "notes"
    __mapper_args__ = {"polymorphic_on": "kind"}  # noqa: RUF012 - as SQLAlchemy's users write it

    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str]


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


class Untold(Base):
    __tablename__ = "untold"

    id: Mapped[int] = mapped_column(primary_key=True)


class UntoldToo(Untold):
    """Without a discriminator."""


class Computed(Base):
    __tablename__ = "computed"

    id: Mapped[int] = mapped_column(primary_key=True)
    size = mapped_column(Integer)
    __mapper_args__ = {"polymorphic_on": case((size > 3, "large"), else_="small")}  # noqa: RUF012


class Counted(Base):
    __tablename__ = "counted"
    __mapper_args__ = {"polymorphic_on": "kind", "polymorphic_identity": "many"}  # noqa: RUF012

    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[int]


class Brief(Base):
    __tablename__ = "brief"
    __mapper_args__ = {"polymorphic_on": "kind", "polymorphic_identity": "long"}  # noqa: RUF012

    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(String(2))


class Small(Base):
    __tablename__ = "small"
    __mapper_args__ = {"polymorphic_on": "kind", "polymorphic_identity": 40_000}  # noqa: RUF012

    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[int] = mapped_column(SmallInteger)


class Twin(Base):
    __tablename__ = "twins"
    __mapper_args__ = {"polymorphic_on": "kind", "polymorphic_identity": "twin"}  # noqa: RUF012

    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str]


with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # SQLAlchemy warns, and reassigns the identity

    class OtherTwin(Twin):
        __mapper_args__ = {"polymorphic_identity": "twin"}  # noqa: RUF012


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
        (Employee, "Employee: is in one hierarchy with Engineer, which inherits from the mapped class Employee"),
        (Engineer, "Engineer: inherits from the mapped class Employee (joined-table inheritance)"),
        (Apprentice, "Apprentice: is in one hierarchy with Engineer, which inherits"),
        (Guest, "Guest: inherits from the mapped class Employee (concrete inheritance)"),
        (Shape, "Shape: is in one hierarchy with Circle, which inherits"),
        (Circle, "Circle: inherits from the mapped class Shape (concrete inheritance)"),
        (Untold, "Untold: has no polymorphic_on column that says of each row which of these classes it is of"),
        (UntoldToo, "UntoldToo: has no polymorphic_on column"),
        (Computed, "Computed: has an expression as its discriminator"),
        (Counted, "Counted: has a polymorphic_identity 'many', which the column kind cannot hold"),
        (
            Brief,
            "Brief: has a polymorphic_identity 'long', which the column kind cannot hold: it is longer than 2.",
        ),
        (
            Small,
            "Small: has a polymorphic_identity 40000, which the column kind cannot hold: it is out of range.",
        ),
        (Twin, "Twin: is in a hierarchy with one polymorphic_identity for two classes ('twin', 'twin')"),
    ],
)
def test_a_hierarchy_other_than_of_classes_told_apart_by_a_column_of_their_table_is_refused(
    model: type[Any], words: str
) -> None:
    sentence = refusal_of(lambda: App(Resource(model, read=anyone)))
    assert words in sentence


def test_a_creation_of_a_class_without_an_identity_is_refused_where_it_is_declared() -> None:
    sentence = refusal_of(lambda: App(Resource(Note, read=anyone, create=anyone)))
    assert sentence.startswith("Resource(Note, create=...): has no polymorphic_identity")
    operations = {item.name for item in App(Resource(Note, read=anyone, write=anyone)).operations}
    assert {name for name in operations if name.startswith("notes.")} == {
        "notes.list",
        "notes.get",
        "notes.update",
        "notes.delete",
    }


def test_a_column_of_a_subclass_that_other_classes_would_have_to_fill_is_refused() -> None:
    class Own(DeclarativeBase):
        metadata = MetaData()

    class Animal(Own):
        __tablename__ = "animals"
        __mapper_args__ = {"polymorphic_on": "kind"}  # noqa: RUF012
        id: Mapped[int] = mapped_column(primary_key=True)
        kind: Mapped[str]

    class Dog(Animal):
        __mapper_args__ = {"polymorphic_identity": "dog"}  # noqa: RUF012
        trick: Mapped[str]

    class Cat(Animal):
        __mapper_args__ = {"polymorphic_identity": "cat"}  # noqa: RUF012

    sentence = refusal_of(lambda: App(Resource(Cat, read=anyone, write=anyone)))
    assert "no attribute maps the column 'trick', which needs a value" in sentence
    assert "as a column of a subclass has to be" in sentence
    assert App(Resource(Cat, read=anyone), Resource(Dog, path="dogs", read=anyone, write=anyone))
    assert App(Resource(Animal, read=anyone, write=anyone), Resource(Dog, path="dogs", read=anyone, write=anyone))
    assert [[column.name for column in index.columns] for index in Animal.__table__.indexes] == [["kind"]]


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


class Copied(Base):
    """One attribute for two columns."""

    __table__ = Table(
        "copied", Base.metadata, Column("id", Integer, primary_key=True), Column("a", Text), Column("b", Text)
    )
    both = column_property(__table__.c.a, __table__.c.b)


class Doubled(Base):
    """Two attributes for one column."""

    __tablename__ = "doubled"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column("title")


Doubled.again = column_property(Doubled.__table__.c.title)


class Borrowing(Base):
    """An attribute that is a column of another table."""

    __tablename__ = "borrowing"

    id: Mapped[int] = mapped_column(primary_key=True)


Borrowing.kind = column_property(Note.__table__.c.kind)


@pytest.mark.parametrize(
    ("model", "words"),
    [
        (Copied, "Copied.both: is one attribute for several columns (a, b)."),
        (
            Doubled,
            'Doubled.again: is the column title, which is the attribute name already. Write again = synonym("name")',
        ),
        (Borrowing, "Borrowing.kind: is a column of another table (notes.kind)."),
    ],
)
def test_an_attribute_that_is_not_one_column_of_its_own_is_refused(model: type[Any], words: str) -> None:
    assert words in refusal_of(lambda: App(Resource(model, read=anyone)))


class Wordy(Base):
    __tablename__ = "wordy"

    id: Mapped[int] = mapped_column(primary_key=True)
    price: Mapped[int] = mapped_column("ü" * 32)


class WordyTable(Base):
    __tablename__ = "w" * 64

    id: Mapped[int] = mapped_column(primary_key=True)


@pytest.mark.parametrize(("model", "kind"), [(Wordy, "column"), (WordyTable, "table")])
def test_a_name_that_postgresql_would_cut_is_refused(model: type[Any], kind: str) -> None:
    words = f"{model.__name__}: has a {kind} whose name is longer than PostgreSQL's 63 bytes"
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


def test_every_attribute_that_cannot_be_configured_is_named_in_one_run() -> None:
    class Own(DeclarativeBase):
        metadata = MetaData()

    class Shelf(Own):
        __tablename__ = "shelves"
        id: Mapped[int] = mapped_column(primary_key=True)
        volumes: Mapped[list["Volume"]] = relationship(back_populates="shelf")
        keeper: Mapped["Keper"] = relationship()  # type: ignore[name-defined]  # noqa: F821

    class Volume(Own):
        __tablename__ = "volumes"
        id: Mapped[int] = mapped_column(primary_key=True)
        shelf_id: Mapped[int]
        shelf: Mapped[Shelf] = relationship(back_populates="volumes")
        first: Mapped["Keeper"] = relationship(order_by="Keeper.nam")

    class Keeper(Own):
        __tablename__ = "keepers"
        id: Mapped[int] = mapped_column(primary_key=True)
        volume_id: Mapped[int] = mapped_column(ForeignKey("volumes.id"))
        name: Mapped[str]

    for _ in range(2):
        with pytest.raises(ConfigurationError) as refusal:
            App(Resource(Shelf, read=anyone), Resource(Volume, read=anyone), Resource(Keeper, read=anyone))
        assert [(each.location, (each.source or "")[-3:].isalnum()) for each in refusal.value.mistakes] == [
            ("Shelf.volumes", True),
            ("Shelf.keeper", True),
            ("Volume.first", True),
        ]
        assert "Did you mean 'Keeper'?" in str(refusal.value)
