"""`/operations/NAME`: how long the requests of one operation took, and what was responded."""

from typing import Any

import msgspec

from gatepost.events import Events
from gatepost.metrics.families import FAILURES, REQUEST_DATABASE_SECONDS, REQUEST_REFUSALS, REQUEST_SECONDS
from gatepost.metrics.memory import MetricsMemory
from gatepost.monitor.operation_page import OperationPage
from gatepost.monitor.page_table import PageTable, Request


class Texts:
    """None of an operation's own was met."""

    def of(self, operations: Any) -> dict[str, dict[str, list[str]]]:
        """Those of each operation."""
        return {operation: {} for operation in operations}

    def of_sessions(self) -> dict[str, list[str]]:
        """What endpoints have run."""
        return {"session": ["SELECT pg_sleep($1)"]}


class Context:
    """What the page needs of a monitor."""

    def __init__(self) -> None:
        self.monitored = self
        self.memory = MetricsMemory.shared("test-operation-page", 1)
        self.pages = PageTable(Events())


def test_an_operation_has_its_own_buckets_statuses_and_codes() -> None:
    context: Any = Context()
    texts: Any = Texts()
    OperationPage(context, texts, {"books.create"}.__contains__)
    region = context.memory.take()
    for status, seconds in (("2xx", 0.01), ("2xx", 0.01), ("4xx", 0.02), ("5xx", 500.0)):
        region.observe(region.place(REQUEST_SECONDS, ("books.list", status)), seconds)
    region.observe(region.place(REQUEST_SECONDS, ("orders.create", "5xx")), 1.0)
    region.add(region.place(FAILURES, ("books.list", "database_timeout")), 1)
    region.add(region.place(REQUEST_REFUSALS, ("books.list", "unknown_parameter")), 1)
    region.add(region.place(FAILURES, ("orders.create", "database_unavailable")), 1)
    page = context.pages.find(Request("GET", "/operations/books.list", "", b"", "uid 0"))
    shown = msgspec.json.decode(page.body)
    assert shown["buckets"] == [{"le": 0.01, "count": 2}, {"le": 0.02, "count": 1}, {"le": 100.0, "count": 1}]
    assert shown["statuses"] == {"2xx": 2, "4xx": 1, "5xx": 1}
    assert shown["codes"] == {"database_timeout": 1, "unknown_parameter": 1}
    assert shown["count"] == sum(each["count"] for each in shown["buckets"])
    assert context.pages.find(Request("GET", "/operations/planets", "", b"", "uid 0")).status == 404
    unused = msgspec.json.decode(context.pages.find(Request("GET", "/operations/books.create", "", b"", "uid 0")).body)
    assert (unused["count"], unused["statements"], unused["buckets"], unused["codes"]) == (0, [], [], {})


def test_an_endpoint_that_waited_for_the_database_has_the_statements_of_services() -> None:
    context: Any = Context()
    texts: Any = Texts()
    OperationPage(context, texts, {"books.create"}.__contains__)
    region = context.memory.take()
    for name in ("checkout.check_out", "checkout.quote"):
        region.observe(region.place(REQUEST_SECONDS, (name, "2xx")), 0.01)
    region.add(region.place(REQUEST_DATABASE_SECONDS, ("checkout.check_out", "2xx")), 0.005)
    shown = [
        msgspec.json.decode(context.pages.find(Request("GET", f"/operations/{name}", "", b"", "uid 0")).body)
        for name in ("checkout.check_out", "checkout.quote")
    ]
    assert [each["statements"] for each in shown] == [[{"name": "session", "sql": ["SELECT pg_sleep($1)"]}], []]
