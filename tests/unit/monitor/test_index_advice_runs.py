"""`IndexAdviceRuns`: one process at a time, and what it cannot find."""

import threading
from pathlib import Path

import pytest

from gatepost.monitor.index_advice_runs import IndexAdviceRuns


def looked(runs: IndexAdviceRuns) -> IndexAdviceRuns:
    """After it has looked."""
    runs.look()
    for thread in threading.enumerate():
        if thread.name == "gatepost-advice":
            thread.join()
    return runs


def test_why_there_is_no_advice_is_said_and_asked_again_later(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    runs = looked(IndexAdviceRuns("nowhere:app", "postgresql://127.0.0.1:1/none"))
    assert runs.advice is None
    assert runs.error is not None
    assert "nowhere" in runs.error
    assert "Traceback" not in runs.error
    before = runs.error = "still the same"
    assert looked(runs).error == before


def test_a_command_that_fails_leaves_what_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    runs = IndexAdviceRuns("app:app", "postgresql://127.0.0.1:1/none")
    runs.advice = []
    monkeypatch.setattr(runs, "_command", ["/nowhere/python"])
    assert looked(runs).advice == []
    assert runs.error is not None


@pytest.mark.parametrize(("reference", "dsn"), [(None, "postgresql:///shop"), ("app:app", None)])
def test_without_an_application_or_a_database_nothing_is_run(reference: str | None, dsn: str | None) -> None:
    runs = looked(IndexAdviceRuns(reference, dsn))
    assert (runs.advice, runs.error) == (None, None)
