"""The console on the admin listener, asked over a real socket: its page, its files, and the data below it."""

import asyncio
import http.client
import re
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from gatepost.console.console_files import POLICY, ConsoleFile
from gatepost.console.forwarding import AdminConnection
from gatepost.events import Events, RecordsRevealed
from gatepost.gateway.buckets import BucketTable
from gatepost.logging.levels import LevelTable
from gatepost.metrics.memory import MetricsMemory
from gatepost.monitor.admin import AdminServer, open_socket
from gatepost.monitor.change_records import ChangeRecords
from gatepost.monitor.console_pages import ConsolePages
from gatepost.monitor.context import MonitorContext, Monitored
from gatepost.monitor.page_table import PageTable
from gatepost.monitor.pages import add_pages
from gatepost.records.changes import Changes
from gatepost.records.record_files import RecordFiles
from gatepost.records.records_database import RecordsDatabase
from gatepost.records.reports import Reports
from gatepost.settings import Settings

ACTS: list[RecordsRevealed] = []


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """A client of an admin listener with the console and a few pages."""
    memory, table, files = MetricsMemory.shared("test-console", 1), BucketTable.private(16), RecordFiles()
    levels, reports, events = LevelTable.shared("test-console"), Reports(), Events()
    monitored = Monitored("shop:8000", None, Settings(), memory, levels, reports, table, files)
    loop = asyncio.new_event_loop()
    changes = Changes(files.snapshot("changes"))
    context = MonitorContext(monitored, changes, RecordsDatabase(None, []), events, PageTable(events), loop)
    add_pages(context)
    events.subscribe(RecordsRevealed, ACTS.append)
    ChangeRecords(context)
    ConsolePages(context)
    path = tmp_path_factory.mktemp("console") / "admin.sock"
    server = AdminServer(open_socket(path), context.pages.find, None)
    server.start()
    transport, headers = httpx.HTTPTransport(uds=str(path)), {"x-socket": str(path)}
    with httpx.Client(transport=transport, base_url="http://admin", timeout=30, headers=headers) as client:
        yield client
    server.shutdown()
    server.server_close()
    reports.close()
    loop.close()


def asked(client: httpx.Client, path: str) -> http.client.HTTPResponse:
    """The response to a path as it is written, which httpx would make another one of."""
    connection = AdminConnection(Path(client.headers["x-socket"]))
    connection.request("GET", path)
    response = connection.getresponse()
    response.read()
    connection.close()
    return response


def test_every_address_of_the_console_is_the_page_under_its_policy(client: httpx.Client) -> None:
    page = client.get("/console")
    assert (page.status_code, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert page.headers["content-security-policy"] == POLICY
    assert page.headers["x-content-type-options"] == "nosniff"
    for path in ("/console/", "/console/traffic", "/console/operations/books.list", "/console?range=1h"):
        other = client.get(path)
        assert (other.status_code, other.content) == (200, page.content)
    assert client.get("/consoles").status_code == 404


def test_each_file_that_the_page_names_is_there_and_asked_for_once(client: httpx.Client) -> None:
    page = client.get("/console")
    tag = page.headers["etag"]
    again = client.get("/console", headers={"if-none-match": tag})
    assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag)
    named = re.findall(r'(?:src|href)="(/console/assets/[^"]+)"', page.text)
    for path in named:
        file = client.get(path)
        assert file.status_code == 200, path
        assert file.headers["content-type"] in {"text/javascript; charset=utf-8", "text/css; charset=utf-8"}
        assert client.get(path, headers={"if-none-match": file.headers["etag"]}).status_code == 304


@pytest.mark.parametrize("name", ["", "index.html", "../__init__.py", "..%2f__init__.py", "/etc/passwd", "missing.js"])
def test_nothing_else_is_a_file_of_the_console(client: httpx.Client, name: str) -> None:
    response = asked(client, f"/console/assets/{name}")
    assert (response.status, response.headers["content-type"]) == (404, "application/json")


def test_the_data_is_that_of_the_admin_listener(client: httpx.Client) -> None:
    for path in ("operations", "clients", "logs/levels", "changes"):
        assert client.get(f"/console/api/{path}").json().keys() == client.get(f"/{path}").json().keys()
    changed = client.put("/console/api/logs/levels/access", json={"level": "debug", "seconds": 60})
    assert changed.json() == client.get("/logs/levels").json()
    assert changed.headers["cache-control"] == "no-store"
    assert client.get("/console/api/planets").status_code == 404
    assert client.get("/console/api/console/api/operations").status_code == 404
    assert client.get("/console/api/" + "console/api/" * 4000).status_code == 404


def test_what_commands_note_is_no_data_of_the_console(client: httpx.Client) -> None:
    act = {"act": "users delete", "detail": "ada@shop.example"}
    assert client.put("/console/api/acts", json=act).status_code == 404
    assert client.put("/acts", json=act).status_code == 200


def test_no_instance_is_called_what_no_name_can_be(client: httpx.Client) -> None:
    for name in ("%00", "%1b%5b31m", "%E2%80%AE", "x" * 301):
        assert client.get(f"/console/api/operations?instance={name}").status_code == 422


def test_data_is_shortened_for_who_asks_for_that_and_says_so(client: httpx.Client) -> None:
    shown = client.get("/console/api/planets/203.0.113.9", headers={"gatepost-shortened": "1"})
    assert shown.headers["gatepost-shortened"] == "1"
    assert "gatepost-shortened" not in client.get("/console/api/planets/203.0.113.9").headers
    # What is left to one address would tell whether it is the one of those that are shown as a network.
    assert client.get("/console/api/limits/address/203.0.113.9", headers={"gatepost-shortened": "1"}).status_code == 403


def test_everyone_who_reaches_the_socket_may_write(client: httpx.Client) -> None:
    session = client.get("/console/api/session").json()
    assert session.pop("name").startswith("uid ")
    assert session == {
        "may_write": True,
        "how": "socket",
        "instance": "shop:8000",
        "environment": "development",
        "port": None,
    }


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
def test_the_page_is_read_alone(client: httpx.Client, method: str) -> None:
    assert client.request(method, "/console/traffic").status_code == 405
    assert client.request(method, "/console/api/operations").status_code == 405


def test_a_request_for_no_path_is_refused(client: httpx.Client) -> None:
    assert asked(client, "*").status == 404


@pytest.mark.parametrize(
    ("condition", "is_known"),
    [
        ('"a"', True),
        ('W/"a"', True),
        ('"b", "a"', True),
        ('"a-gzip"', True),
        ("*", True),
        ("", False),
        ('"b"', False),
        ('""', False),
    ],
)
def test_a_tag_is_known_by_each_form_of_the_condition(condition: str, is_known: bool) -> None:
    assert ConsoleFile(b"", "text/css", '"a"').is_known(condition) is is_known


def test_who_asks_for_another_is_named_with_whom_they_ask_for(client: httpx.Client) -> None:
    named = client.get("/console/api/session", headers={"gatepost-operator": "Ada%20%C3%9F%1B%5B2J"}).json()["name"]
    assert named.startswith("Ada ß\\x1b[2J, by uid ")


def test_who_reveals_is_written(client: httpx.Client) -> None:
    assert client.put("/console/api/reveal", json={"page": "clients"}).json() == {"page": "clients"}
    for body in ({}, {"page": ""}, {"page": "x" * 101}, {"page": 1}, {"page": "x", "y": 1}):
        assert client.put("/console/api/reveal", json=body).status_code == 422
    [act] = ACTS
    assert (act.page, act.operator.startswith("uid ")) == ("clients", True)
