"""Records of libraries and of services: the same stream, the same forms, and no secret in any of them."""

import json
import logging
import os
import sys
import uuid
from collections.abc import Iterator

import pytest
import structlog

from gatepost.events import DatabaseLost, DatabaseRestored, Events, LimitExceeded, RequestFailed
from gatepost.logging.clients import shown_client
from gatepost.logging.event_lines import LINES, subscribe
from gatepost.logging.levels import Levels
from gatepost.logging.lines import ERROR, ORDINARY, SECURITY
from gatepost.logging.records import RecordHandler
from gatepost.logging.repeated_lines import RepeatedLines


class Captured:
    """A logger whose records end up in `lines`."""

    def __init__(self, form: str) -> None:
        self.lines: list[str] = []
        self.kinds: list[int] = []
        self.handler = RecordHandler(self.written, form=form)
        self.logger = logging.getLogger(f"test.{uuid.uuid4().hex}")
        self.logger.propagate = False
        self.logger.addHandler(self.handler)
        self.logger.setLevel(logging.DEBUG)

    def written(self, line: bytes, kind: int) -> None:
        """Take a line with its kind."""
        self.lines.append(line.decode())
        self.kinds.append(kind)


@pytest.fixture
def records() -> Iterator[Captured]:
    """Records in JSON; whatever was configured before is restored."""
    configured = structlog.get_config()
    yield Captured("json")
    structlog.configure(**configured)


def test_a_record_is_one_line_of_json(records: Captured) -> None:
    records.logger.warning("%s has %d\nlines", "this", 2)
    [line] = records.lines
    assert line.count("\n") == 1
    found = json.loads(line)
    assert (found["level"], found["event"], found["logger"]) == ("warning", "this has 2\nlines", records.logger.name)
    assert list(found)[:3] == ["time", "level", "category"]


def test_no_field_of_an_event_replaces_what_every_line_has() -> None:
    replaced = {
        event.__name__
        for event in LINES
        if {"time", "level", "category", "source", "event", "logger"} & {*event.__struct_fields__}
    }
    assert replaced == set()


def test_an_exception_is_told_with_its_traceback(records: Captured) -> None:
    try:
        int("no number")
    except ValueError:
        records.logger.exception("it failed")
    found = json.loads(records.lines[0])
    assert "ValueError: invalid literal" in found["exception"]
    assert "test_records.py" in found["exception"]


@pytest.mark.parametrize(
    "text",
    [
        "cannot connect to postgresql://shop:hunter2@db/shop",
        "Authorization: Bearer hunter2hunter2",
        "token eyJhbGciOiJFZERTQSJ9.eyJzdWIiOiJodW50ZXIyIn0.hunter2",
        "-----BEGIN PRIVATE KEY-----\nhunter2\n-----END PRIVATE KEY-----",
        "$argon2id$v=19$m=19456$hunter2",
    ],
)
def test_secrets_in_messages_and_exceptions_are_masked(records: Captured, text: str) -> None:
    records.logger.error(text, exc_info=ValueError(text))
    assert "hunter2" not in records.lines[0]
    assert "***" in records.lines[0]


def test_fields_whose_name_says_secret_are_masked(records: Captured) -> None:
    records.logger.info("sent", extra={"password": "hunter2", "access_token": "hunter2", "count": 3})
    found = json.loads(records.lines[0])
    assert (found["password"], found["access_token"], found["count"]) == ("***", "***", 3)


def test_a_service_that_uses_structlog_comes_out_in_the_same_form(records: Captured) -> None:
    records.handler.prepare()
    structlog.get_logger(records.logger.name).info("ordered", copies=2)
    found = json.loads(records.lines[0])
    assert (found["event"], found["copies"], found["level"]) == ("ordered", 2, "info")


def test_records_made_during_a_request_carry_its_id(records: Captured) -> None:
    records.handler.find_request_id = lambda: "r1"
    records.logger.info("of a service")
    records.logger.info("of a layer that knows better", extra={"request_id": "r2"})
    structlog.get_logger(records.logger.name).info("of structlog")
    records.handler.find_request_id = lambda: None
    records.logger.info("of nobody's request")
    assert [json.loads(line).get("request_id") for line in records.lines] == ["r1", "r2", "r1", None]


