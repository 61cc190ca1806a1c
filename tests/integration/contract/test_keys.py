"""Keys of every type: where a row is, is said in the words of its body, and read there."""

import enum
from collections.abc import AsyncIterator, Sequence
from typing import Any, TypeVar
from urllib.parse import unquote

import pytest
import pytest_asyncio
import sqlalchemy as sa
from sqlalchemy import MetaData
from sqlalchemy.dialects.postgresql import INTERVAL, JSONB
from sqlalchemy.orm import DeclarativeBase, mapped_column

from gatepost import Actor, App, Resource, Service, anyone
from gatepost.errors import ConfigurationError
from gatepost.models.list_query import ListQuery
from gatepost.testing import Client, TestApp

T = TypeVar("T")

pytestmark = pytest.mark.asyncio(loop_scope="module")


class Keyed(DeclarativeBase):
    """A MetaData of its own."""


class Mood(enum.Enum):
    GOOD = "very good"
    BAD = "bad"


class Reversed(sa.TypeDecorator[str]):
    """Stores a text backwards."""

    impl = sa.Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Any) -> str | None:
        return None if value is None else value[::-1]

    def process_result_value(self, value: str | None, dialect: Any) -> str | None:
        return None if value is None else value[::-1]


class Passing(Service[T]):
    """Goes through the ORM, and changes nothing."""

    async def create(self, draft: Any, actor: Actor) -> Any:
        return await super().create(draft, actor)

    async def list(self, query: ListQuery, actor: Actor) -> Sequence[T]:
        return await super().list(query, actor)


KEYS: dict[str, tuple[Any, list[Any]]] = {
    "uuid": (sa.Uuid(), ["018f0e5a-7c4b-7c1e-8a52-6d0b5b1f3c2d"]),
    "interval": (sa.Interval(), ["P1DT12H", "PT0.5S", "-P3D"]),
    "own_interval": (INTERVAL(), ["PT90S"]),
    "stamp": (sa.DateTime(timezone=True), ["2030-01-31T12:00:00Z", "2030-01-31T12:00:00.5Z"]),
    "day": (sa.Date(), ["2030-01-31"]),
    "hour": (sa.Time(), ["12:30:00", "12:30:00.25"]),
    "price": (sa.Numeric(10, 2), ["1000.00", "0.10"]),
    "exact": (sa.Numeric(), ["1e3", "0.0000000001"]),
    "double": (sa.Double(), [1.5, 2.0, 1e-7, 1e300]),
    "flag": (sa.Boolean(), [True, False]),
    "number": (sa.BigInteger(), [0, -5]),
    "mood": (sa.Enum(Mood), ["very good", "bad"]),
    "kind": (sa.Enum("a b", "c", name="kind"), ["a b", "c"]),
    "text": (sa.Text(), ["x'y", "ö %2e"]),
    "reversed": (Reversed(), ["abc"]),
}
SERVED: list[Resource[Any]] = []
for name, (kind, _) in KEYS.items():
    for path in (name, f"serviced_{name}"):
        columns = {
            "__tablename__": f"keyed_{path}",
            "__module__": __name__,
            "id": mapped_column(kind, primary_key=True, autoincrement=False),
            "note": mapped_column(sa.Text, nullable=True),
        }
        model = type(f"Keyed_{path}", (Keyed,), columns)
        service = type(f"Passing_{path}", (Passing,), {}) if path != name else None
        SERVED.append(Resource(model, read=anyone, write=anyone, path=path, service=service))

app = App(*SERVED)


@pytest.fixture(scope="module")
def database_metadata() -> MetaData:
    """Databases here have the tables of the app with many keys."""
    return app.metadata


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def anonymous(module_database_url: str) -> AsyncIterator[Client]:
    async with TestApp(app, module_database_url) as running:
        yield running.anonymous


@pytest.mark.parametrize("path", [resource.path for resource in SERVED])
async def test_a_location_has_the_key_as_the_body_shows_it(anonymous: Client, path: str) -> None:
    for key in KEYS[path.removeprefix("serviced_")][1]:
        created = await anonymous.post(f"/api/{path}", json={"id": key})
        assert created.status == 201, created.body
        location = created.headers["location"]
        segment = unquote(location.rpartition("/")[2])
        shown = created.body.decode().partition('"id":')[2].partition(',"note"')[0]
        assert segment == shown.strip('"')
        assert (await anonymous.get(location)).data == created.data
        assert (await anonymous.get(f"/api/{path}")).data == [created.data]
        assert (await anonymous.patch(location, json={"note": "x"})).status == 200
        assert (await anonymous.delete(location)).status == 204


class Hollow(enum.Enum):
    NONE = ""
    SOME = "some"


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        (sa.LargeBinary(), "of type LargeBinary"),
        (sa.ARRAY(sa.Integer()), "of type ARRAY"),
        (JSONB(), "of type JSONB"),
        (sa.Enum(Hollow), "with the choices ''"),
        (sa.Enum("a/b", "..", "fine", name="bad_kind"), "with the choices '..', 'a/b'"),
    ],
)
async def test_a_key_that_no_path_can_carry_is_refused_when_the_app_is_built(kind: Any, words: str) -> None:
    class Own(DeclarativeBase):
        metadata = sa.MetaData()

    class Thing(Own):
        __tablename__ = "things"
        id = mapped_column(kind, primary_key=True, autoincrement=False)

    with pytest.raises(ConfigurationError) as refused:
        App(Resource(Thing, read=anyone))
    assert "Thing.id: is a key" in str(refused.value)
    assert words in str(refused.value)
