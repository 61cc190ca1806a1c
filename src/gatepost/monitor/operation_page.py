"""`/operations/NAME` of the admin listener: what one operation costs, how long its requests took, what was responded,
and the SQL that it has run."""

from collections.abc import Callable
from typing import Any

from msgspec.structs import asdict

from gatepost.metrics.families import FAILURES, REQUEST_REFUSALS
from gatepost.metrics.sums import sums
from gatepost.monitor.context import MonitorContext
from gatepost.monitor.operation_statements import OperationStatements
from gatepost.monitor.operations import operations_in, without_requests
from gatepost.monitor.page_table import Page, Request, json_page
from gatepost.monitor.request_sums import NAMES, RequestSums, sums_of_counts


class OperationPage:
    """Serves it, for operations that have been asked for since the server began, and those that the application
    `knows`."""

    def __init__(self, context: MonitorContext, statements: OperationStatements, knows: Callable[[str], bool]) -> None:
        self._memory = context.monitored.memory
        self._statements = statements
        self._knows = knows
        context.pages.add("GET", "/operations/", self._page)

    def _page(self, request: Request) -> Page:
        found = {each.operation: each for each in operations_in(self._memory)}
        if request.name not in found and self._knows(request.name):
            found[request.name] = without_requests(request.name)
        if request.name not in found:
            detail = f"No operation {request.name!r} has been asked for."
            return json_page(404, {"detail": detail, "operations": sorted(found)})
        shown: dict[str, Any] = asdict(found[request.name])
        statements = self._statements.of(found)[request.name]
        if not statements and found[request.name].database_seconds:
            statements = self._statements.of_sessions()
        shown["statements"] = [{"name": name, "sql": texts} for name, texts in statements.items()]
        with self._memory.regions() as regions:
            counted = sums(regions, {*NAMES, FAILURES.name, REQUEST_REFUSALS.name})
        requests = sums_of_counts(counted).get(request.name) or RequestSums()
        shown["buckets"] = [{"le": edge, "count": count} for edge, count in requests.durations]
        shown["statuses"] = dict(sorted(requests.classes.items()))
        shown["codes"] = {
            code: round(value)
            for family in (FAILURES, REQUEST_REFUSALS)
            for ((_, operation), (_, code)), value in counted.numbers.get(family.name, {}).items()
            if operation == request.name
        }
        return json_page(200, shown)
