"""What an app declares for its description: titles, the arguments of decorators, and the problems of services."""

import json
from typing import Any

import pytest
from sqlalchemy import MetaData
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from gatepost import Actor, App, Conflict, Controller, NotFound, Policy, Resource, anonymous, anyone, get
from gatepost.declaring.info import title_of
from gatepost.errors import ConfigurationError
from gatepost.settings import Settings


class Shelf(DeclarativeBase):
    metadata = MetaData()


class DescribedJar(Shelf):
    __tablename__ = "described_jars"

    id: Mapped[int] = mapped_column(primary_key=True)
    label: Mapped[str]


def app_of(resource: Resource[Any] | None = None, *controllers: Any) -> App:
    return App(resource or Resource(DescribedJar, read=anyone, write=anyone), controllers=controllers)


@pytest.mark.parametrize(
    ("source", "title"),
    [
        ("shop/app.py:31", "Shop"),
        ("examples/book_store/main.py:3", "Book store"),
        ("library.py:3", "Library"),
        ("app.py:3", "API"),
    ],
)
def test_an_app_without_a_title_has_that_of_its_module(source: str, title: str) -> None:
    assert title_of(source) == title


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ({"tags": "reports"}, "tags"),
        ({"tags": [1]}, "tags=...): has 1, which is not a tag. Write tags="),
        ({"deprecated": 1}, "deprecated"),
        ({"operation_id": "a b"}, "operation_id=...): is 'a b', which generators of clients cannot make a name of."),
        ({"document": None}, "document"),
    ],
)
def test_a_description_that_cannot_be_is_refused(arguments: Any, complaint: str) -> None:
    class Jars(Controller):
        path = "jars"

        @get("/", allow=anyone, **arguments)
        async def jars(self) -> None:
            return None

    with pytest.raises(ConfigurationError) as refused:
        app_of(None, Jars)
    assert complaint in str(refused.value)
    assert "test_declared_descriptions.py:" in str(refused.value)


@pytest.mark.parametrize(
    ("raises", "complaint"),
    [
        ({"make": [Conflict("full", "It is full.")]}, "has 'make', which is not an action."),
        ({"create": Conflict("full", "It is full.")}, "which is not a list of problems"),
        (["full"], "which is not a list of problems"),
        (
            {"create": [Conflict("full", "No.")], "update": [NotFound("full", "No.")]},
            "with the status 409 and with 404",
        ),
    ],
)
def test_problems_of_a_service_that_cannot_be_are_refused(raises: Any, complaint: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        app_of(Resource(DescribedJar, read=anyone, write=anyone, raises=raises))
    assert complaint in str(refused.value)


def test_problems_of_a_service_are_described_where_they_are_raised() -> None:
    full = Conflict("full", "The shelf is full.")
    composed = app_of(Resource(DescribedJar, read=anyone, write=anyone, raises={"create": [full]})).composed(Settings())
    found = composed.openapi.full()
    operations = {operation.name: operation for operation in composed.operations}
    name = found["paths"]["/api/described_jars"]["post"]["responses"]["409"]["$ref"].rpartition("/")[2]

    assert operations["described_jars.create"].raises == (full,)
    assert "- `full`: The shelf is full." in found["components"]["responses"][name]["description"]
    assert "`full`" not in str(found["paths"]["/api/described_jars"]["get"])


class OfTenant(Policy):
    """Asks of users what only real ones have."""

    def decide(self, actor: Actor) -> bool:
        return actor.user is not None and actor.user.tenant == "ours"


def test_a_policy_that_made_up_users_cannot_answer_opens_nothing_to_the_anonymous() -> None:
    resource = Resource(DescribedJar, read=anyone, write=OfTenant())
    openapi = app_of(resource).composed(Settings()).openapi
    paths = json.loads(openapi.document(anonymous).body)["paths"]

    assert paths["/api/described_jars"].keys() == {"get"}
    assert openapi.full()["paths"]["/api/described_jars"].keys() == {"get", "post"}


def test_the_names_of_operations_are_unique() -> None:
    class Twice(Controller):
        path = "twice"

        @get("/first", allow=anyone)
        @get("/second", allow=anyone)
        async def both(self) -> None:
            return None

    paths = app_of(None, Twice).composed(Settings()).openapi.full()["paths"]

    assert {paths[path]["get"]["operationId"] for path in ("/api/twice/first", "/api/twice/second")} == {
        "twice.both",
        "twice.both.2",
    }


def test_paths_that_match_alike_are_one_with_one_name_for_each_parameter() -> None:
    class Peek(Controller[DescribedJar]):
        @get("/{jar}", allow=anyone)
        async def peek(self, jar: DescribedJar) -> DescribedJar:
            return jar

    resource = Resource(DescribedJar, read=anyone, write=anyone, controller=Peek)
    paths = app_of(resource).composed(Settings()).openapi.full()["paths"]
    jars = {path: operations for path, operations in paths.items() if path.startswith("/api/described_jars/")}

    assert [*jars] == ["/api/described_jars/{id}"]
    assert jars["/api/described_jars/{id}"]["get"]["parameters"][0]["name"] == "id"


async def _elsewhere(scope: Any, receive: Any, send: Any) -> None:
    raise NotImplementedError


@pytest.mark.parametrize(
    ("paths", "sentence"),
    [
        (["/legacy"], "Below `/legacy` is another application, not described here."),
        (["/a", "/b", "/c"], "Below `/a`, `/b` and `/c` are other applications, not described here."),
    ],
)
def test_mounted_applications_are_named(paths: list[str], sentence: str) -> None:
    app = App(Resource(DescribedJar, read=anyone), mount=dict.fromkeys(paths, _elsewhere), description="Jars.")
    found = app.composed(Settings()).openapi.full()

    assert found["x-mounts"] == paths
    assert found["info"]["description"] == f"Jars. {sentence}"
    assert "x-mounts" not in app_of().composed(Settings()).openapi.full()
