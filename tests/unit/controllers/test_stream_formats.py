"""The forms of streams, and which one a client gets."""

from typing import Any

import pytest

from gatepost import ServerSentEvent, Stream
from gatepost.controllers.stream_formats import EVENTS, JSON_LINES, StreamFormat, preferred_format


def event(**fields: Any) -> ServerSentEvent[Any]:
    return ServerSentEvent(None, **fields)


@pytest.mark.parametrize(
    ("accept", "form"),
    [
        ("", JSON_LINES),
        ("*/*", JSON_LINES),
        ("text/*", JSON_LINES),
        ("application/json", JSON_LINES),
        ("application/x-ndjson", JSON_LINES),
        ("text/event-stream", EVENTS),
        ("Text/Event-Stream; charset=utf-8", EVENTS),
        ("text/html, text/event-stream;q=0.1", EVENTS),
        ("application/x-ndjson, text/event-stream", JSON_LINES),
        ("application/x-ndjson;q=0.2, text/event-stream; q=0.3", EVENTS),
        ("application/x-ndjson;q=0.3, text/event-stream;Q=0.25", JSON_LINES),
        ("text/event-stream;q=0", JSON_LINES),
        ("text/event-stream;q=nan", EVENTS),
        ("\xff, text/event-stream", EVENTS),
        ("a," * 20 + "text/event-stream", JSON_LINES),
    ],
)
def test_a_client_gets_events_where_it_asks_for_them(accept: str, form: StreamFormat) -> None:
    assert preferred_format(accept) is form


@pytest.mark.parametrize(
    ("given", "written"),
    [
        (None, b"data: 1\n\n"),
        (event(), b"data: 1\n\n"),
        (event(id=""), b"id: \ndata: 1\n\n"),
        (event(id="é7", name="sold out"), "id: é7\nevent: sold out\ndata: 1\n\n".encode()),
        (event(retry_seconds=0), b"retry: 0\ndata: 1\n\n"),
        (event(retry_seconds=1.5), b"retry: 1500\ndata: 1\n\n"),
    ],
)
def test_an_event_has_the_fields_that_it_is_given(given: ServerSentEvent[Any] | None, written: bytes) -> None:
    assert EVENTS.part(b"1", given) == written
    assert JSON_LINES.part(b"1", given) == b"1\n"


def test_no_data_end_a_line() -> None:
    data = b'{\n"a":\r\n"\\n\xe2\x80\xa8"}'

    assert JSON_LINES.part(data, None) == b'{ "a":  "\\n\xe2\x80\xa8"}\n'
    assert EVENTS.part(data, None) == b'data: { "a":  "\\n\xe2\x80\xa8"}\n\n'
    assert EVENTS.failure(b"{\n}") == b"event: error\ndata: { }\n\n"


@pytest.mark.parametrize("sign", ["\r", "\n", "\0"])
@pytest.mark.parametrize("field", ["id", "name"])
def test_no_field_can_begin_another(field: str, sign: str) -> None:
    with pytest.raises(ValueError, match=f"The {field} of an event cannot be"):
        event(**{field: f"1{sign}data: forged"})


@pytest.mark.parametrize("seconds", [-1, float("nan"), float("inf")])
def test_a_time_to_wait_is_a_duration(seconds: float) -> None:
    with pytest.raises(ValueError, match="is not a duration"):
        event(retry_seconds=seconds)


def test_a_stream_is_of_an_async_iterator() -> None:
    given: Any = [1, 2]

    with pytest.raises(TypeError, match="Stream takes an async iterator"):
        Stream(given)
