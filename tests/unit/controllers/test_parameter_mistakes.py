"""Parameters of endpoints that are marked, named or defaulted in a way that nothing could follow: refused when the app
is built."""

from enum import Enum, StrEnum
from typing import Annotated, Any

import pytest
import sqlalchemy as sa
from msgspec import Struct
from sqlalchemy.orm import Mapped, mapped_column

from gatepost import (
    Accounts,
    Actor,
    App,
    Call,
    ConfigurationError,
    Controller,
    Cookie,
    Header,
    Locked,
    Model,
    Query,
    RawBody,
    Resource,
    Row,
    Service,
    anyone,
    get,
    post,
)


class Crate(Model):
    __tablename__ = "parameter_mistake_crates"

    title: Mapped[str]


class Shelved(Row):
    __tablename__ = "parameter_mistake_shelved"

    shelf: Mapped[int] = mapped_column(primary_key=True)
    place: Mapped[int] = mapped_column(primary_key=True)


class Search(Struct):
    words: str = ""


def app_of(path: str, annotation: Any, *, name: str = "given", **defaults: Any) -> App:
    """An app with an endpoint that takes a parameter `given`, or of another name."""
    scope: dict[str, Any] = {}
    exec(f"async def method(self, {name}): ...", scope)  # noqa: S102 - a parameter by its name
    method = scope["method"]
    method.__annotations__ = {name: annotation, "return": int}
    method.__defaults__ = tuple(defaults.values()) or None
    endpoint = post(path, allow=anyone)(method)
    controller = type("Wrong", (Controller,), {"path": "things", "__module__": __name__, "method": endpoint})
    return App(Resource(Crate, read=anyone), Resource(Shelved, read=anyone), controllers=[controller])


@pytest.mark.parametrize(
    ("annotation", "words"),
    [
        (Annotated[int, Header("a b")], "from the header 'a b', which is not a name"),
        (Annotated[int, Header("")], "from the header '', which is not a name"),
        (Annotated[int, Header("né")], "from the header 'né', which is not a name"),
        (Annotated[int, Header(5)], "from the header 5, which is not a name"),  # type: ignore[arg-type]
        (Annotated[int, Cookie("a;b")], "from the cookie 'a;b', which is not a name"),
        (Annotated[int, Cookie("")], "from the cookie '', which is not a name"),
        (Annotated[int, Header("a"), Cookie("b")], "from several places: Header, Cookie"),
        (Annotated[int, Query, Header], "from several places: Query, Header"),
        (Annotated[bytes, RawBody], "not the bytes of a body with a bound"),
        (Annotated[int, Query], "int has no members that could be query parameters"),
        (Annotated[Search | None, Query], "has no members that could be query parameters"),
        (Annotated[Actor, Header], "takes 'given' by its class, and marks it as Header"),
        (Annotated[Service[Crate], Query], "takes 'given' by its class, and marks it as Query"),
        (Locked[int], "locks 'given', which is not a row of its path"),
        (Locked[Crate], "locks 'given', which is not a row of its path"),
        (Locked[Search], "locks 'given', which is not a row of its path"),
    ],
)
def test_a_marker_that_says_nothing_sensible(annotation: Any, words: str) -> None:
    with pytest.raises(ConfigurationError, match=r"test_parameter_mistakes\.py:\d+: ") as error:
        app_of("/a", annotation)

    assert words in str(error.value)


class Choice(Enum):
    """Has no values."""


class Named(StrEnum):
    """Has none either."""


@pytest.mark.parametrize(
    ("annotation", "words"),
    [
        (Choice, "'given' of type Choice, which no request can give. Give Choice values: none can be chosen."),
        (Named, "'given' of type Named, which no request can give. Give Named values: none can be chosen."),
        (list[Choice], "which no request can give. It is a scalar or a list of them"),
        (sa.UUID, "UUID of SQLAlchemy is the type of a column: write that of its values, such as uuid.UUID."),
        (Any, "'given' of type Any, which no request can give. It is a scalar or a list of them, as list[str]"),
        (list, "'given' of type list, which no request can give. It is a scalar or a list of them, as list[str]"),
        (Search | int, "which no request can give. It is a scalar or a list of them, as list[str]"),
    ],
)
def test_a_type_that_no_request_can_give(annotation: Any, words: str) -> None:
    with pytest.raises(ConfigurationError) as error:
        app_of("/a", annotation)

    assert words in str(error.value)


class UploadFile:
    """As other frameworks have it."""


