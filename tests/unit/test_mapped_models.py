"""Models that are mapped in unusual ways: where their users stand, and what they cannot say."""

import pytest
from sqlalchemy import Column, Identity, Integer, MetaData, Table
from sqlalchemy.orm import (
    DeclarativeBase,
    Mapped,
    MappedAsDataclass,
    declarative_base,
    mapped_column,
    registry,
    synonym,
)

from gatepost import App, ConfigurationError, Model, Resource, Row, UserColumns, anyone, hidden


def dataclass_model() -> type[object]:
    class Base(MappedAsDataclass, DeclarativeBase, kw_only=True):
        pass

    class Part(Base):
        __tablename__ = "parts"

        id: Mapped[int] = mapped_column(primary_key=True, init=False)

    return Part


def imperative_model() -> type[object]:
    class Part:
        pass

    known = registry()
    known.map_imperatively(Part, Table("parts", known.metadata, Column("id", Integer, primary_key=True)))
    return Part


def model_of_a_function() -> type[object]:
    base = declarative_base()
    return type("Part", (base,), {"__tablename__": "parts", "id": Column(Integer, primary_key=True)})


MAKERS = [dataclass_model, imperative_model, model_of_a_function]


@pytest.mark.parametrize("make", MAKERS)
def test_the_users_table_is_one_of_the_app(make: object) -> None:
    model = make()  # type: ignore[operator]
    app = App(Resource(model, read=anyone))
    assert {*app.metadata.tables} == {"parts", "users"}
    assert App(Resource(model, read=anyone)).user_model is app.user_model
    assert issubclass(app.user_model, UserColumns)


def test_a_constructor_that_needs_more_than_a_body_is_refused_where_rows_are_created() -> None:
    class Base(DeclarativeBase):
        pass

    class Part(Base):
        __tablename__ = "parts"

        id: Mapped[int] = mapped_column(primary_key=True)

        def __init__(self, factory: str) -> None:
            self.factory = factory

    App(Resource(Part, read=anyone, update=anyone))
    with pytest.raises(ConfigurationError, match=r"Part.__init__: needs an argument 'factory'"):
        App(Resource(Part, read=anyone, create=anyone))


@pytest.mark.parametrize("option", ["sort", "filter", "search", "fields"])
def test_a_synonym_is_no_field(option: str) -> None:
    class Base(DeclarativeBase):
        pass

    class Part(Base):
        __tablename__ = "parts"

        id: Mapped[int] = mapped_column(primary_key=True)
        name: Mapped[str]
        title = synonym("name")

    given = {"title": hidden} if option == "fields" else ["title"]
    with pytest.raises(ConfigurationError, match=r"'title' is a synonym of 'name'.* Write 'name'\."):
        App(Resource(Part, read=anyone, **{option: given}))  # type: ignore[arg-type]


def test_rows_have_timestamps_and_a_version_and_a_key_of_their_own() -> None:
    class Numbered(Row):
        __tablename__ = "numbered_rows"
        id: Mapped[int] = mapped_column(Identity(), primary_key=True)

    class Other(Model):
        __tablename__ = "rows_with_uuids"

    app = App(Resource(Numbered, read=anyone, write=anyone))

    assert [*Numbered.__table__.columns.keys()] == ["id", "created_at", "updated_at", "version"]
    assert [*Other.__table__.columns.keys()] == ["id", "created_at", "updated_at", "version"]
    assert app.user_model is App(Resource(Other, read=anyone)).user_model, "the users' key is a UUID"


def test_users_with_a_key_of_their_own_are_named() -> None:
    class Base(Row):
        __abstract__ = True
        metadata = MetaData()

    class Account(UserColumns, Base):
        __tablename__ = "numbered_accounts"
        id: Mapped[int] = mapped_column(Identity(), primary_key=True)

    with pytest.raises(ConfigurationError, match="Account inherits UserColumns, but users= is not given"):
        App(Resource(Account, read=anyone))
