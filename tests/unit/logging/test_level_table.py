"""Levels that operators change hold for as long as they have said, whatever becomes of the machine's clock."""

import logging
import time

import pytest

from gatepost.logging.levels import Levels, LevelTable


def test_a_clock_that_is_set_back_prolongs_no_level(monkeypatch: pytest.MonkeyPatch) -> None:
    table = LevelTable.shared("test-levels")
    levels = Levels(logging.WARNING, table)
    table.set("access", logging.DEBUG, 1800.0)
    levels.refresh()
    assert levels.of["access"] == logging.DEBUG
    assert table.changes()["access"].until == pytest.approx(time.time() + 1800.0, abs=5)
    now, elapsed = time.time() - 3600, time.monotonic() + 1801
    monkeypatch.setattr(time, "time", lambda: now)
    monkeypatch.setattr(time, "monotonic", lambda: elapsed)
    levels.refresh()
    assert levels.of["access"] == logging.WARNING
    assert table.changes() == {}
