"""Everything but access lines: records of the standard library and of structlog, in the same two forms.

Off the request path. structlog brings a console library with it (80 ms, 5 MiB): a server that has nothing to say but
access lines never loads it, which is why `RecordHandler` makes its formatter at the first record.
"""

import logging
import sys
import textwrap
import time
from collections.abc import Callable, MutableMapping, Sequence
from datetime import datetime
from functools import partial
from typing import Any, cast

import msgspec

from gatepost.loggers import FIELDS
from gatepost.logging.clients import ShownClient
from gatepost.logging.console import shown_level
from gatepost.logging.levels import Levels, level_name
from gatepost.logging.lines import category_of, kind_of
from gatepost.logging.masking import NO_MASKING, Masking
from gatepost.logging.text import escaped
from gatepost.logging.tracebacks import traceback_text
from gatepost.moments import shown_moment

Write = Callable[[bytes, int], None]
"""Takes a line and its kind."""
EventDict = MutableMapping[str, Any]
Processor = Callable[[object, str, EventDict], EventDict]
CountLine = Callable[[str, str], None]
"""Counts a line of a category and level."""
FindRequestID = Callable[[], str | None]
"""Gives the id of the request that is being served where it is called, None outside of one."""


_OF_RECORDS = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime"}
"""Attributes that every record has."""

_CLIENTS = frozenset({"client", "key"})
"""Fields of our events that hold an address of a client, or may."""


class RecordHandler(logging.Handler):
    """Formats a record through structlog's ProcessorFormatter and hands the line to `write`, where the level of its
    category admits it.

    `find_request_id` is asked for each record, in the task that logs: a request pays for it only when it logs.
    `count_line` is told the category and level of each line.
    """

    def __init__(
        self,
        write: Write,
        *,
        form: str,
        coloured: bool = False,
        levels: Levels | None = None,
        show_client: ShownClient | None = None,
    ) -> None:
        super().__init__()
        self._write = write
        self._form = form
        self._coloured = coloured
        self._levels = levels or Levels(logging.NOTSET)
        self._show_client = show_client
        self.find_request_id: FindRequestID = lambda: None
        self.count_line: CountLine | None = None
        self.masking: Masking = NO_MASKING
        self._made: logging.Formatter | None = None
        if "structlog" in sys.modules:  # the application's own structlog loggers have to come out here as well
            self.prepare()

    def prepare(self) -> logging.Formatter:
        """Load and configure structlog."""
        if self._made is None:
            self._made = _formatter(self._form, self._completed, self._masked, coloured=self._coloured)
        return self._made

    def emit(self, record: logging.LogRecord) -> None:
        """Called by the standard library with each record that its level admits."""
        try:
            is_error = record.levelno >= logging.ERROR
            category = category_of(_given_category(record), is_error=is_error)
            if record.levelno < self._levels.of[category]:
                return
            line = self.prepare().format(record)
            self._write(line.encode(errors="backslashreplace") + b"\n", kind_of(category, is_error=is_error))
            if self.count_line is not None:
                self.count_line(category, level_name(record.levelno))
        except Exception:
            self.handleError(record)

    def _completed(self, logger: object, method: str, event: EventDict) -> EventDict:
        """The fields that every line has, and addresses as they may be shown."""
        is_error = event.get("level") in ("error", "critical")
        event["category"] = category_of(event.get("category"), is_error=is_error)
        event.setdefault("source", str(event.get("logger", "")).partition(".")[0])
        if "request_id" not in event and (request_id := self.find_request_id()) is not None:
            event["request_id"] = request_id
        if self._show_client is not None:
            for name in _CLIENTS & event.keys():
                event[name] = self._show_client(str(event[name]))
        return event

    def _masked(self, logger: object, method: str, event: EventDict) -> EventDict:
        return self.masking.fields(dict(event))


