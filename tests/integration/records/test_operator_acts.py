"""Every page of the admin listener that changes something leaves a security line and a change."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest
from tests.integration.records.monitor_contexts import context_of

from gatepost.events import ErrorGroupFound
from gatepost.logging.event_lines import LINES
from gatepost.monitor.context import MonitorContext
from gatepost.monitor.monitor import make_parts
from gatepost.monitor.page_table import Request
from gatepost.records.change_events import subscribe_changes
from gatepost.records.error_reports import ErrorsSeen
from gatepost.records.reports import Reports

BODIES: dict[str, Any] = {
    "/logs/levels/access": {"level": "debug"},
    "/limits/address/192.0.2.7": None,
    "/limits/actor/7": None,
    "/limits/account/ab12": None,
    "/alerts/disk": {"state": "silenced", "reason": "known"},
    "/alerts/error:a1b2": {"state": "resolved", "reason": "fixed"},
    "/alert-test": {},
    "/errors/a1b2": {"state": "resolved"},
    "/database/cancel": {"pid": 0},
    "/acts": {"act": "db cancel", "detail": "Cancelled books.list."},
    "/reveal": {"page": "clients"},
}
"""What is sent to each page that takes PUT."""


@pytest.fixture
async def context(database_url: str, reports: Reports) -> AsyncIterator[MonitorContext]:
    """That of a whole monitor, whose parts do not run."""
    made = context_of(database_url, reports)
    subscribe_changes(made.events, made.changes.add)
    make_parts(made)
    yield made
    await made.database.close()


def test_every_page_that_changes_something_is_tried(context: MonitorContext) -> None:
    pages = {path for path, methods in context.pages.methods().items() if set(methods) - {"GET"}}
    tried = {path if path in pages else f"{path.rpartition('/')[0]}/" for path in BODIES}
    assert pages - CONSOLE == tried


CONSOLE = {"/console/session"}
"""Pages that change nothing but who is signed in."""


async def test_each_leaves_a_line_and_a_change(context: MonitorContext, database_url: str) -> None:
    lines: list[Any] = []
    for kind, line in LINES.items():
        if line.is_security:
            context.events.subscribe(kind, lines.append)
    context.handlers[ErrorsSeen](ErrorsSeen("a1b2", "KeyError", "shop.pay", "KeyError: gone", 1, 1.0, []))
    context.events.emit(ErrorGroupFound("a1b2", "KeyError", "shop.pay", False))
    await asyncio.sleep(0)
    session: Any = await asyncpg.connect(database_url)
    sleeping = asyncio.ensure_future(session.execute("SELECT pg_sleep(600)"))
    for path, body in BODIES.items():
        if path == "/database/cancel":
            body = {"pid": session.get_server_pid(), "terminate": True}  # noqa: PLW2901
        known = len(context.changes.newest_first())
        lines.clear()
        data = b"" if body is None else json.dumps(body).encode()
        request = Request("PUT", path, "", data, "uid 4711")
        page = await asyncio.to_thread(context.pages.find, request)
        assert page.status == 200, (path, page.body)
        await asyncio.sleep(0)
        new = context.changes.newest_first()[: len(context.changes.newest_first()) - known]
        assert "uid 4711" in {change.operator for change in new}, path
        assert "uid 4711" in {event.operator for event in lines}, path
    await asyncio.gather(sleeping, return_exceptions=True)
    session.terminate()
