"""Whatever is sent to the admin listener, every page responds in time, and none fails."""

import asyncio
import json
import socket
import threading
import time
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from tests.sampled_cases import SampledCases

from gatepost.environment import load_settings
from gatepost.events import Events, RequestFinished, TaskFailed
from gatepost.gateway.buckets import BucketTable
from gatepost.logging.levels import LevelTable
from gatepost.logging.logs import Logs
from gatepost.metrics.memory import MetricsMemory
from gatepost.metrics.recorder import Recorder
from gatepost.monitor import monitor
from gatepost.monitor.admin import AdminServer, open_socket
from gatepost.monitor.context import Monitored
from gatepost.monitor.monitor import Monitor
from gatepost.records.record_files import RecordFiles
from gatepost.records.reports import Reports

SECONDS_MAX = 20.0

VALUES = [
    "", " ", "0", "-1", "00000601", "000060" + "9" * 5000, "1e9", "nan", "inf", "٣٣", "९d", "999999999d", "99999s",
    "9999-12-31T23:59:59-23:59", "0001-01-01T00:00:00+23:59", "2026-13-45", "a\0b", "\ud800", "%", "..", "../..",
    "all", "none", "true", "error", "access", "x" * 5000, "\x1b[2J", "<script>", "'; DROP", "[", "::", "300.1.2.3/99",
]  # fmt: skip
PARAMETERS = [
    "seconds", "since", "until", "step", "instance", "operation", "by", "category", "level", "route", "actor",
    "request", "client", "count", "before", "after", "once",
]  # fmt: skip
BODIES = [
    b"", b"{", b"null", b"[]", b"{}", b'{"level": null}', b'{"level": "debug", "seconds": 1e308}', b"\xff\xfe",
    b'{"level": "debug", "seconds": -1}', b'{"state": "silenced", "reason": "x", "seconds": 1e300}', b"[" * 60_000,
    b'{"state": "resolved", "reason": "\\ud800"}', b'{"state": "silenced", "reason": "\\u0000"}', b"9" * 60_000,
]  # fmt: skip

texts = st.sampled_from(VALUES) | st.text(max_size=30)


@pytest.fixture(scope="module")
def failures() -> list[str]:
    """What pages have failed with."""
    return []


@pytest.fixture(scope="module")
def listener(tmp_path_factory: pytest.TempPathFactory, failures: list[str]) -> Iterator[Path]:
    """The admin socket of a monitor with all its parts, without a database, and with some requests and log lines."""
    folder = tmp_path_factory.mktemp("hostile")
    found = load_settings({"GATEPOST_LOG_FOLDER": str(folder / "logs"), "GATEPOST_LOG": "none"})
    memory, levels, reports = MetricsMemory.shared("hostile", 1), LevelTable.shared("hostile"), Reports()
    region = memory.take()
    assert region is not None
    app_events, events = Events(), Events()
    Recorder(region).subscribe(app_events)
    logs = Logs(found, adopts=False, has_files=True)
    logs.subscribe(app_events)
    for status in (200, 404, 500):
        app_events.emit(
            RequestFinished("r", "GET", "/", "/r", "notes.list", status, 0.1, 0.1, 0.0, 1, 9, "127.0.0.1", 7, None)
        )
    logs.close()
    events.subscribe(TaskFailed, lambda event: failures.append(f"{event.task}: {event.error!r}"))
    servers: list[AdminServer] = []

    class Kept(AdminServer):
        def start(self) -> None:
            servers.append(self)
            super().start()

    path = folder / "admin.sock"
    buckets = BucketTable.private(16)
    monitored = Monitored("here", None, found, memory, levels, reports, buckets, RecordFiles())
    running = Monitor(monitored, [open_socket(path)], None)
    loop = asyncio.new_event_loop()
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(monitor, "AdminServer", Kept)
        task = loop.create_task(running._run(events, until_told=False))
        thread = threading.Thread(target=loop.run_until_complete, args=[task])
        thread.start()
        deadline = time.monotonic() + SECONDS_MAX
        while not servers and time.monotonic() < deadline:
            time.sleep(0.01)
    yield path
    for server in servers:
        server.shutdown()
        server.server_close()
    loop.call_soon_threadsafe(task.cancel)
    thread.join()
    loop.close()
    reports.close()