def test_a_console_line_cannot_be_forged_by_a_message() -> None:
    configured = structlog.get_config()
    captured = Captured("console")
    captured.logger.info("a\nb\x1b[2J", extra={"reason": "c\nd"})
    structlog.configure(**configured)
    [line] = captured.lines
    assert line[:-1].isprintable()
    assert "a\\nb\\x1b[2J" in line
    assert "reason=c\\nd" in line


def test_an_unexpected_failure_is_told_with_its_request_id(records: Captured, caplog: pytest.LogCaptureFixture) -> None:
    events = Events()
    subscribe(events, Levels(logging.INFO), RepeatedLines())
    failed = events.emitter(RequestFailed)
    assert failed is not None
    logger = logging.getLogger("gatepost")
    logger.addHandler(records.handler)
    try:
        failed(RequestFailed("r1", "GET", "/api/notes", "notes.list", None, KeyError("gone")))
    finally:
        logger.removeHandler(records.handler)
    found = json.loads(records.lines[0])
    assert (found["event"], found["level"], found["request_id"]) == ("request_failed", "error", "r1")
    assert found["exception"] == "KeyError: 'gone'"


def test_events_below_the_level_of_their_category_are_not_written(caplog: pytest.LogCaptureFixture) -> None:
    levels = Levels(logging.ERROR)
    events = Events()
    subscribe(events, levels, RepeatedLines())
    events.emit(DatabaseRestored(seconds=1.0))
    events.emit(DatabaseLost(reason="gone", address="db:5432"))
    levels.of["application"] = logging.INFO
    events.emit(DatabaseRestored(seconds=2.0))
    assert [record.getMessage() for record in caplog.records] == ["database_lost", "database_restored"]


def test_no_level_hides_warnings_of_the_category_security(caplog: pytest.LogCaptureFixture) -> None:
    events = Events()
    subscribe(events, Levels(logging.ERROR), RepeatedLines())
    events.emit(LimitExceeded(limit="api", key="192.0.2.1"))
    assert [record.getMessage() for record in caplog.records] == ["limit_exceeded"]


@pytest.mark.parametrize(
    ("level", "given", "category", "kind"),
    [
        ("info", None, "application", ORDINARY),
        ("error", None, "error", ERROR),
        ("warning", "security", "security", SECURITY),
        ("error", "security", "security", ERROR | SECURITY),
        ("info", "no such category", "application", ORDINARY),
    ],
)
def test_a_line_has_exactly_one_category(
    records: Captured, level: str, given: str | None, category: str, kind: int
) -> None:
    fields = {} if given is None else {"category": given}
    getattr(records.logger, level)("by_logging", extra=fields)
    getattr(structlog.stdlib.get_logger(records.logger.name), level)("by_structlog", **fields)
    assert [json.loads(line)["category"] for line in records.lines] == [category, category]
    assert records.kinds == [kind, kind]


def test_the_network_of_a_client_stands_for_its_address(records: Captured) -> None:
    records.logger.removeHandler(records.handler)
    handler = RecordHandler(records.written, form="json", show_client=shown_client("network"))
    records.logger.addHandler(handler)
    for client in ("192.0.2.77", "2001:db8:1:2::3", "2001:db8:1:2::/64", "user 7"):
        records.logger.warning("seen", extra={"client": client})
    shown = [json.loads(line)["client"] for line in records.lines]
    assert shown == ["192.0.2.0/24", "2001:db8:1::/48", "2001:db8:1::/48", "user 7"]


def test_a_process_with_nothing_to_say_does_not_load_structlog() -> None:
    import subprocess

    script = (
        "import sys\n"
        "from gatepost.logging.logs import Logs\n"
        "from gatepost.settings import Settings\n"
        "from gatepost.events import Events\n"
        "Logs(Settings()).subscribe(Events())\n"
        "print([name for name in ('structlog', 'rich', 'typer') if name in sys.modules])\n"
    )
    environ = {**os.environ, "GATEPOST_ENV": "production"}
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, env=environ, check=True)
    assert done.stdout == "[]\n"


def test_a_list_stays_a_list_whose_items_are_masked_and_escaped(records: Captured) -> None:
    records.logger.warning("schema_changed", extra={"tables": ["a\u2028b", "postgresql://app:secret@db/shop"]})

    first, second = json.loads(records.lines[0])["tables"]
    assert first == "a\\u2028b"
    assert "secret" not in second
