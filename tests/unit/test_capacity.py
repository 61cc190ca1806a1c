"""The pages about scale have the figures that were measured, and nothing else."""

import json
from pathlib import Path

from benchmarks.capacity import BLOCK, PAGE, POOL, WORKERS, costs, per_second, table
from benchmarks.gate_figures import RESULTS as GATE_RESULTS
from benchmarks.readme_table import RESULTS

SCALE_OUT = Path(__file__).parents[2] / "docs" / "how-to" / "scale-out.md"


def test_the_tables_of_the_page_are_computed_from_what_was_measured() -> None:
    shown = BLOCK.search(PAGE.read_text())
    assert shown is not None
    assert shown["table"] == table(), "run python -m benchmarks.capacity"


def test_a_core_carries_what_its_time_allows() -> None:
    found = costs()
    assert per_second(100.0, cores=2) == 12_000
    assert found["one_row"].server < found["the mix"].server < found["page_50"].server


def test_the_steps_have_the_figures_that_were_measured() -> None:
    runs = {run["work"]: run for run in json.loads(RESULTS.read_text())["runs"] if run["server"] == "gatepost"}
    gate = {each["name"]: each["value"] for each in json.loads(GATE_RESULTS.read_text())["figures"]}
    text = " ".join(SCALE_OUT.read_text().split())
    rates = [f"{round(runs[work]['requests_per_second'], -2):,.0f}" for work in ("one_row", "page_50", "create")]
    slowest = sorted(runs[work]["p99_ms"] for work in runs)
    mixed = costs()["the mix"]
    for words in (
        f"{rates[0]} `GET` of a row a second, {rates[1]} lists of 50, {rates[2]} creations",
        f"a p99 of {slowest[0]:.0f} to {slowest[-1]:.0f} ms",
        f"a worker uses up to one core and {runs['one_row']['rss_mib']:.0f} MiB",
        f"one for {mixed.server / mixed.database:.1f} workers",
        f"{2 * WORKERS * (POOL + 1) + 2} connections for four workers and a pool of {POOL}",
        f"a decision costs Valkey {gate['take.lua, one by one, 1,000 keys']:.0f} us of CPU one by one",
        f"asks it {gate['questions to the Valkey per request then']:.2f} times for each request of 2,000 clients",
    ):
        assert words in text, words
