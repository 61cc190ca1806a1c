"""Own endpoints that return a `File`: the method runs as that of any other, and the file is opened, compared with what
the client has, and sent when its transaction is over."""

from collections.abc import Sequence
from contextlib import AsyncExitStack
from typing import cast

from gatepost.call import SAFE, Call, Response
from gatepost.controllers.byte_ranges import ByteRange, Multipart, wanted_ranges
from gatepost.controllers.endpoint_controller import EndpointController
from gatepost.controllers.endpoint_responses import EndpointResponses
from gatepost.controllers.file_contents import FileContent, FileRefusal, open_content
from gatepost.controllers.file_headers import POLICY, SANDBOX, content_type_of, disposition_of, is_active
from gatepost.controllers.sent_files import SentFile
from gatepost.controllers.unsent_results import result_of
from gatepost.declaring.files import File
from gatepost.errors import Header, NotFound, RangeNotSatisfiable
from gatepost.events import Events, FileRefused

Segments = Sequence[bytes | ByteRange]


class FileEndpoint:
    """Handles the requests of one endpoint that returns a `File`. `controller` makes its result; `responses` are for
    results that are no file; `location` is its method, for the log."""

    def __init__(
        self, controller: EndpointController, responses: EndpointResponses, events: Events, location: str
    ) -> None:
        self._controller = controller
        self._responses = responses
        self._events = events
        self._location = location

    async def handle(self, call: Call) -> Response:
        """The response to one request."""
        async with AsyncExitStack() as closing:
            result = await result_of(self._controller, call, closing)
            is_file = isinstance(result, File)
            response = await self._begin(call, result, closing) if is_file else self._responses.plain(result)
        return self._responses.cached(response)

    async def _begin(self, call: Call, file: File, closing: AsyncExitStack) -> Response:
        """The head of a response; its body is the file, unless the client has it already."""
        content = await self._open(call, file)
        closing.push_async_callback(content.close)
        response, segments = _responded(call, file, content)
        if segments is not None:
            closed = closing.pop_all()
            call.stream(SentFile(call, content, segments, self._events, location=self._location, closing=closed))
        return response

    async def _open(self, call: Call, file: File) -> FileContent:
        try:
            return await open_content(file)
        except FileRefusal as refusal:
            path = str(cast("object", file.content))
            self._events.emit(FileRefused(call.id, self._location, path, str(refusal)))
            raise NotFound("not_found", "There is nothing here that you may see.") from None


def _responded(call: Call, file: File, content: FileContent) -> tuple[Response, Segments | None]:
    """The head of a response, and what its body consists of; None for a body that is empty. Raises 412
    `precondition_failed` and 416 `range_not_satisfiable`."""
    validators = content.validators.headers()
    is_read = call.scope["method"] in SAFE
    if is_read and content.validators.is_known(call):
        return Response(304, b"", validators), None
    headers = (*validators, *_headers(call, file, content))
    content_type = content_type_of(file)
    ranges = _ranges(call, content)
    if ranges is None:
        return _head(200, content_type, content.length, headers), [ByteRange(0, content.length)]
    if not ranges:
        detail = f"The file has {content.length} bytes, and none of those that are asked for."
        field = (b"content-range", b"bytes */%d" % content.length)
        raise RangeNotSatisfiable("range_not_satisfiable", detail, headers=[field])
    if len(ranges) == 1:
        field = (b"content-range", ranges[0].field(content.length))
        return _head(206, content_type, ranges[0].stop - ranges[0].start, (*headers, field)), ranges
    multipart = Multipart(ranges, content_type, content.length)
    segments = [*multipart.segments()]
    length = sum(len(each) if isinstance(each, bytes) else each.stop - each.start for each in segments)
    return _head(206, multipart.content_type, length, headers), segments


def _ranges(call: Call, content: FileContent) -> list[ByteRange] | None:
    """The ranges to send, None for the whole file. `Range` has a meaning for GET alone (RFC 9110, section 14.2)."""
    wanted = call.headers.get(b"range")
    if wanted is None or call.scope["method"] != "GET" or not content.has_ranges:
        return None
    return wanted_ranges(wanted, content.length) if content.validators.may_continue(call) else None


def _headers(call: Call, file: File, content: FileContent) -> tuple[Header, ...]:
    found: tuple[Header, ...] = (disposition_of(file), (b"accept-ranges", b"bytes" if content.has_ranges else b"none"))
    if file.inline and is_active(content_type_of(file)) and not _declares_policy(call):
        found += (SANDBOX,)
    return found


def _declares_policy(call: Call) -> bool:
    """Whether the endpoint or its resource says itself what a page may do."""
    declared = None if call.rules is None else call.rules.headers
    return declared is not None and any(name == POLICY for name, _ in declared.values)


def _head(status: int, content_type: bytes, length: int, headers: tuple[Header, ...]) -> Response:
    fields = ((b"content-type", content_type), (b"content-length", b"%d" % length))
    return Response(status, b"", (*fields, *headers))
