"""Every mistake of a declaration is reported in one run, at the line where it is made, with what to write."""

import linecache
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import DateTime, ForeignKey, MetaData
from sqlalchemy.orm import DeclarativeBase, DynamicMapped, Mapped, mapped_column, relationship

from gatepost import (
    App,
    Field,
    Resource,
    Service,
    UserAuthenticator,
    UserColumns,
    VerifiedUser,
    anyone,
    hidden,
    owner,
    policy,
    read_only,
)
from gatepost.cli.doctor_findings import failed
from gatepost.errors import ConfigurationError


class Base(DeclarativeBase):
    metadata = MetaData()


class Author(Base):
    __tablename__ = "authors"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]


class Book(Base):
    __tablename__ = "books"

    id: Mapped[int] = mapped_column(primary_key=True)
    title: Mapped[str]
    writer_id: Mapped[UUID]
    author_id: Mapped[int] = mapped_column(ForeignKey("authors.id"))
    author: Mapped[Author] = relationship()


class Clock(Base):
    __tablename__ = "clocks"

    id: Mapped[int] = mapped_column(primary_key=True)
    opened: Mapped[Any] = mapped_column(DateTime)  # naive
    closed: Mapped[Any] = mapped_column(DateTime)  # naive, too


class Books(Service[Book]):
    pass


class Careless(Service[Book]):
    attempts = 0

    def before_create(self, draft: Book, actor: Any) -> None:  # type: ignore[override]
        """Not asynchronous."""


class Misspelt(UserAuthenticator):
    challenge = "Key"

    async def verifi(self, credentials: bytes) -> VerifiedUser | None:
        """A misspelt name."""


class Sudden(UserAuthenticator):
    challenge = "Key"

    def verify(self, credentials: bytes) -> VerifiedUser | None:  # type: ignore[override] # pyright: ignore[reportIncompatibleMethodOverride]
        """Not asynchronous."""


def misspelt(book: Any, actor: Any) -> Any:
    return book.titel == "x"


def book(**options: Any) -> Resource[Book]:
    return Resource(Book, **{"read": anyone, **options})


def mistakes_of(*resources: Any, **options: Any) -> list[ConfigurationError]:
    with pytest.raises(ConfigurationError) as refusal:
        App(*resources, **options)
    text = str(refusal.value)
    found = list(refusal.value.mistakes or (refusal.value,))
    assert all(str(mistake) in text for mistake in found)
    return found


