"""`self.log` of services and controllers: structlog's interface, a line of its layer, whoever takes the records."""

import json
import logging
from collections.abc import Iterator

import pytest
import structlog

from gatepost import Controller, Model, Service
from gatepost.logging.records import RecordHandler


class Parcels(Service[Model]):
    """A service that says what it does."""


class Depots(Controller):
    """A controller that does."""


@pytest.fixture
def lines() -> Iterator[list[bytes]]:
    """What the log gets of this module."""
    found: list[bytes] = []
    handler = RecordHandler(lambda line, kind: found.append(line), form="json")
    logger = logging.getLogger(__name__)
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    configured = structlog.get_config()
    yield found
    structlog.configure(**configured)
    logger.removeHandler(handler)
    logger.setLevel(logging.NOTSET)


def test_a_line_names_its_layer_and_has_its_fields(lines: list[bytes]) -> None:
    Parcels.log.info("parcel_sent", weight=7, name="a field that the standard library has as well")
    Depots.log.bind(depot=3).warning("depot %s is full", "north", category="security")
    first, second = (json.loads(line) for line in lines)
    assert (first["source"], first["event"], first["weight"]) == ("services", "parcel_sent", 7)
    assert first["name"] == "a field that the standard library has as well"
    assert (first["category"], first["level"]) == ("application", "info")
    assert (second["source"], second["event"], second["depot"]) == ("controllers", "depot north is full", 3)
    assert (second["category"], second["level"]) == ("security", "warning")


def test_a_line_below_the_level_is_not_written(lines: list[bytes]) -> None:
    Parcels.log.debug("weighing")
    assert lines == []


def test_an_exception_is_told_with_its_traceback_by_self_log(lines: list[bytes]) -> None:
    try:
        int("no number")
    except ValueError:
        Parcels.log.exception("failed")
    found = json.loads(lines[0])
    assert (found["event"], found["category"]) == ("failed", "error")
    assert "ValueError: invalid literal" in found["exception"]


def test_another_handler_sees_the_event(caplog: pytest.LogCaptureFixture) -> None:
    Parcels.log.warning("100 % of it", weight=7)
    assert caplog.messages == ["100 % of it"]
