"""`Changes` are made and read by names and by attributes, and refuse what their model does not have."""

from typing import Any, ClassVar
from uuid import UUID

import pytest
from sqlalchemy import MetaData
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from gatepost import Actor, Changes, Unauthorized, anonymous, system


class Base(DeclarativeBase):
    metadata = MetaData()


class Book(Base):
    __tablename__ = "books"
    __mapper_args__: ClassVar = {"polymorphic_on": "kind", "polymorphic_identity": "book"}

    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str]
    title: Mapped[str]
    stock: Mapped[int]


class Atlas(Book):
    __mapper_args__: ClassVar = {"polymorphic_identity": "atlas"}

    scale: Mapped[int | None]


class Author(Base):
    __tablename__ = "authors"

    id: Mapped[int] = mapped_column(primary_key=True)
    title: Mapped[str]


@pytest.mark.parametrize("changes", [Changes[Book]({Book.stock: 3}), Changes[Book]({"stock": 3})])
def test_an_attribute_and_its_name_are_the_same_key(changes: Changes[Book]) -> None:
    assert (changes[Book.stock], changes["stock"]) == (3, 3)
    assert Book.stock in changes
    assert "stock" in changes
    assert Book.title not in changes
    assert (changes.get(Book.stock, 0), changes.get(Book.title, "none"), changes.get(Book.title)) == (3, "none", None)
    assert list(changes) == ["stock"]
    assert {"stock", "title"} & changes.keys() == {"stock"}
    with pytest.raises(KeyError, match="title"):
        changes[Book.title]


def test_a_change_of_changes_leaves_the_first_as_they_were() -> None:
    changes = Changes[Book]({Book.stock: 3})
    book = Book(title="a", stock=1)

    changes.replace(title="b").apply(book)

    assert (book.title, book.stock) == ("b", 3)
    assert dict(changes) == {"stock": 3}


@pytest.mark.parametrize(
    "use",
    [
        lambda changes: changes[Author.title],
        lambda changes: changes.get(Author.title),
        lambda changes: Author.title in changes,
    ],
)
@pytest.mark.parametrize("changes", [Changes[Book]({Book.stock: 3}), Changes({"stock": 3}, model=Book)])
def test_an_attribute_of_another_model_is_a_mistake(changes: Changes[Book], use: Any) -> None:
    with pytest.raises(TypeError, match=r"^Author.title is not an attribute of Book. Did you mean 'title'\?$"):
        use(changes)


def test_attributes_of_two_models_are_a_mistake() -> None:
    with pytest.raises(TypeError, match=r"^Author\.title is not an attribute of Book"):
        Changes({Book.stock: 3, Author.title: "a"})
    with pytest.raises(TypeError, match="these are changes of Author, not of Book"):
        Changes({Author.title: "a"}).apply(Book())


def test_names_are_checked_where_the_model_is_known_and_before_anything_is_set() -> None:
    book = Book(stock=1)
    with pytest.raises(TypeError, match=r"^Book has no attribute 'stok'. Did you mean 'stock'\?$"):
        Changes({"stock": 2, "stok": 3}).apply(book)
    assert book.stock == 1
    for make in (
        lambda: Changes({"stok": 3}, model=Book),
        lambda: Changes({}, model=Book).replace(stok=3),
    ):
        with pytest.raises(TypeError, match="Did you mean 'stock'"):
            make()


def test_the_same_attribute_twice_and_what_is_none_are_refused() -> None:
    with pytest.raises(TypeError, match="twice"):
        Changes({Book.stock: 1, "stock": 2})
    with pytest.raises(TypeError, match="3 is neither an attribute"):
        Changes({3: 1})


def test_attributes_of_a_base_and_of_a_subclass_may_be_those_of_a_row() -> None:
    changes = Changes({"scale": 3, "title": "b"}, model=Atlas)
    assert changes[Book.title] == "b"
    assert Changes({"title": "b"}, model=Book).get(Atlas.scale) is None
    atlas = Atlas(title="a")
    Changes[Book]({Book.title: "b", Atlas.scale: 5}).apply(atlas)
    assert (atlas.title, atlas.scale) == ("b", 5)
    with pytest.raises(TypeError, match="Book has no attribute 'scale'"):
        Changes[Book]({Book.title: "b", Atlas.scale: 5}).apply(Book())


def test_only_a_signed_in_actor_has_an_id() -> None:
    id = UUID(int=1)
    assert Actor(id).require_id() == id
    with pytest.raises(Unauthorized) as refused:
        anonymous.require_id()
    assert refused.value.code == "not_signed_in"
    with pytest.raises(TypeError, match="act as a user"):
        system.require_id()


def test_what_a_request_asks_for_stays_asked_for_whatever_value_replaces_it() -> None:
    asked = Changes({"title": "a"}, model=Book).asked_for()

    assert asked.replace(title="b").asked == {"title"}
    assert asked.replace(stock=3).asked == {"title"}
