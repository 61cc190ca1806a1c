"""Return annotations of endpoints that send while they read or make what they send: `Stream[Tick]`, `File`."""

from collections.abc import Sequence
from typing import Any, NamedTuple, Union, get_args, get_origin

from gatepost.call import Response
from gatepost.declaring.controller import Route
from gatepost.declaring.files import File
from gatepost.declaring.streams import ServerSentEvent, Stream
from gatepost.dtos.structured_members import without_metadata
from gatepost.errors import ConfigurationError


def is_file(annotation: Any) -> bool:
    """Whether an annotation is that of a file."""
    return _class_of(annotation) is File


class StreamedItems(NamedTuple):
    """What a stream is of: the annotation of its items, without that of events around them. `are_events` says that they
    are `ServerSentEvent`s, which have no other form."""

    item: Any
    are_events: bool


def is_stream(annotation: Any) -> bool:
    """Whether an annotation is that of a stream."""
    return _class_of(annotation) is Stream


def read_streamed(parts: Sequence[Any], route: Route, location: str) -> StreamedItems | None:
    """What the stream among the types that an endpoint returns is of; None where there is none. Raises
    `ConfigurationError` for anything else beside it, and for what a stream has not."""
    streams = [part for part in parts if is_stream(part)]
    if not streams:
        return None
    others = [part for part in parts if not (is_stream(part) or _is_response(part))]
    if len(streams) > 1 or others:
        raise ConfigurationError(
            "returns a stream or something else.",
            location=location,
            hint="Return one Stream[...]; anything else has to be None or a Response.",
        )
    if route.cache_control is not None:
        raise ConfigurationError(
            "returns a stream, which no cache stores.", location=location, hint="Leave out cache_control=."
        )
    arguments = get_args(streams[0])
    return _read_items(arguments[0] if arguments else Any, location)


def sends_file(parts: Sequence[Any], route: Route, location: str) -> bool:
    """Whether a file is among the types that an endpoint returns. Raises `ConfigurationError` for anything else beside
    it, and for what a file has not."""
    if not any(is_file(part) for part in parts):
        return False
    if not all(is_file(part) or _is_response(part) for part in parts):
        raise ConfigurationError(
            "returns a file or something else.",
            location=location,
            hint="Return File; anything else has to be None or a Response.",
        )
    if route.status is not None:
        raise ConfigurationError(
            f"returns a file, and has status={route.status}.",
            location=location,
            hint="Leave it out: 200, 206 and 304 follow from what the client asks for.",
        )
    return True


def _read_items(annotation: Any, location: str) -> StreamedItems:
    plain, _ = without_metadata(annotation)
    if _class_of(plain) is ServerSentEvent:
        arguments = get_args(plain)
        return StreamedItems(arguments[0] if arguments else Any, True)
    if any(_class_of(each) is ServerSentEvent for each in get_args(plain)):
        raise ConfigurationError(
            "returns a stream of events or something else.",
            location=location,
            hint="Write Stream[ServerSentEvent[A | B]]: an event needs neither id nor name.",
        )
    return StreamedItems(annotation, False)


def _class_of(annotation: Any) -> Any:
    plain, _ = without_metadata(annotation)
    origin = get_origin(plain)
    return plain if origin is None or origin is Union else origin


def _is_response(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, Response)
