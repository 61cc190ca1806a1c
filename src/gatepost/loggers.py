"""The attribute `log` of services and controllers: structlog's interface on the standard library's loggers.

A foundation. The handler of a record (`logging/records.py`, a test's `caplog`, another server's) finds the event as the
message and everything else in the attribute FIELDS of the record, so that no name of a field collides with one of the
standard library's own.
"""

import logging
from collections.abc import MutableMapping
from functools import cache
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from structlog.stdlib import BoundLogger

FIELDS = "gatepost_fields"
"""The attribute of a record that holds what was logged beside the event: a dict."""

_OF_RECORDS = ("exc_info", "stack_info", "stacklevel")


class LayerLogger:
    """A descriptor: the logger of the class that it is asked of, named after its module. Its lines say `source`."""

    def __init__(self, source: str) -> None:
        self._source = source

    def __get__(self, instance: object, owner: type) -> "BoundLogger":
        return _logger(owner.__module__, self._source)


@cache
def _logger(name: str, source: str) -> "BoundLogger":
    import structlog  # a process that logs nothing but requests does not load it

    return structlog.wrap_logger(  # type: ignore[no-any-return]
        logging.getLogger(name),
        processors=[
            structlog.stdlib.filter_by_level,
            structlog.contextvars.merge_contextvars,
            structlog.stdlib.PositionalArgumentsFormatter(),
            _as_record,
        ],
        wrapper_class=structlog.stdlib.BoundLogger,
        source=source,
    )


def _as_record(logger: object, method: str, event: MutableMapping[str, Any]) -> tuple[tuple[str], dict[str, Any]]:
    """The arguments of the standard library's method."""
    message = str(event.pop("event", ""))
    arguments = {name: event.pop(name) for name in _OF_RECORDS if name in event}
    found = arguments.get("exc_info")
    if isinstance(found, tuple):
        # Formatters fail on what is no exception, and the line would be lost.
        parts = cast("tuple[object, ...]", found)
        arguments["exc_info"] = next((part for part in parts if isinstance(part, BaseException)), None)
    # Without arguments of its own the message is written as it is, whatever signs it holds.
    return (message,), {**arguments, "extra": {FIELDS: dict(event)}}
