"""The console of one instance shows the pages of another, and says so where that does not answer."""

import asyncio
import contextlib
import dataclasses
import json
import socket
from collections.abc import AsyncIterator
from importlib.metadata import version
from typing import Any

import asyncpg
import pytest
from tests.integration.records.monitor_contexts import context_of

from gatepost.environment import load_settings
from gatepost.events import LogLevelChanged
from gatepost.monitor import other_instances
from gatepost.monitor.admin import AdminServer
from gatepost.monitor.application_record import ApplicationRecord
from gatepost.monitor.change_records import ChangeRecords
from gatepost.monitor.console_pages import ConsolePages
from gatepost.monitor.context import MonitorContext
from gatepost.monitor.deployment_watch import DeploymentWatch
from gatepost.monitor.instances import InstanceBeats
from gatepost.monitor.operation_statements import OperationStatements
from gatepost.monitor.page_table import Request
from gatepost.monitor.pages import add_pages
from gatepost.monitor.system_page import SystemPage
from gatepost.records.application import ApplicationReported, SettingRow
from gatepost.records.changes import change
from gatepost.records.reports import Reports

TOKEN = "a-token-of-all-instances"


SAME = SettingRow("GATEPOST_WORKERS", "2", "", "default")


def console_of(name: str, dsn: str, reports: Reports, token: str | None = TOKEN) -> MonitorContext:
    """A monitor's, with the console."""
    settings = load_settings({"DATABASE_URL": dsn})
    settings = dataclasses.replace(settings, admin=dataclasses.replace(settings.admin, token=token))
    context = context_of(dsn, reports, name=name, settings=settings)
    add_pages(context)
    ChangeRecords(context)
    ConsolePages(context)
    ApplicationRecord(context, OperationStatements(context))
    SystemPage(context, DeploymentWatch(context, InstanceBeats(context)))
    rows = [SettingRow("GATEPOST_LIMIT_API", "100" if name == "one" else "200", "", "environment"), SAME]
    context.handlers[ApplicationReported](ApplicationReported([], rows, "r1"))
    return context


@pytest.fixture
async def one_and_two(database_url: str) -> AsyncIterator[tuple[MonitorContext, MonitorContext, AdminServer]]:
    """Two instances, of which the second has an admin port."""
    reports = Reports()
    one, two = console_of("one", database_url, reports), console_of("two", database_url, reports)
    server = AdminServer(socket.create_server(("127.0.0.1", 0)), two.pages.find, TOKEN)
    server.start()
    await register(database_url, "two", f"127.0.0.1:{server.server_address[1]}")
    yield one, two, server
    await asyncio.to_thread(server.shutdown)
    server.server_close()
    for context in (one, two):
        await context.database.close()
    reports.close()


async def register(dsn: str, name: str, address: str | None) -> None:
    """Write the beat of an instance."""
    connection: Any = await asyncpg.connect(dsn)
    await connection.execute(
        "INSERT INTO gatepost.instances (name, admin_address, version, started_at, beat_at) "
        "VALUES ($1, $2, '1', now(), '2026-12-01T10:00:00Z') ON CONFLICT (name) DO UPDATE SET admin_address = $2",
        name,
        address,
    )
    await connection.close()


async def asked(context: MonitorContext, path: str, method: str = "GET", body: Any = None, **query: str) -> Any:
    """Status and JSON of a page."""
    data = b"" if body is None else json.dumps(body).encode()
    headers = {} if body is None else {"content-type": "application/json"}
    request = Request(method, f"/console/api/{path}", "", data, "user 7, by uid 1", query, headers=headers)
    page = await asyncio.to_thread(context.pages.find, request)
    return page.status, json.loads(page.body)


async def test_a_page_of_another_instance_is_its_own(
    one_and_two: tuple[MonitorContext, MonitorContext, AdminServer],
) -> None:
    one, two, _ = one_and_two
    two.changes.add(change("operator", "of the second"))
    status, shown = await asked(one, "changes", instance="two", since="1h")
    assert (status, [each["summary"] for each in shown["changes"]]) == (200, ["of the second"])
    assert (await asked(one, "changes", instance="one"))[1]["changes"] == []
    acts: list[LogLevelChanged] = []
    two.events.subscribe(LogLevelChanged, acts.append)
    body = {"level": "debug", "seconds": 60}
    status, _ = await asked(one, "logs/levels/access", "PUT", body, instance="two")
    assert (status, (await asked(one, "logs/levels", instance="two"))[1]["changed"].keys()) == (200, {"access"})
    assert (await asked(one, "logs/levels"))[1]["changed"] == {}
    assert [act.operator for act in acts] == ["user 7, by uid 1, by the token, from 127.0.0.1"]
    assert (await asked(one, "planets", instance="two"))[0] == 404


