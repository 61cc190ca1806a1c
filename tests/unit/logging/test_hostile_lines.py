"""What whoever can have a text logged tries: to forge lines, to hide some, to see secrets, to take time and memory."""

import json
import logging
import time
from collections.abc import Iterator

import pytest
import structlog

from gatepost import Model, Service
from gatepost.cli.logs import shown_line
from gatepost.logging.records import RecordHandler
from gatepost.logging.text import ITEMS_MAX, MASK, VALUE_LENGTH_MAX, safe_value, without_secrets


class Crates(Service[Model]):
    """A service that logs what it was sent."""


class Unshowable:
    """A value whose own code fails."""

    def __str__(self) -> str:
        raise RuntimeError


@pytest.fixture(params=["json", "console"])
def lines(request: pytest.FixtureRequest) -> Iterator[list[str]]:
    """What the log gets of this module, in one of its forms."""
    found: list[str] = []
    handler = RecordHandler(lambda line, kind: found.append(line.decode()), form=request.param)
    logger = logging.getLogger(__name__)
    logger.addHandler(handler)
    logger.propagate = False
    configured = structlog.get_config()
    yield found
    structlog.configure(**configured)
    logger.removeHandler(handler)
    logger.propagate = True


FORGED = "2026-11-30T20:15:22Z error    database: database_lost"


def test_a_message_with_line_breaks_cannot_look_like_another_line(lines: list[str]) -> None:
    Crates.log.error(f"failed\n{FORGED}", exc_info=ValueError(f"bad\n{FORGED}\n\x1b[2J"))
    [text] = lines
    assert not any(line.startswith(FORGED) for line in text.splitlines())
    assert "\x1b" not in text
    if text.startswith("{"):
        shown = shown_line(json.loads(text), is_colourful=False)
        assert not any(line.startswith(FORGED) for line in shown.splitlines())


def test_names_of_fields_cannot_move_the_cursor(lines: list[str]) -> None:
    Crates.log.warning("sent", **{f"\x1b[2J\n{FORGED}": 1, "source": "\x1b[2J"})
    assert "\x1b" not in lines[0]
    assert lines[0].count("\n") == 1


def test_no_field_stands_in_place_of_what_every_line_has(lines: list[str]) -> None:
    Crates.log.warning("sent", level="debug", time="never", logger="other")
    logging.getLogger(__name__).warning("sent", extra={"level": "debug", "time": "never", "event": "nothing"})
    for line in lines:
        if line.startswith("{"):
            found = json.loads(line)
            assert (found["level"], found["event"], found["logger"]) == ("warning", "sent", __name__)
            assert found["time"].startswith("20")
        else:
            assert "warning" in line.split(":")[2]


def test_a_line_is_written_whatever_a_value_does(lines: list[str]) -> None:
    Crates.log.warning("sent", value=Unshowable(), exc_info=("a", "b", "c"), rows=[Unshowable()])
    assert "<Unshowable that cannot be shown: RuntimeError>" in lines[0]


def test_no_value_is_endless(lines: list[str]) -> None:
    Crates.log.warning("sent", text="x" * 5_000_000, rows=list(range(100_000)), deep={"a": {"b": {"c": {}}}})
    assert len(lines[0]) < VALUE_LENGTH_MAX + 10 * ITEMS_MAX + 1000


@pytest.mark.parametrize(
    ("key", "value", "shown"),
    [
        ("body", {"password": "hunter2", "name": "ada"}, {"password": MASK, "name": "ada"}),
        ("rows", [{"token": "hunter2"}, {"n": 1}], [{"token": MASK}, {"n": 1}]),
        ("apikey", "hunter2", MASK),
        ("apiKey", "hunter2", MASK),
        ("pwd", "hunter2", MASK),
        ("otp", "hunter2", MASK),
        ("footprint", "large", "large"),
        ("url", "https://a.example/?access_token=hunter2&n=1", f"https://a.example/?access_token={MASK}&n=1"),
        ("dsn", "postgresql://u:p@hunter2@db/shop", f"postgresql://u:{MASK}@db/shop"),
        ("header", "x eyJhbGciOiJFZERTQSJ9.hunter2.hunter2 y", f"x {MASK} y"),
        ("path", "a.b.c/shop.app.py", "a.b.c/shop.app.py"),
    ],
)
def test_secrets_are_masked_wherever_they_stand(key: str, value: object, shown: object) -> None:
    assert safe_value(key, value) == shown


@pytest.mark.parametrize(
    "part",
    ["a://:", "eyJaaaaa-", "eyJaaaaa.", "a.", "-----BEGIN ", "-----BEGIN PRIVATE KEY", "$argon2", "?token", "bearer "],
)
def test_looking_for_secrets_takes_time_in_proportion(part: str) -> None:
    def seconds(length: int) -> float:
        text = part * (length // len(part))
        began = time.process_time()
        without_secrets(text)
        return time.process_time() - began

    seconds(1000)
    assert seconds(64_000) < 0.5
