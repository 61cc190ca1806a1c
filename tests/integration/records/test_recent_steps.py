"""The steps of the last minute are decoded once, however often they are asked for, and no others are kept."""

import math

import pytest
from tests.integration.records.monitor_contexts import context_of

from gatepost.monitor import history_records
from gatepost.monitor.history_records import RECENT_STEPS, HistoryRecords
from gatepost.records.reports import Reports
from gatepost.records.step_decoding import decoded


async def test_what_is_asked_for_again_is_not_decoded_again(reports: Reports, monkeypatch: pytest.MonkeyPatch) -> None:
    records = HistoryRecords(context_of("postgresql://127.0.0.1:1/nowhere", reports))
    count = 0

    def counting(data: bytes) -> object:
        nonlocal count
        count += 1
        return decoded(data)

    monkeypatch.setattr(history_records, "decoded", counting)
    for _ in range(3 * RECENT_STEPS):
        records.record()
    first = records.steps(0, math.inf)
    assert (len(first), count) == (3 * RECENT_STEPS, 3 * RECENT_STEPS)
    again = records.steps(0, math.inf)
    assert again == first
    assert count == 3 * RECENT_STEPS + 2 * RECENT_STEPS, "the last ones were kept"
    assert len(records._recent) == RECENT_STEPS
