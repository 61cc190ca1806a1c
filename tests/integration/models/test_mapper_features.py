"""What the mapper says holds in every way in: through the derived verb, through a service, through a session."""

import re
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import pytest_asyncio
from mapper_app import Plain, Viewed, derived, make_app, metadata
from mapper_features import FEATURES, ORM, Feature
from mapper_refusals import REFUSALS, Refusal
from sqlalchemy import MetaData, Table, inspect, select, text
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, create_async_engine
from sqlalchemy.orm import undefer

from gatepost import ConfigurationError
from gatepost.testing import Client, ClientResponse, TestApp

in_module_loop = pytest.mark.asyncio(loop_scope="module")

PAGE = Path(__file__).parents[3] / "docs" / "reference" / "declaring.md"

each_feature = pytest.mark.parametrize(
    "feature", FEATURES, ids=[f"{each.model.__name__}-{each.verb}-{index}" for index, each in enumerate(FEATURES)]
)


class Trial(NamedTuple):
    """What a request did: the response, the rows of the tables that it may touch, and whether it wrote the row."""

    response: ClientResponse | None
    rows: dict[str, list[dict[str, Any]]]
    has_written: bool


class Ways:
    """The three ways to write a row of the same database."""

    def __init__(self, url: str, started: Mapping[bool, TestApp]) -> None:
        """`started` are the apps without and with services."""
        self._url = url
        self._started = started
        self.engine: AsyncEngine = create_async_engine(url.replace("postgresql:", "postgresql+asyncpg:"))

    async def derived(self, feature: Feature, body: dict[str, Any] | None) -> Trial:
        return await self._by_request(feature, body, serviced=False)

    async def serviced(self, feature: Feature, body: dict[str, Any] | None) -> Trial:
        return await self._by_request(feature, body, serviced=True)

    async def plain(self, feature: Feature, body: dict[str, Any] | None) -> Trial:
        key, xmin = await self._store(feature)
        async with AsyncSession(self.engine) as session, session.begin():
            if key is None:
                session.add(_constructed(feature.model, body or {}))
            else:
                names = [getattr(feature.model, name) for name in body or {}]
                row = (await session.scalars(select(feature.model).options(*map(undefer, names)))).one()
                for name, value in (body or {}).items():
                    current = getattr(row, name)
                    setattr(row, name, {**current, **value} if isinstance(value, dict) else value)
                if body is None:
                    await session.delete(row)
        return await self._trial(feature, xmin, None)

    async def _by_request(self, feature: Feature, body: dict[str, Any] | None, *, serviced: bool) -> Trial:
        key, xmin = await self._store(feature)
        if feature.listen is None:
            response = await _send(self._started[serviced].anonymous, feature, key, body)
        else:  # listeners are found when an app starts
            async with TestApp(make_app(serviced=serviced), self._url) as running:
                response = await _send(running.anonymous, feature, key, body)
        return await self._trial(feature, xmin, response)

    async def _store(self, feature: Feature) -> tuple[Any, str | None]:
        """Leave in the database what the feature says is there before; returns the key and the `xmin` of the model's
        row."""
        touched = {_stored(target).name for target in (feature.model, *feature.left, *dict(feature.others))}
        tables = ", ".join(touched)
        async with self.engine.begin() as connection:
            await connection.execute(text(f"TRUNCATE {tables} RESTART IDENTITY CASCADE"))
            key, xmin = None, None
            if feature.stored is not None:
                table = _stored(feature.model)
                inserted = table.insert().values(feature.stored).returning(table.c.id, text("xmin::text"))
                key, xmin = (await connection.execute(inserted)).one()
            for target, values in feature.others:
                await connection.execute(_table(target).insert().values(values))
        return key, xmin

    async def _trial(self, feature: Feature, xmin: str | None, response: ClientResponse | None) -> Trial:
        tables = [_table(feature.model), *(_table(target) for target in feature.left)]
        rows: dict[str, list[dict[str, Any]]] = {}
        async with self.engine.connect() as connection:
            for table in tables:
                found = (await connection.execute(select(table).order_by(*table.primary_key))).mappings()
                rows[table.name] = [_without(row, feature.apart) for row in found]
            now = (await connection.execute(text(f"SELECT xmin::text FROM {_stored(feature.model).name}"))).scalar()
        return Trial(response, rows, now != xmin)


async def _send(client: Client, feature: Feature, key: Any, body: dict[str, Any] | None) -> ClientResponse:
    path = f"/api/{_table(feature.model).name}"
    if key is None:
        return await client.post(path, json=body)
    return await (client.delete(f"{path}/{key}") if body is None else client.patch(f"{path}/{key}", json=body))