async def test_one_that_does_not_answer_is_said_not_to(
    one_and_two: tuple[MonitorContext, MonitorContext, AdminServer],
    database_url: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    one, _, _ = one_and_two
    monkeypatch.setattr(other_instances, "PATIENCE_SECONDS", 0.3)
    with socket.create_server(("127.0.0.1", 0)) as deaf, socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        said = {
            f"127.0.0.1:{deaf.getsockname()[1]}": (504, "in time"),
            f"127.0.0.1:{closed.getsockname()[1]}": (503, "does not answer"),
            "not an address:x": (503, "does not answer"),
            None: (503, "GATEPOST_ADMIN_BIND"),
        }
        for address, (status, words) in said.items():
            await register(database_url, "three", address)
            found = await asked(one, "clients", instance="three")
            assert (found[0], found[1]["instance"]) == (status, "three"), address
            assert words in found[1]["detail"]
            assert found[1]["as_of"] == "2026-12-01T10:00:00.000Z"
        # Of the changes that it has copied the database knows.
        assert (await asked(one, "changes", instance="three"))[1]["from"] == "database"
    status, unknown = await asked(one, "clients", instance="four")
    assert (status, unknown["detail"]) == (404, "There is no instance four.")


JSON = b"content-type: application/json\r\n"
DEEP = b"[" * 100_000 + b"]" * 100_000


@pytest.mark.parametrize(
    ("response", "status"),
    [
        (b"200 OK\r\ncontent-type: application/json; charset=utf-8\r\n\r\n{}", 200),
        (b"200 OK\r\ncontent-type: text/html\r\n\r\n<script></script>", 503),
        (b"200 OK\r\ncontent-type: application/json\r\n a: b\r\n\r\n{}", 503),
        (b"302 Found\r\nlocation: http://127.0.0.1:1/\r\n" + JSON + b"\r\n{}", 503),
        (b"101 Switching Protocols\r\n" + JSON + b"\r\n{}", 503),
        (b"200 OK\r\n" + JSON + b"\r\n[]", 503),
        (b"200 OK\r\n" + JSON + b'\r\n{"deep":' + DEEP + b"}", 503),
        (b"200 OK\r\n" + JSON + b'\r\n{"much":"' + b"x" * other_instances.BODY_BYTES_MAX + b'"}', 503),
    ],
    ids=["page", "markup", "folded", "redirect", "upgrade", "list", "deep", "much"],
)
async def test_only_what_has_the_form_of_a_page_is_passed_on(
    one_and_two: tuple[MonitorContext, MonitorContext, AdminServer], database_url: str, response: bytes, status: int
) -> None:
    one, _, _ = one_and_two

    async def respond(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 " + response)
        with contextlib.suppress(ConnectionError):
            await writer.drain()
        writer.close()

    async with await asyncio.start_server(respond, "127.0.0.1", 0) as server:
        await register(database_url, "three", f"127.0.0.1:{server.sockets[0].getsockname()[1]}")
        assert (await asked(one, "clients", instance="three"))[0] == status


@pytest.mark.parametrize("begun", [b"", b"200 OK\r\n\r\n"], ids=["head", "body"])
async def test_one_that_answers_little_by_little_does_not_answer(
    one_and_two: tuple[MonitorContext, MonitorContext, AdminServer],
    database_url: str,
    monkeypatch: pytest.MonkeyPatch,
    begun: bytes,
) -> None:
    one, _, _ = one_and_two
    monkeypatch.setattr(other_instances, "PATIENCE_SECONDS", 0.3)
    has_ended = asyncio.Event()

    async def respond(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 " + begun)
        with contextlib.suppress(ConnectionError):
            while True:
                writer.write(b"2")
                await writer.drain()
                await asyncio.sleep(0.02)
        has_ended.set()

    async with await asyncio.start_server(respond, "127.0.0.1", 0) as server:
        await register(database_url, "three", f"127.0.0.1:{server.sockets[0].getsockname()[1]}")
        assert (await asked(one, "clients", instance="three"))[0] == 504
        await has_ended.wait()


async def test_a_token_that_differs_or_is_missing_is_named(
    one_and_two: tuple[MonitorContext, MonitorContext, AdminServer], database_url: str
) -> None:
    reports = Reports()
    for token, words in (
        (None, "set GATEPOST_ADMIN_TOKEN"),
        ("another-token-entirely", "another GATEPOST_ADMIN_TOKEN"),
    ):
        other = console_of("other", database_url, reports, token)
        status, said = await asked(other, "clients", instance="two")
        assert (status, words in said["detail"]) == (503, True)
        await other.database.close()
    reports.close()


async def test_addresses_are_known_while_the_database_is_away(
    one_and_two: tuple[MonitorContext, MonitorContext, AdminServer], monkeypatch: pytest.MonkeyPatch
) -> None:
    one, _, _ = one_and_two
    assert (await asked(one, "clients", instance="two"))[0] == 200
    await one.database.close()
    monkeypatch.setattr(one.database, "_dsns", ())
    assert (await asked(one, "clients", instance="two"))[0] == 200


async def test_the_system_says_how_instances_differ_and_who_does_not_answer(
    one_and_two: tuple[MonitorContext, MonitorContext, AdminServer], database_url: str
) -> None:
    one, _, _ = one_and_two
    await register(database_url, "three", None)
    connection: Any = await asyncpg.connect(database_url)
    await connection.execute(
        "UPDATE gatepost.instances SET beat_at = now(), release = 'r1', version = $1", version("gatepost")
    )
    await connection.close()
    status, system = await asked(one, "system")
    assert status == 200
    assert system["differences"] == [{"of": "GATEPOST_LIMIT_API", "values": {"one": "100", "two": "200"}}]
    assert [each["instance"] for each in system["unanswered"]] == ["three"]
    assert {each["name"] for each in system["instances"]} == {"one", "three", "two"}
    assert {"name": "SQLAlchemy", "licence": "MIT"}.items() <= {
        **next(each for each in system["licences"] if each["name"] == "SQLAlchemy")
    }.items()
    assert system["migrations"].keys() == {"heads", "fingerprint"}
