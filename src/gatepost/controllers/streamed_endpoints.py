"""Own endpoints that return a `Stream`: the method runs as that of any other, and what it returns is sent when its
transaction is committed and its connection given back."""

from contextlib import AsyncExitStack
from typing import Any, NamedTuple, cast

from gatepost.call import Call, Response
from gatepost.controllers.endpoint_controller import EndpointController
from gatepost.controllers.endpoint_responses import EndpointResponses
from gatepost.controllers.open_streams import OpenStreams
from gatepost.controllers.running_streams import Encode, RunningStream
from gatepost.controllers.stream_formats import EVENTS, StreamFormat, preferred_format
from gatepost.controllers.streamed_annotations import StreamedItems
from gatepost.controllers.unsent_results import result_of
from gatepost.declaring.streams import Stream
from gatepost.errors import Header

CACHING = b"no-store, no-transform"

HEADERS: tuple[Header, ...] = ((b"x-accel-buffering", b"no"),)
"""Proxies are to pass on each part at once."""


class StreamSending(NamedTuple):
    """How the streams of one endpoint are sent."""

    items: StreamedItems
    encode: Encode
    streams: OpenStreams
    location: str

    def begin(self, call: Call, stream: Stream[Any], status: int, closing: AsyncExitStack) -> Response:
        """The head of a response; its body is the stream."""
        form = self._form(call)
        vary: tuple[Header, ...] = () if self.items.are_events else ((b"vary", b"accept"),)
        call.stream(
            RunningStream(call, stream, self.encode, form, self.streams, location=self.location, closing=closing)
        )
        return Response(status, b"", ((b"content-type", form.content_type), *HEADERS, *vary), CACHING)

    def _form(self, call: Call) -> StreamFormat:
        return EVENTS if self.items.are_events else preferred_format(call.header("accept") or "")


class StreamedEndpoint:
    """Handles the requests of one endpoint that returns a `Stream`. `controller` makes its result; `responses` are for
    results that are no stream."""

    def __init__(self, controller: EndpointController, responses: EndpointResponses, sending: StreamSending) -> None:
        self._controller = controller
        self._responses = responses
        self._sending = sending

    async def handle(self, call: Call) -> Response:
        """The response to one request. Takes a place for the stream first, so that a refusal undoes nothing."""
        async with AsyncExitStack() as closing:
            closing.enter_context(self._sending.streams.place())
            result = await result_of(self._controller, call, closing)
            if isinstance(result, Stream):
                return self._sending.begin(call, cast("Any", result), self._responses.status or 200, closing.pop_all())
        return self._responses.cached(self._responses.plain(result))
