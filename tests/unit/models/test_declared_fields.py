"""Fields that a resource names: refused where naming them means nothing, with what to write instead."""

import dataclasses
from typing import Any

import msgspec
import pydantic
import pytest
from model_things import complete, model
from sqlalchemy import (
    ARRAY,
    CHAR,
    JSON,
    ForeignKey,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Text,
    TypeDecorator,
)
from sqlalchemy.dialects.postgresql import CITEXT, INET, JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

from gatepost.declaring.policies import anyone
from gatepost.declaring.resource import Field, Resource
from gatepost.errors import ConfigurationError
from gatepost.models.entity import entity_of
from gatepost.models.json_of import JSONOf
from gatepost.models.schema import complete_schema


class Encrypted(TypeDecorator[str]):
    """Text that is stored as another."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Any) -> str | None:
        return value and value[::-1]


class Joined(TypeDecorator[Any]):
    """A text that is stored as an array."""

    impl = ARRAY(Text)
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Any) -> Any:
        return value and value.split()


class Person(msgspec.Struct, frozen=True, rename="camel"):
    full_name: str


class Place(pydantic.BaseModel):
    name: str


class Contact(pydantic.BaseModel):
    mail_address: str = pydantic.Field(alias="mailAddress")
    place: Place | None


class OpenContact(pydantic.BaseModel, extra="allow"):
    name: str


@dataclasses.dataclass(frozen=True)
class Home:
    """Members of every kind that a path may lead to."""

    city: str
    owner: Person | None
    rooms: list[Person]
    notes: dict[str, Any]
    anything: Any
    contact: Contact | None
    open: OpenContact | None


def thing() -> type[Any]:
    """A model with a column of every kind."""
    return model(
        title=Mapped[str],
        price=Mapped[int],
        secret=(Mapped[str], mapped_column(Encrypted)),
        code=(Mapped[str], mapped_column(CHAR(4))),
        tag_list=(Mapped[list[str]], mapped_column(ARRAY(String(20)))),
        parts=(Mapped[list[Any]], mapped_column(ARRAY(JSONB))),
        joined=(Mapped[Any], mapped_column(Joined)),
        data=(Mapped[Any], mapped_column(JSONB)),
        home=(Mapped[Home], mapped_column(JSONOf(Home))),
        text_data=(Mapped[Any], mapped_column(JSON)),
        picture=(Mapped[bytes], mapped_column(LargeBinary)),
        address=(Mapped[Any], mapped_column(INET)),
    )


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"sort": ["pric"]}, "Resource(Thing, sort=...): Thing has no field 'pric'. Did you mean 'price'?"),
        ({"filter": ["nothing_like_it"]}, "no field 'nothing_like_it'. Known are: address, code, data,"),
        ({"search": ["pricee"]}, "Resource(Thing, search=...): Thing has no field 'pricee'. Did you mean 'price'?"),
        ({"fields": {"cost": Field()}}, "Resource(Thing, fields=...): Thing has no field 'cost'."),
        ({"filter": ["dat.color"]}, "Thing has no field 'dat'. Did you mean 'data'?"),
        ({"filter": ["title.color"]}, "'title.color' leads into 'title', which is not a document. Write 'title'"),
        ({"filter": ["text_data.color"]}, "'text_data.color' leads into a column of type JSON, which cannot be"),
        ({"filter": ["data."]}, "The path 'data.' has an empty key."),
        ({"filter": ["data..x"]}, "The path 'data..x' has an empty key."),
        ({"filter": ["home.cty"]}, "No document of 'home' has 'home.cty': there is no 'cty'. Did you mean 'city'?"),
        ({"filter": ["home.owner.name"]}, "has 'home.owner.name': there is no 'name'. Did you mean 'fullName'?"),
        ({"filter": ["home.city.x"]}, "there is no 'x'. Known there are: none."),
        ({"filter": ["home.contact.mail_address"]}, "there is no 'mail_address'. Did you mean 'mailAddress'?"),
        ({"filter": ["home.contact.place.nothing"]}, "there is no 'nothing'. Known there are: name."),
        ({"filter": ["home.rooms.size"]}, "there is no 'size'. Known there are: none."),
        ({"filter": ["data"]}, "The field 'data' is a document, and cannot be filtered by. Name a path into"),
        ({"filter": ["parts"]}, "is an array whose elements no query string can hold, and cannot be filtered by."),
        ({"filter": ["joined"]}, "is an array whose elements no query string can hold, and cannot be filtered by."),
        ({"filter": ["picture"]}, "The field 'picture' is a byte string, and cannot be filtered by. Leave it out"),
        ({"filter": ["address"]}, "The field 'address' is of a type that no query string can hold"),
        ({"sort": ["tag_list"]}, "The field 'tag_list' is an array, and cannot be sorted by. Name it in filter="),
        ({"sort": ["data"]}, "The field 'data' is a document, and cannot be sorted by."),
        ({"sort": ["data.color"]}, "'data.color' is a path into a document. Paths are for filter="),
        ({"sort": ["picture"]}, "The field 'picture' is a byte string, and cannot be sorted by. Leave it out"),
        ({"search": ["data.color"]}, "'data.color' is a path into a document. Paths are for filter="),
        ({"search": ["price"]}, "The field 'price' is not text. Only text can be searched; name the field in filter="),
        ({"search": ["tag_list"]}, "Name it in filter= instead: clients can then write tag_list[has]=value."),
        ({"search": ["data"]}, "The field 'data' is not text. Name a path into the document in filter="),
        ({"search": ["picture"]}, "The field 'picture' is not text. Only text can be searched; leave it out"),
        ({"search": ["secret"]}, "The field 'secret' is text behind a TypeDecorator"),
        ({"search": ["code"]}, "The field 'code' is of type CHAR, which has no trigram index. Use String or Text."),
    ],
)  # fmt: skip
def test_a_name_without_an_effect_is_refused_with_what_to_write(options: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigurationError) as refusal:
        complete(thing(), **options)
    assert words in " ".join(str(refusal.value).split())


HOME = [
    "home.city", "home.owner.fullName", "home.rooms", "home.notes.x.y", "home.anything.x", "home.contact.mailAddress",
    "home.contact.place.name", "home.open.anything",
]  # fmt: skip


def test_what_has_an_effect_is_taken() -> None:
    complete(
        thing(),
        sort=["title", "code", "secret"],
        filter=["price", "secret", "tag_list", "data.color", "data.size.width", *HOME],
        search=["title"],
        fields={"data": Field(), "picture": Field()},
    )


def test_a_relation_is_filtered_over_by_the_resource_at_its_other_end() -> None:
    class Base(DeclarativeBase):
        metadata = MetaData()

    class Author(Base):
        __tablename__ = "authors"
        id: Mapped[int] = mapped_column(primary_key=True)
        name: Mapped[str] = mapped_column(CITEXT)

    class Book(Base):
        __tablename__ = "books"
        id: Mapped[int] = mapped_column(primary_key=True)
        author_id: Mapped[int] = mapped_column(Integer, ForeignKey("authors.id"))
        author: Mapped[Author] = relationship()

    with pytest.raises(ConfigurationError) as refusal:
        complete_schema(
            [entity_of(Book), entity_of(Author)], {Book: [Resource(Book, read=anyone, filter=["author.name"])]}
        )
    assert "'author' is a relation of Book." in str(refusal.value)
    assert "Name the field in the resource of Author" in str(refusal.value)
