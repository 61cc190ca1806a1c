"""`make bench` with every peer: all servers start, do the same work, and give figures."""

import json
import os
import subprocess
import sys
from pathlib import Path

from benchmarks.servers import SERVERS
from benchmarks.works import WORK_NAMES

ROOT = Path(__file__).parents[1]
FIGURES = {
    *("server", "work", "requests_per_second", "cpu_microseconds", "database_cpu_microseconds"),
    *("p50_ms", "p99_ms", "rss_mib"),
}
# The kernel counts CPU in ticks of 10 ms: a few slow requests of a short round may cost the database none.
COUNTED_IN_TICKS = {"cpu_microseconds", "database_cpu_microseconds"}
SECONDS_MAX = 600  # the first run installs the peers' packages


def test_every_peer_conforms_and_is_measured_at_every_work(tmp_path: Path) -> None:
    """A server that does not do the work ends the run with 1; one that cannot start is left out, and missed here."""
    results = tmp_path / "results.json"
    command = [sys.executable, "-m", "benchmarks.run", "--rounds", "1", "--seconds", "0.15", "--json", str(results)]
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("GATEPOST", "DATABASE_URL"))}

    done = subprocess.run(command, cwd=ROOT, env=kept, capture_output=True, text=True, timeout=SECONDS_MAX, check=False)

    said = done.stdout + done.stderr
    assert done.returncode == 0, said
    assert "skipped" not in said
    written = json.loads(results.read_text())
    assert {(run["server"], run["work"]) for run in written["runs"]} == {
        (server, work) for server in SERVERS for work in WORK_NAMES
    }, said
    for run in written["runs"]:
        assert set(run) >= FIGURES
        assert all(run[name] > 0 for name in FIGURES - {"server", "work", *COUNTED_IN_TICKS}), run
        assert all(run[name] >= 0 for name in COUNTED_IN_TICKS), run
    assert set(written["versions"]) >= {*SERVERS, "database"}
