"""Responses of endpoints that send while they read or make what they send: streams and files."""

from typing import Any

from gatepost.call import SAFE
from gatepost.controllers.stream_formats import EVENTS, JSON_LINES
from gatepost.controllers.streamed_annotations import StreamedItems
from gatepost.openapi.components import Schema
from gatepost.openapi.response_objects import LIMITED, ResponseObjects

_VALIDATORS = ("ETag", "Last-Modified")
_OF_FILES = (*_VALIDATORS, "Accept-Ranges", "Content-Disposition", *LIMITED)
_ANYTHING: Schema = {"*/*": {"schema": {}}}


def of_stream(responses: ResponseObjects, items: StreamedItems, item: Schema) -> Schema:
    """A success whose body is a stream of such items. OpenAPI 3.1 has no schema for those: lines of JSON are a text,
    and `x-item-schema` is that of the JSON in its lines or events. Clients that read events take the schema of the
    body for that of an event, others for that of the text, so it says nothing."""
    forms = (EVENTS,) if items.are_events else (JSON_LINES, EVENTS)
    content: Schema = {
        form.content_type.decode(): {"schema": {} if form is EVENTS else {"type": "string"}, "x-item-schema": item}
        for form in forms
    }
    return {**responses.shown("The items, while they are made.", None, LIMITED), "content": content}


def of_file(responses: ResponseObjects, method: str) -> dict[str, Schema]:
    """The successes of an endpoint that sends a file, by status."""
    found: dict[str, Any] = {"200": {**responses.shown("The file.", None, _OF_FILES), "content": _ANYTHING}}
    if method == "GET":
        part = responses.shown("The part of the file that `Range` asks for.", None, ("Content-Range", *_OF_FILES))
        found["206"] = {**part, "content": _ANYTHING}
    if method in SAFE:
        found["304"] = responses.shown("The client has it already.", None, (*_VALIDATORS, *LIMITED))
    return found