def count_lines(count_line: CountLine) -> None:
    """Tell of each line that this process logs, once, whatever number of outputs it has. Access lines are not
    records."""
    handlers = [handler for handler in logging.getLogger().handlers if isinstance(handler, RecordHandler)]
    for handler in handlers[:1]:
        handler.count_line = count_line


def _given_category(record: logging.LogRecord) -> object:
    """What the author of a line said: `extra={"category": ...}`, or structlog's keyword."""
    message = cast("Any", record).msg
    fields = getattr(record, FIELDS, record.__dict__) if isinstance(message, str) else message
    return fields.get("category") if hasattr(fields, "get") else None


def _formatter(form: str, complete: Processor, mask: Processor, *, coloured: bool) -> logging.Formatter:
    import structlog

    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.PositionalArgumentsFormatter(),
        _add_fields,
        # After the fields of the caller, which must not replace these.
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        complete,
        _add_time,
        _shown_traceback,
        mask,
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    renderer = _render_json if form == "json" else partial(_render_console, coloured)
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=shared,
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
    )


def _add_time(logger: object, method: str, event: EventDict) -> EventDict:
    event["time"] = shown_moment(time.time())
    return event


def _add_fields(logger: object, method: str, event: EventDict) -> EventDict:
    """What a record holds beside its message: `extra=`, and what `self.log` was given."""
    record: logging.LogRecord | None = event.get("_record")
    if record is not None:
        given = {name: value for name, value in record.__dict__.items() if name not in _OF_RECORDS}
        fields = given.pop(FIELDS, {})
        event.update((name, value) for name, value in {**given, **fields}.items() if name != "event")
    return event


def _shown_traceback(logger: object, method: str, event: EventDict) -> EventDict:
    """`exc_info` as text, without the values of variables, rows and statements, which may be secrets."""
    found = event.pop("exc_info", None)
    if not found:
        return event
    error = found if isinstance(found, BaseException) else sys.exc_info()[1]
    if isinstance(found, tuple):
        error = next((item for item in cast("tuple[object, ...]", found) if isinstance(item, BaseException)), None)
    if error is not None:
        event["exception"] = traceback_text(error)
    return event


def _render_json(logger: object, method: str, event: EventDict) -> str:
    leading = {key: event.pop(key) for key in ("time", "level", "category", "source", "event") if key in event}
    # Escaping beforehand keeps separators such as U+2028 and lone surrogates from ending a line in some reader.
    values = {**leading, **event}
    return msgspec.json.encode({escaped(key): _escaped_value(item) for key, item in values.items()}).decode()


def _escaped_value(value: Any) -> Any:
    if isinstance(value, dict):
        return {escaped(key): _escaped_value(item) for key, item in cast("dict[str, Any]", value).items()}
    if isinstance(value, list):
        return [_escaped_value(item) for item in cast("Sequence[Any]", value)]
    return escaped(value, keep="\n\t") if isinstance(value, str) else value


def _render_console(coloured: bool, logger: object, method: str, event: EventDict) -> str:
    """`12:01:02.123 error   gatepost: database_lost reason=...`, a traceback below it."""
    moment = f"{datetime.fromisoformat(str(event.pop('time'))).astimezone():%H:%M:%S.%f}"[:12]
    level = str(event.pop("level", ""))
    name = escaped(str(event.pop("source", "") or event.pop("logger", "")))
    del event["category"]
    event.pop("logger", None)
    message = escaped(str(event.pop("event", "")))
    exception = event.pop("exception", None)
    shown = shown_level(level, 7, coloured=coloured)
    fields = " ".join(f"{escaped(key)}={escaped(str(value))}" for key, value in event.items() if value is not None)
    line = f"{moment} {shown} {name}: {message} {fields}".rstrip()
    return f"{line}\n{shown_exception(exception)}" if exception else line


def shown_exception(text: str) -> str:
    """A traceback below its line, indented: what stands in the message of an exception cannot look like a line."""
    return textwrap.indent(escaped(text, keep="\n\t"), "    ", lambda line: True)