def said(path: Path, data: bytes) -> bytes:
    """All that comes back for these bytes."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(SECONDS_MAX)
        connection.connect(str(path))
        connection.sendall(data)
        connection.shutdown(socket.SHUT_WR)
        return b"".join(iter(lambda: connection.recv(65_536), b""))


def escaped(text: str) -> str:
    """The text as it stands in a target: every byte by its number."""
    return "".join(f"%{byte:02x}" for byte in text.encode(errors="surrogatepass"))


def asked(path: Path, method: str, target: str, body: bytes = b"") -> tuple[int, bytes]:
    """The status of a request, and the body of its response."""
    head = f"{method} {target} HTTP/1.1\r\nHost: admin\r\nContent-Length: {len(body)}\r\n\r\n"
    found = said(path, head.encode(errors="surrogatepass") + body)
    assert found.startswith(b"HTTP/1.1 "), (method, target, found[:200])
    return int(found[9:12]), found.partition(b"\r\n\r\n")[2]


@pytest.fixture(scope="module")
def places(listener: Path) -> list[str]:
    """Where there are pages."""
    found: list[str] = json.loads(asked(listener, "GET", "/nothing")[1])["paths"]
    assert {"/metrics", "/state", "/errors/", "/alerts/", "/limits/address/"} <= set(found)
    return found


def test_every_page_responds(listener: Path, places: list[str], failures: list[str]) -> None:
    for place in places:
        status, _ = asked(listener, "GET", place + ("unknown" if place.endswith("/") else ""))
        assert status in {200, 404, 405, 503}, place
    assert failures == []


@settings(
    max_examples=settings.default.max_examples * 3 // 2,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(data=st.data())
def test_no_query_name_body_or_method_makes_a_page_fail(
    listener: Path, places: list[str], failures: list[str], data: st.DataObject
) -> None:
    place = data.draw(st.sampled_from(places))
    if place.endswith("/"):
        place += escaped(data.draw(texts))
    query = data.draw(st.lists(st.tuples(st.sampled_from(PARAMETERS), texts), max_size=3))
    target = place + ("?" + "&".join(f"{name}={escaped(value)}" for name, value in query) if query else "")
    method = data.draw(st.sampled_from(["GET", "GET", "PUT", "HEAD", "POST", "DELETE", "BREW", "get"]))
    body = data.draw(st.sampled_from(BODIES) | st.binary(max_size=50)) if method in {"PUT", "POST"} else b""
    status, _ = asked(listener, method, target, body)
    assert status != 500, (method, target, body)
    assert failures == []


@pytest.mark.parametrize("name", PARAMETERS)
def test_each_parameter_refuses_what_it_is_not(
    listener: Path, places: list[str], failures: list[str], name: str, sampled_cases: SampledCases
) -> None:
    pages = ("/state", "/history", "/changes", "/logs", "/logs/histogram", "/clients", "/operations/notes.list")
    for place, value in sampled_cases.covering(product(pages, VALUES), strength=1):
        status, body = asked(listener, "GET", f"{place}?{name}={escaped(value)}")
        assert status in {200, 404, 422, 503}, (place, name, value)
        if status == 422:
            assert json.loads(body)["detail"].isprintable()
    assert failures == []


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=200))
@example(b"GET / HTTP/9.9\r\n\r\n")
@example(b"GET " + b"/" * 70_000 + b" HTTP/1.1\r\n\r\n")
@example(b"GET http://[ HTTP/1.1\r\nHost: x\r\n\r\n")
@example(b"PUT /logs/levels/access HTTP/1.1\r\nContent-Length: 10\r\n\r\n{")
@example("GET /state?seconds=٣٣ HTTP/1.1\r\n\r\n".encode())
def test_no_bytes_make_it_fail_or_hang(listener: Path, failures: list[str], data: bytes) -> None:
    found: Any = said(listener, data)
    assert b" 500 " not in found[:40]
    assert asked(listener, "GET", "/livez")[0] in {200, 503}
    assert failures == []