CALL = "return Resource(Book"
MISTAKES: dict[str, tuple[dict[str, Any], str, str]] = {
    "an unknown argument": (
        {"raed": anyone},
        CALL,
        "Resource(raed=...): there is no argument 'raed'. Did you mean 'read'?",
    ),
    "a policy that is none": ({"write": "anyone"}, CALL, "Resource(Book, write=...): 'anyone' is not a policy. Write "),
    "a field that is none": ({"sort": ["titel"]}, CALL, "Book has no field 'titel'. Did you mean 'title'?"),
    "an attribute of another model": (
        {"sort": [Author.name]},
        CALL,
        "names Author.name, of another model. Name attributes of Book.",
    ),
    "a name twice": ({"filter": ["title", Book.title]}, CALL, "names 'title' twice. Remove one of them."),
    "no name": ({"filter": [3]}, CALL, "names 3. Write names or attributes"),
    "fields that are no dict": ({"fields": ["title"]}, CALL, "Resource(Book, fields=...): is ['title']. Write a dict"),
    "an unknown argument of a field": (
        {"fields": {"title": Field(reed=anyone)}},  # type: ignore[call-arg] # pyright: ignore[reportCallIssue]
        "Field(reed=anyone)",
        "Field(reed=...): there is no argument 'reed'. Did you mean 'read'?",
    ),
    "a field of its own contradiction": (
        {"fields": {"title": Field(write=anyone, create=anyone)}},
        "Field(write=anyone, create=anyone)",
        "Use either write=, or create= and update=.",
    ),
    "a service that is an object": (
        {"service": Books.__new__(Books)},
        CALL,
        "service=Books(...) is an object. Give it the class: service=Books.",
    ),
    "a service that is none": (
        {"service": Author},
        CALL,
        "service=Author is not a subclass of Service. Write class Books(Service[Book])",
    ),
    "a service with a mistake": (
        {"service": Careless},
        CALL,
        "Careless.attempts: 0 is not a valid number of attempts.",
    ),
    "an owner that is no column": (
        {"update": owner("writr_id")},
        CALL,
        "owner('writr_id') names no column of Book. Did you mean 'writer_id'?",
    ),
    "an owner over no relation": (
        {"read": owner("auther.id")},
        CALL,
        "names no relation 'auther' of Book. Did you mean 'author'?",
    ),
    "an owner of another model": (
        {"read": owner(Author.id)},
        CALL,
        "owner('id') names a column of Author, not of Book. Write the path",
    ),
    "a misspelt attribute in a policy": (
        {"read": policy(misspelt)},
        "return book.titel ==",
        "the policy misspelt raises AttributeError: type object 'Book' has no attribute 'titel'. Did you mean ",
    ),
    "a required field that nobody sets": (
        {"write": anyone, "fields": {"title": read_only}},
        CALL,
        "is required, and an anonymous client may create rows but not set it.",
    ),
    "a sort without an effect": (
        {"sort": ["title"], "fields": {"title": hidden}},
        CALL,
        "names 'title' without an effect: the field is hidden",
    ),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_of_a_resource_has_its_line_and_its_hint(name: str) -> None:
    options, line, words = MISTAKES[name]
    [mistake] = mistakes_of(book(**options))
    assert words in str(mistake)
    assert line in line_of(mistake)


def line_of(mistake: ConfigurationError) -> str:
    """The text of the line that a mistake names."""
    file, _, number = str(mistake.source).rpartition(":")
    assert file == "tests/unit/test_mistakes.py", str(mistake)
    return linecache.getline(__file__, int(number))


APP = "App(*resources"
APP_MISTAKES: dict[str, tuple[dict[str, Any], str]] = {
    "an unknown argument": ({"usrs": Author}, "App(usrs=...): there is no argument 'usrs'. Did you mean 'users'?"),
    "users of another kind": (
        {"users": Author},
        "users=Author does not inherit UserColumns. Write class Author(Model, UserColumns).",
    ),
    "a mount at no path": ({"mount": {"old": mistakes_of}}, "mount='old' is not a path."),
    "a prefix that is no path": ({"prefix": "api"}, "prefix='api' is not a path."),
    "bigint": ({"bigint": "text"}, 'bigint=\'text\'. Write "number" or "string".'),
    "a misspelt method of an authenticator": (
        {"authenticators": [Misspelt()]},
        "Misspelt: does not define verify, but verifi. Write async def verify(self, credentials).",
    ),
    "a method that is not asynchronous": (
        {"authenticators": [Sudden()]},
        "Sudden: verify is not asynchronous. Write async def verify.",
    ),
}


@pytest.mark.parametrize("name", APP_MISTAKES)
def test_a_mistake_of_an_app_has_its_line_and_its_hint(name: str) -> None:
    options, words = APP_MISTAKES[name]
    [mistake] = mistakes_of(book(), **options)
    assert words in str(mistake)
    assert APP in line_of(mistake)


def test_what_cannot_be_called_at_all_is_refused_at_once() -> None:
    arguments: Any = (Book, anyone)
    with pytest.raises(
        ConfigurationError, match=r"test_mistakes\.py:\d+: Resource\(\.\.\.\): too many positional arguments\."
    ):
        Resource(*arguments)
    nothing: Any = ()
    with pytest.raises(ConfigurationError, match=r"missing a required argument: 'model'\."):
        Resource(*nothing)


def test_a_column_has_its_own_line() -> None:
    opened, closed = mistakes_of(Resource(Clock, read=anyone))
    assert (opened.location, closed.location) == ("Clock.opened", "Clock.closed")
    assert "# naive\n" in line_of(opened)
    assert "# naive, too" in line_of(closed)


def test_ten_mistakes_are_reported_in_one_run() -> None:
    nothing: Any = "Book"
    found = mistakes_of(
        book(raed=anyone, sort=["titel"], page_size=0, read=policy(misspelt), service=Careless, rate_limit=5),
        Resource(Author, read=owner("nmae"), write=anyone, fields={"name": read_only, "nmae": hidden}),
        Resource(Clock, read=anyone),
        Resource(nothing),
        Author,
        mount={"old": 1},
        prefix="api",
    )
    sentences = sorted(mistake.message for mistake in found)
    assert len(found) == len(set(map(str, found))) == 15, sentences
    assert all(mistake.source for mistake in found)
    with pytest.raises(
        ConfigurationError, match=r"^2 mistakes:\n  tests/.*: Clock\.opened: .*\n  tests/.*: Clock\.closed: "
    ):
        App(Resource(Clock, read=anyone))


def test_a_column_that_cannot_be_served_hides_no_other_mistake_and_causes_none() -> None:
    found = mistakes_of(
        Resource(
            Clock,
            read=policy(misspelt),
            write=anyone,
            sort=["opened", "opend"],
            filter=["closed"],
            fields={"opened": Field(write=anyone), "id": Field(update=anyone)},
            service=Careless,
        )
    )
    assert sorted((str(mistake.location), mistake.message.partition(" ")[0]) for mistake in found) == [
        ("Clock.closed", "is"),
        ("Clock.opened", "is"),
        ("None", "the"),
        ("Resource(Clock)", "Careless"),
        ("Resource(Clock, fields['id'])", "is"),
        ("Resource(Clock, sort=...)", "Clock"),
    ], found


class Torn(DeclarativeBase):
    metadata = MetaData()


class Half(Torn):
    __tablename__ = "halves"

    id: Mapped[int] = mapped_column(primary_key=True)
    other: Mapped["Hlaf"] = relationship()  # type: ignore[name-defined]  # noqa: F821


def test_a_mapper_that_cannot_be_configured_hides_no_mistake_that_does_not_need_it() -> None:
    async def later(m: Any, actor: Any) -> Any: ...

    found = mistakes_of(Resource(Half, read=policy(later), service=Careless, page_size=0), book(sort=["titel"]))
    assert [mistake.location for mistake in found if "Hlaf" in str(mistake)] == ["Half.other"]
    said = "\n".join(map(str, found))
    assert len(found) == 5, said
    for words in ("is asynchronous", "Careless is a service of Book", "page_size", "titel"):
        assert words in said


class Long(Base):
    __tablename__ = "long_" + "x" * 70

    id: Mapped[int] = mapped_column(primary_key=True)
    one: Mapped[int] = mapped_column("two" + "y" * 70)
    all: DynamicMapped[Author] = relationship(primaryjoin="foreign(Author.id) == Long.id", viewonly=True)


def test_everything_that_keeps_a_mapper_from_being_served_is_reported() -> None:
    found = mistakes_of(Resource(Long, read=anyone))
    assert [mistake.location for mistake in found] == ["Long", "Long", "Long.all"]


def test_the_doctor_shows_them_all() -> None:
    with pytest.raises(ConfigurationError) as refusal:
        App(Resource(Clock, read=anyone))
    assert failed("application", refusal.value).detail == str(refusal.value)
    (opened, _) = refusal.value.mistakes
    finding = failed("application", opened)
    assert f"{finding.detail} {finding.hint}" == str(opened)


# What SQLAlchemy refuses


def test_a_relationship_to_a_misspelt_class_names_the_attribute_of_whichever_class_it_is() -> None:
    class Other(DeclarativeBase):
        metadata = MetaData()

    class Shelf(Other):
        __tablename__ = "shelves"
        id: Mapped[int] = mapped_column(primary_key=True)

    class Jar(Other):
        __tablename__ = "jars"
        id: Mapped[int] = mapped_column(primary_key=True)
        shelf: Mapped["Shlef"] = relationship()  # type: ignore[name-defined] # noqa: F821 # pyright: ignore

    for _ in range(2):
        [mistake] = mistakes_of(Resource(Shelf, read=anyone), Resource(Jar, read=anyone))
        assert mistake.location == "Jar.shelf"
        assert 'Mapped["Shlef"]' in line_of(mistake)
        assert str(mistake).endswith("Did you mean 'Shelf'?")
        assert "sqlalche.me" not in str(mistake)


def test_a_relationship_without_or_with_several_foreign_keys_is_a_mistake() -> None:
    class Other(DeclarativeBase):
        metadata = MetaData()

    class Team(Other):
        __tablename__ = "teams"
        id: Mapped[int] = mapped_column(primary_key=True)

    class Game(Other):
        __tablename__ = "games"
        id: Mapped[int] = mapped_column(primary_key=True)
        home_id: Mapped[int] = mapped_column(ForeignKey("teams.id"))
        guest_id: Mapped[int] = mapped_column(ForeignKey("teams.id"))
        home: Mapped[Team] = relationship()

    [mistake] = mistakes_of(Resource(Game, read=anyone))
    assert mistake.location == "Game.home"
    assert "foreign_keys" in str(mistake)


def test_a_foreign_key_of_a_table_that_is_not_served_is_a_mistake_too() -> None:
    class Other(DeclarativeBase):
        metadata = MetaData()

    class Shelf(Other):
        __tablename__ = "shelves"
        id: Mapped[int] = mapped_column(primary_key=True)

    class Jar(Other):
        __tablename__ = "jars"
        id: Mapped[int] = mapped_column(primary_key=True)
        shelf_id: Mapped[int] = mapped_column(ForeignKey("shelfs.id"))

    [mistake] = mistakes_of(Resource(Shelf, read=anyone))
    assert mistake.location == "jars.shelf_id"
    [mistake] = mistakes_of(Resource(Jar, read=anyone))
    assert mistake.location == "Jar.shelf_id"


# Users


def test_a_model_of_users_that_nobody_signs_in_by_is_a_mistake() -> None:
    class Other(DeclarativeBase):
        metadata = MetaData()

    class Shelf(Other):
        __tablename__ = "shelves"
        id: Mapped[int] = mapped_column(primary_key=True)

    class Member(Other, UserColumns):
        __tablename__ = "members"
        id: Mapped[int] = mapped_column(primary_key=True)

    for resource in (Resource(Shelf, read=anyone), Resource(Member, read=anyone)):
        [mistake] = mistakes_of(resource)
        assert str(mistake).endswith(
            "App: Member inherits UserColumns, but users= is not given: users would sign in by the table 'users'. "
            "Write App(..., users=Member)."
        )
        App(resource, users=Member)
