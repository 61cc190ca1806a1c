"""What an endpoint returned, before it is sent: of endpoints whose results are sent after their transaction."""

from contextlib import AsyncExitStack
from typing import Any, cast

from gatepost.call import Call, Response
from gatepost.controllers.endpoint_controller import EndpointController
from gatepost.controllers.query_strings import RawQuery
from gatepost.services.unit_of_work import UnitOfWork


class UnsentResult(Response, kw_only=True):
    """A result in place of a response."""

    result: Any


class UnsentResults:
    """Leaves the result of an endpoint as it is, in place of `EndpointResponses`."""

    async def respond(self, call: Call, unit: UnitOfWork, result: Any, query: RawQuery | None) -> Response:
        """The result."""
        return UnsentResult(200, result=result)

    async def page(self, call: Call, unit: UnitOfWork | None, selected: Any, raw: RawQuery) -> Response:
        """Of a list, which is sent at once."""
        raise NotImplementedError

    def plain(self, result: Any) -> Response:
        """The result."""
        return UnsentResult(200, result=result)

    def cached(self, response: Response) -> Response:
        """The response."""
        return response


async def result_of(controller: EndpointController, call: Call, closing: AsyncExitStack) -> Any:
    """What the method of a controller with `UnsentResults` returns to one request. What is made for the call is closed
    by `closing`."""
    return cast("UnsentResult", await controller.respond(call, closing)).result
