"""The names inside statements, where operators look for them, on the oldest and the newest PostgreSQL at hand, and what
`gatepost db` asks of the older one."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import asyncpg
import pytest
from debian_postgresql import DebianPostgreSQL
from examples.bookshop.app import app

from gatepost.database.activity import find_session, read_activity
from gatepost.database.index_catalog import read_index_catalog
from gatepost.database.sizes import read_sizes
from gatepost.embedded.postgresql import EmbeddedPostgreSQL
from gatepost.models.index_advice import advise
from gatepost.models.missing_indexes import Declared
from gatepost.testing import TestApp

COUNTING = {"shared_preload_libraries": "pg_stat_statements"}


@contextmanager
def _debian(_folder: Path) -> Iterator[tuple[str, str]]:
    with DebianPostgreSQL(settings=COUNTING) as server:
        server.create_database("counted")
        yield server.dsn("counted"), server.dsn("counted", "postgres")


@contextmanager
def _embedded(folder: Path) -> Iterator[tuple[str, str]]:
    with EmbeddedPostgreSQL(folder / "data", settings=COUNTING, database="counted") as server:
        yield server.dsn("counted"), server.dsn("counted")


@pytest.mark.parametrize(("server", "version_max"), [(_debian, 17), (_embedded, 99)])
async def test_pg_stat_statements_names_the_operations(
    server: Callable[..., "contextmanager[tuple[str, str]]"], version_max: int, tmp_path: Path
) -> None:
    with server(tmp_path) as (dsn, superuser):
        operator: asyncpg.Connection[asyncpg.Record] = await asyncpg.connect(superuser)
        await operator.execute("CREATE EXTENSION pg_stat_statements")
        async with TestApp(app, dsn) as running:
            editor = await running.user("editor")
            author = await editor.post("/api/authors", json={"name": "Ursula K. Le Guin"})
            for _ in range(2):
                assert (await editor.get("/api/authors?sort=name")).status == 200
            path = f"/api/authors/{author.data['id']}"
            assert (await editor.get(path)).status == 200
            assert (await editor.patch(path, json={"name": "Ursula Le Guin"})).status == 200
            assert (await editor.delete(path)).status == 204
            rows = await operator.fetch("SELECT query, calls FROM pg_stat_statements WHERE query LIKE '%/* authors.%'")
        version = operator.get_server_version().major
        await operator.close()

    assert version <= version_max
    calls = {match[1]: row["calls"] for row in rows if (match := re.match(r"\w+ /\* ([\w.]+) \*/ ", row["query"]))}
    assert calls.keys() >= {"authors.create", "authors.list", "authors.get", "authors.update", "authors.delete"}
    assert calls["authors.list"] == 2


async def test_the_indexes_the_activity_and_the_sizes_of_an_older_postgresql_are_read(debian_url: str) -> None:
    async with TestApp(app, debian_url):
        connection: asyncpg.Connection[asyncpg.Record] = await asyncpg.connect(debian_url)
        await connection.execute("DROP INDEX ix_books_title_id; CREATE INDEX again ON books (author_id)")
        catalog = await read_index_catalog(connection)
        activity = await read_activity(connection, 60)
        assert await find_session(connection, 0) is None
        sizes = await read_sizes(connection, 3)
        await connection.close()

    declared = Declared.of(app.metadata, app.declaration.served)
    found = advise(declared, catalog, now=datetime.now(UTC), unused_for=timedelta(days=7))
    assert {(each.problem, each.index) for each in found} == {("missing", "ix_books_title_id"), ("duplicate", "again")}
    assert (activity.waits, activity.hides_statements) == ([], False)
    assert len(sizes.tables) == 3