def _constructed(model: type[Any], values: dict[str, Any]) -> Any:
    """The object that a program would make."""
    needed = {"note": None, "origin": None} if model.__name__ == "Part" else {}
    return model(**needed | values)


def _table(target: type[Any] | Table) -> Table:
    return target if isinstance(target, Table) else inspect(target).local_table  # type: ignore[return-value]


def _stored(target: type[Any] | Table) -> Table:
    """The table that has the rows, also of a view."""
    return _table(Plain if target is Viewed else target)


def _shown(response: ClientResponse, apart: Any) -> Any:
    return response.body and _without(response.data, apart)


def _without(row: Mapping[Any, Any], apart: Any) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name not in apart}


@pytest.fixture(scope="module")
def database_metadata() -> MetaData:
    """The database here has the tables of all features."""
    return metadata


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def ways(module_database_url: str) -> AsyncIterator[Ways]:
    """The three ways into one database."""
    started: dict[bool, TestApp] = {}
    made = Ways(module_database_url, started)
    async with made.engine.begin() as connection:
        await connection.execute(text("CREATE VIEW viewed AS SELECT id, name FROM plain"))
    async with AsyncExitStack() as stack:
        for serviced, app in ((False, derived), (True, make_app(serviced=True))):
            started[serviced] = await stack.enter_async_context(TestApp(app, module_database_url))
        yield made
    await made.engine.dispose()


@pytest.fixture(autouse=True)
def listening(request: pytest.FixtureRequest) -> Iterator[None]:
    """The listeners of a feature, for its test alone."""
    feature = request.node.callspec.params.get("feature") if hasattr(request.node, "callspec") else None
    remove = feature.listen() if feature is not None and feature.listen is not None else None
    yield
    if remove is not None:
        remove()


@in_module_loop
@each_feature
async def test_the_stored_row_is_the_same_in_all_ways(ways: Ways, feature: Feature) -> None:
    by_derived, by_service, plainly = [
        await way(feature, feature.body) for way in (ways.derived, ways.serviced, ways.plain)
    ]
    [*rows] = plainly.rows[_table(feature.model).name]
    assert [{**row, **feature.expected} for row in rows] == rows
    assert len(rows) == (feature.verb != "delete")
    for target, names in feature.left.items():
        assert [row.get("name") for row in plainly.rows[_table(target).name]] == names
    assert by_derived.rows == by_service.rows == plainly.rows
    assert by_derived.response is not None
    assert by_service.response is not None
    assert by_derived.response.status == by_service.response.status in (200, 201, 204)
    assert _shown(by_derived.response, feature.apart) == _shown(by_service.response, feature.apart)


@in_module_loop
@pytest.mark.parametrize(
    "feature",
    [each for each in FEATURES if each.verb == "update"],
    ids=lambda each: each.model.__name__,
)
async def test_a_change_that_changes_nothing_writes_nothing(ways: Ways, feature: Feature) -> None:
    same = {name: (feature.stored or {}).get(name) for name in ("name", *(feature.body or {}))}
    for way in (ways.derived, ways.serviced, ways.plain):
        assert (await way(feature, feature.body)).has_written
        trial = await way(feature, same)
        assert not trial.has_written
        assert trial.response is None or trial.response.status == 200


@each_feature
def test_the_routes_say_which_way_a_verb_goes(feature: Feature) -> None:
    path = _table(feature.model).name
    app = derived if feature.listen is None else make_app(serviced=False)
    [operation] = [each for each in app.operations if each.name == f"{path}.{feature.verb}"]
    assert bool(operation.orm_reasons) == (feature.way == ORM), operation.orm_reasons


@pytest.mark.parametrize("refusal", REFUSALS, ids=lambda each: each.declare.__name__)
def test_what_is_refused_is_named_with_its_place(refusal: Refusal) -> None:
    with pytest.raises(ConfigurationError, match=refusal.words):
        refusal.declare()


def test_every_row_of_the_table_is_tried() -> None:
    table = re.search(r"<!-- features -->\n\n(.*?)\n\n", PAGE.read_text(), re.DOTALL)
    assert table is not None
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in table[1].splitlines()[2:]]
    tried = {feature.name: feature.way for feature in FEATURES} | dict.fromkeys(
        (each.name for each in REFUSALS), "refused"
    )
    assert {row[0]: row[1] for row in rows} == tried
