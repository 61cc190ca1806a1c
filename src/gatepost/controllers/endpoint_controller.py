"""The handler of one own endpoint: from the request to the method of the controller, and from its result to the
response.

The request is read first (`endpoint_requests.py`); then the transaction begins, the rows of the path are loaded, the
method runs, and what it returns is rendered (`endpoint_responses.py`).
"""

from collections.abc import Generator, Mapping
from contextlib import AsyncExitStack, contextmanager
from typing import Any

from gatepost.call import SAFE, Call, Response
from gatepost.controllers.bound_endpoints import BoundEndpoint
from gatepost.controllers.endpoint_lists import refused_number
from gatepost.controllers.endpoint_requests import EndpointRequests, Given
from gatepost.controllers.endpoint_responses import ResultResponses
from gatepost.controllers.path_rows import NamedRow
from gatepost.controllers.provided_values import ProvidedValues, Values
from gatepost.errors import Problem
from gatepost.models.select_shapes import NumberOutOfRange
from gatepost.services.answers import RowAnswers, is_select
from gatepost.services.call_transactions import CallTransactions
from gatepost.services.unit_of_work import UnitOfWork


class EndpointController:
    """Handles the requests of one endpoint. `answers` find the rows of each served model."""

    def __init__(  # noqa: PLR0913 - what a handler is composed of
        self,
        bound: BoundEndpoint,
        requests: EndpointRequests,
        responses: ResultResponses,
        *,
        transactions: CallTransactions,
        answers: Mapping[type[Any], RowAnswers],
        provided: ProvidedValues,
    ) -> None:
        self._bound = bound
        self._requests = requests
        self._responses = responses
        self._transactions = transactions
        self._answers = answers
        self._provided = provided.values
        taken = (*bound.injected.provided, *bound.attributes.provided)
        self._of_call = provided.of_call({key for _, key in taken})
        self._is_safe = bound.method.route.method in SAFE
        models = bound.isolating(lambda model: answers[model].asks_service)
        self._isolation, self._attempts = transactions.declared_by(models)
        self._function = bound.method.function
        self._shared = None if any(bound.attributes) else bound.method.controller()

    async def respond(self, call: Call, closing: AsyncExitStack) -> Response:
        """The response to one request; what is made for the call is closed by `closing`."""
        given = await self._requests.read(call)
        made = self._of_call
        provided = self._provided if made is None else await closing.enter_async_context(made.made(call))
        return await self._run(call, given, provided)

    async def handle(self, call: Call) -> Response:
        """The response to one request."""
        given = await self._requests.read(call)
        if self._of_call is None:
            return self._responses.cached(await self._run(call, given, self._provided))
        async with self._of_call.made(call) as provided:
            response = await self._run(call, given, provided)
        return self._responses.cached(response)

    async def _run(self, call: Call, given: Given, provided: Values) -> Response:
        """The response to a request, in its transaction where it needs one."""
        try:
            if not self._bound.needs_unit:
                return self._responses.plain(await self._result(given.arguments, None, provided))
            if self._bound.only_selects:
                return await self._run_statement(call, given, provided)
            return await self._run_in_transaction(call, given, provided)
        except Problem as problem:
            raise self._requests.located(problem) from problem.__cause__

    async def _run_in_transaction(self, call: Call, given: Given, provided: Values) -> Response:
        async def work(unit: UnitOfWork) -> Response:
            found = dict(given.arguments)
            for named in given.rows:
                row = await self._find(call, unit, named)
                if named.row.is_parameter:
                    found[named.row.name] = row
            result = await self._result(found, unit, provided)
            with self._numbers(found):
                return await self._responses.respond(call, unit, result, given.query)

        return await self._transactions.run(
            call, work, isolation=self._isolation, attempts=self._attempts, is_read_only=self._is_safe
        )

    async def _run_statement(self, call: Call, given: Given, provided: Values) -> Response:
        """The response to a request whose method gets nothing of a transaction. The one statement of a `Select` needs
        none."""
        result = await self._result(given.arguments, None, provided)
        if given.query is not None and is_select(result):
            with self._numbers(given.arguments):
                return await self._responses.page(call, None, result, given.query)
        return await self._transactions.run(
            call, lambda unit: self._responses.respond(call, unit, result, given.query), is_read_only=True
        )

    @contextmanager
    def _numbers(self, arguments: Mapping[str, Any]) -> Generator[None]:
        """Refuse a number that a Select cannot compute with, where it was made of arguments."""
        try:
            yield
        except NumberOutOfRange as error:
            if not arguments:  # no client has a part in it
                raise
            raise refused_number(error, self._bound.query, arguments) from error

    async def _find(self, call: Call, unit: UnitOfWork, named: NamedRow) -> Any:
        row, lookup = named
        with row.about:
            return await self._answers[row.served.entity.model].find(call, unit, lookup)

    async def _result(self, arguments: Mapping[str, Any], unit: UnitOfWork | None, provided: Values) -> Any:
        """What the method of the controller returns."""
        injected = dict(self._bound.injected.values(unit, provided))
        return await self._function(self._instance(unit, provided), **arguments, **injected)

    def _instance(self, unit: UnitOfWork | None, provided: Values) -> Any:
        """The controller of this call: one for all calls where nothing is injected."""
        if self._shared is not None:
            return self._shared
        made = self._bound.method.controller()
        for name, value in self._bound.attributes.values(unit, provided):
            setattr(made, name, value)
        return made
