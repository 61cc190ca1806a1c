"""The tables of the README are what was measured, and nothing else."""

import json
from pathlib import Path

from benchmarks.readme_table import MISSING, table_of
from benchmarks.report import write_records, write_results

COSTS = {"gatepost": 100.2, "gatepost with records": 108.4, "usual": 150.0, "usual with records": 300.0}


def test_records_have_a_table_of_their_own(tmp_path: Path) -> None:
    path = tmp_path / "results.json"
    assert table_of(path) == MISSING
    write_results(path, [], {"database": {"postgresql": "18.6"}}, 5)
    bare = table_of(path)
    assert "records" not in bare
    write_records(path, COSTS, 4)
    found = table_of(path)
    assert found.startswith(bare)
    assert "| Gatepost's | 100 | 108 | 8 (1.08 times) |" in found
    assert "| the usual ones | 150 | 300 | 150 (2.00 times) |" in found
    assert "over 4 rounds\n(`python -m benchmarks.records`)" in found
    # A new measurement of the servers makes what was measured before it no part of its table.
    write_results(path, [], {"database": {"postgresql": "18.6"}}, 5)
    assert "records" not in json.loads(path.read_text())