@pytest.mark.parametrize("name", ["given", "body", "payload", "data"])
@pytest.mark.parametrize(
    ("annotation", "words"),
    [
        (
            bytes,
            "of type bytes, which would be read from the query string as base64. A body is one JSON object: write",
        ),
        (bytes | None, "Annotated[bytes, RawBody(65536)]`. A query parameter is a text."),
        (dict, "of type dict, which no request can give. A body is one JSON object"),
        (dict[str, Any], "of type dict[str, Any], which no request can give. A body is one JSON object"),
        (list[Search], "with its members, as `items: list[Search]`, or for the bytes as they were sent `"),
        (list[dict[str, int]], "A body is one JSON object: write a Struct, a dataclass, a pydantic model or a DTO"),
        (UploadFile, "Forms and uploads are not parsed: take the file as the whole body, for the bytes as they were"),
    ],
)
def test_what_is_meant_as_the_body_is_not_taken_for_something_else(annotation: Any, words: str, name: str) -> None:
    with pytest.raises(ConfigurationError) as error:
        app_of("/a", annotation, name=name)

    assert f"takes {name!r}" in str(error.value)
    assert words in str(error.value)


@pytest.mark.parametrize("name", ["body", "payload", "data"])
@pytest.mark.parametrize("annotation", [str, int | None, list[str], Any, Annotated[str, "a note"]])
def test_a_parameter_with_the_name_of_a_body_is_not_read_from_the_query_string(annotation: Any, name: str) -> None:
    with pytest.raises(ConfigurationError, match="A body is one JSON object"):
        app_of("/a", annotation, name=name)


def test_bytes_by_a_marker_are_what_it_says() -> None:
    for annotation in (Annotated[bytes, RawBody(5)], Annotated[bytes, Header], Annotated[bytes, Cookie("a")]):
        assert app_of("/a", annotation).operations
    assert app_of("/{given}", bytes).operations


def test_a_row_with_a_composite_key_in_a_path() -> None:
    words = r"takes 'given', a row of Shelved, whose key has several columns: shelf, place\. Take the values, "
    with pytest.raises(ConfigurationError, match=words + r'"/\{shelf\}/\{place\}"'):
        app_of("/{given}", Shelved)


@pytest.mark.parametrize("annotation", [Call, Actor, Accounts, Service[Crate]])
def test_what_is_given_by_its_class_in_a_path(annotation: Any) -> None:
    with pytest.raises(ConfigurationError, match=r"has \{given\} in its path, and takes 'given' by its class") as error:
        app_of("/{given}", annotation)

    assert "Take {given} out of the path." in str(error.value)


def test_the_class_of_a_body_is_named_without_its_annotations() -> None:
    async def method(self: Any, given: Annotated[Search, "words"]) -> int:
        return 1

    controller = type("Wrong", (Controller,), {"path": "things", "method": get("/a", allow=anyone)(method)})
    with pytest.raises(ConfigurationError, match=r"or `given: Annotated\[Search, Query\]`"):
        App(Resource(Crate, read=anyone), controllers=[controller])


@pytest.mark.parametrize("annotation", [Call, Actor, Service[Crate]])
def test_a_default_of_what_is_always_given(annotation: Any) -> None:
    with pytest.raises(ConfigurationError, match="takes 'given' by its class, and gives it a default"):
        app_of("/a", annotation, given=None)


@pytest.mark.parametrize(
    ("annotation", "defaults", "words"),
    [
        (int, {"given": 5}, "from its path, and gives it a default, which is never used"),
        (Crate, {"given": None}, "from its path, and gives it a default, which is never used"),
        (Annotated[int, Header], {}, "from its path, and marks it as Header"),
        (Annotated[int, Cookie("a")], {}, "from its path, and marks it as Cookie"),
        (Annotated[int, Query], {}, "from its path, and marks it as Query"),
        (Annotated[bytes, RawBody(5)], {}, "from its path, and marks it as RawBody"),
        (Locked[int], {}, "from its path, and marks it as Lock"),
    ],
)
def test_a_parameter_of_the_path_is_nothing_else(annotation: Any, defaults: Any, words: str) -> None:
    with pytest.raises(ConfigurationError, match=words):
        app_of("/{given}", annotation, **defaults)


@pytest.mark.parametrize("marker", [Header, Header(), Cookie, Cookie(), Header("X-Given")])
def test_a_class_marks_as_its_instance_does(marker: Any) -> None:
    (bound,) = app_of("/a", Annotated[int, marker]).declaration.own.endpoints

    assert [name for name, _ in bound.simple] == ["given"]
    assert bound.query.names == ()


@pytest.mark.parametrize("marker", [Query, Query()])
def test_the_members_of_a_class_are_query_parameters(marker: Any) -> None:
    (bound,) = app_of("/a", Annotated[Search, marker]).declaration.own.endpoints

    assert bound.query.names == ("words",)


def test_a_value_of_the_path_has_no_attribute() -> None:
    with pytest.raises(ConfigurationError, match="names 'title' of 'given', which is a value and not a row"):
        app_of("/{given:title}", int)
