"""What a call knows when its response is made: the view of its actor, the tables that were read, and no open unit."""

from collections.abc import AsyncIterator
from uuid import UUID

import pytest
import pytest_asyncio
from gate_conversation import forbidden_receive
from overrides_app import Cup, Cups, app
from sqlalchemy import MetaData

from gatepost.actor import Actor
from gatepost.call import Call
from gatepost.models.list_query import ListQuery
from gatepost.testing import TestApp
from gatepost.view import NO_FIELDS

pytestmark = pytest.mark.asyncio(loop_scope="module")

STAFF = Actor(UUID(int=1), frozenset({"staff"}))


@pytest.fixture(scope="module")
def database_metadata() -> MetaData:
    """Databases here have the tables of the overrides."""
    return app.metadata


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def running(module_database_url: str) -> AsyncIterator[TestApp]:
    """The app with the overrides, started on an empty database."""
    async with TestApp(app, module_database_url) as started:
        yield started


def call_of(path: str, query_string: bytes = b"") -> Call:
    """A GET by the staff."""
    rules, endpoint, values = app.running.table.match("GET", path)
    return Call({}, forbidden_receive, "id", "192.0.2.1", {}, query_string, rules, endpoint, values, STAFF)


async def respond(call: Call) -> None:
    """What the endpoint does after the actor was found."""
    assert call.endpoint is not None
    assert (await call.endpoint.handler(call)).status == 200


@pytest.mark.parametrize(
    ("path", "query_string", "tables"),
    [
        ("/api/kilns", b"", {"kilns"}),
        ("/api/pots", b"", {"pots"}),
        ("/api/pots", b"expand=kiln", {"pots", "kilns"}),
        ("/api/cups", b"", None),
    ],
)
async def test_a_call_knows_the_tables_that_its_response_depends_on(
    running: TestApp, path: str, query_string: bytes, tables: set[str] | None
) -> None:
    for _ in range(2):  # compiled, then kept
        call = call_of(path, query_string)
        await respond(call)
        assert call.tables_read == tables
        assert call.view is not NO_FIELDS


async def test_a_call_has_its_unit_of_work_while_a_service_runs(
    running: TestApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    call = call_of("/api/cups")
    seen: list[bool] = []

    async def rows(service: Cups, query: ListQuery, actor: Actor) -> list[Cup]:
        seen.append(call.unit.service(Cup) is service)
        return []

    monkeypatch.setattr(Cups, "list", rows)
    await respond(call)
    assert (seen, call.unit) == ([True], None)
