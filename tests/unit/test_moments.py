"""Moments are shown in one form, wherever operators and scripts read them, and are read in one way."""

import re
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest

import gatepost
from gatepost.moments import duration_seconds, moment_of, shown_moment, shown_moment_or_none

NOW = 1_796_126_400.0
SOURCE = Path(gatepost.__file__).parent
SHOWN_TO_OPERATORS = ("alerting", "cli", "database", "inspection", "logging", "metrics", "monitor", "records", "server")
OTHER_FORMS = re.compile(r"(?<!from)isoformat\(|strftime\(|:%[HY]")
ALLOWED = {
    # The same form, of many lines a second; and the time of day on a terminal of a developer.
    "logging/access.py": 2,
    "logging/records.py": 1,
    # The names of files.
    "logging/archive.py": 0,
    # The time of day within a sentence, whose moment stands beside it.
    "monitor/incidents.py": 2,
}


def test_a_moment_is_shown_in_utc_with_milliseconds() -> None:
    for moment in (
        NOW + 0.25,
        datetime.fromtimestamp(NOW + 0.25, UTC),
        datetime.fromtimestamp(NOW + 0.25, timezone(timedelta(hours=5, minutes=30))),
    ):
        assert shown_moment(moment) == "2026-12-01T12:00:00.250Z"
    assert shown_moment(NOW) == "2026-12-01T12:00:00.000Z"
    assert shown_moment_or_none(None) is None


def test_a_moment_that_is_shown_is_read_again() -> None:
    assert moment_of(shown_moment(NOW + 0.25), 0) == NOW + 0.25
    assert moment_of("90s", NOW) == NOW - 90
    assert moment_of("2026-12-01T13:00+01:00", 0) == NOW
    assert [duration_seconds(text) for text in ("90s", "30m", "6h", "7d")] == [90, 1800, 21_600, 604_800]


@pytest.mark.parametrize("text", ["", "yesterday", "10", "-5m", "5 m", "\u0665m", "0001-01-01T00:00+23:00"])
def test_what_is_neither_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not a moment"):
        moment_of(text, NOW)
    with pytest.raises(ValueError, match="is not a duration"):
        duration_seconds(text)


def test_no_other_module_writes_moments_in_a_form_of_its_own() -> None:
    found = {
        str(path.relative_to(SOURCE)): len(OTHER_FORMS.findall(path.read_text(encoding="utf-8")))
        for package in SHOWN_TO_OPERATORS
        for path in (SOURCE / package).rglob("*.py")
        if "template" not in path.parts
    }
    assert {name: count for name, count in found.items() if count > ALLOWED.get(name, 0)} == {}
