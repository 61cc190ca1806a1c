"""`ApplicationRecord`: which operations the workers serve, of which release, and with which settings."""

import msgspec

from gatepost.monitor.context import MonitorContext
from gatepost.monitor.operation_statements import OperationStatements
from gatepost.monitor.page_table import Page, Request, json_page
from gatepost.records.application import ApplicationReported
from gatepost.zstandard import compressed

START_SECONDS = 60.0
"""A worker tells what it serves when it has started: what it has run until then is of the same release."""


class ApplicationRecord:
    """Serves it at `/application`. A monitor that takes the place of another knows it from the file."""

    def __init__(self, context: MonitorContext, statements: OperationStatements) -> None:
        self._monitored = context.monitored
        self._statements = statements
        self._file = context.monitored.files.snapshot("application")
        self._known = self._file.load_compressed(ApplicationReported) or ApplicationReported([], [])
        self._routes = _routes(self._known)
        if self._known.at > self._monitored.started_at:
            self._monitored.release = self._known.release
        context.handle(ApplicationReported, self._note)
        context.pages.add("GET", "/application", self._page)

    def route_of(self, operation: str) -> str:
        """`POST /api/orders`; the name of an operation that is not known."""
        return self._routes.get(operation, operation)

    def knows(self, operation: str) -> bool:
        """Whether the application has it."""
        return operation in self._routes

    def _note(self, reported: ApplicationReported) -> None:
        if reported.release != self._known.release:
            self._statements.forget(reported.at - START_SECONDS)
        self._known, self._monitored.release = reported, reported.release
        self._routes = _routes(reported)
        data = compressed(msgspec.msgpack.encode(reported))
        if len(data) <= self._file.bytes_max:
            self._file.save(data)

    def _page(self, request: Request) -> Page:
        of = self._monitored
        known = msgspec.to_builtins(self._known)
        return json_page(
            200,
            {
                "instance": of.instance,
                "release": of.release,
                "operations": known["operations"],
                "settings": known["settings"],
            },
        )


def _routes(known: ApplicationReported) -> dict[str, str]:
    return {row.operation: f"{row.method} {row.path}" for row in known.operations}
