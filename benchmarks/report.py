"""What a run says: the tables on the terminal, and results.json."""

import dataclasses
import json
import platform
from collections.abc import Mapping, Sequence
from pathlib import Path

from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table

from benchmarks.measure import Run
from benchmarks.targets import SUBJECT, verdicts

RESULTS = Path(__file__).parent / "results.json"
CEILING = "ceiling"
COLUMNS = 100


def wide_console() -> Console:
    """A console that never cuts the tables, whatever a pipe or a narrow terminal says of its width."""
    return Console(width=max(COLUMNS, Console().width))


def write_results(path: Path, runs: Sequence[Run], versions: Mapping[str, Mapping[str, str]], rounds: int) -> None:
    """Write the runs (medians) and the versions of everything that took part."""
    machine = {"python": platform.python_version(), "system": f"{platform.system()} {platform.machine()}"}
    content = {
        "runs": [dataclasses.asdict(run) for run in runs],
        "rounds": rounds,
        "versions": {"machine": machine, **versions},
    }
    path.write_text(json.dumps(content, indent=2) + "\n")


def write_records(path: Path, costs: Mapping[str, float], rounds: int) -> None:
    """Write what records cost beside what `write_results` has written."""
    content = json.loads(path.read_text()) if path.exists() else {}
    content["records"] = {"cpu_microseconds": dict(costs), "rounds": rounds}
    path.write_text(json.dumps(content, indent=2) + "\n")


def print_runs(console: Console, runs: Sequence[Run]) -> None:
    """One table per work; CPU against the ceiling's and against Gatepost's beside the figures."""
    for work in dict.fromkeys(run.work for run in runs):
        of_work = {run.server: run for run in runs if run.work == work}
        table = Table(
            title=f"{work}: CPU of the server and of the database per request", title_justify="left", box=SIMPLE
        )
        table.add_column("server", no_wrap=True)
        for name in ("CPU us", "x ceiling", "x gatepost", "DB us", "req/s", "p50 ms", "p99 ms", "MiB"):
            table.add_column(name, justify="right", no_wrap=True)
        for run in of_work.values():
            table.add_row(
                run.server,
                f"{run.cpu_microseconds:.0f}",
                _ratio(run, of_work.get(CEILING)),
                _ratio(run, of_work.get(SUBJECT)),
                f"{run.database_cpu_microseconds:.0f}",
                f"{run.requests_per_second:,.0f}",
                f"{run.p50_ms:.2f}",
                f"{run.p99_ms:.2f}",
                f"{run.rss_mib:.0f}",
            )
        console.print(table)


def print_verdicts(console: Console, runs: Sequence[Run]) -> None:
    """Whether each target of the project is reached."""
    found = verdicts(runs)
    if not found:
        console.print(f"No target can be judged: {SUBJECT} or the others were not measured.")
        return
    table = Table(
        title="targets: CPU of Gatepost / CPU of the other",
        title_justify="left",
        box=SIMPLE,
        pad_edge=False,
        padding=(0, 1, 0, 0),
    )
    for name in ("against", "work", "measured", "at most", ""):
        table.add_column(name)
    for verdict in found:
        sign = "[green]reached[/]" if verdict.reached else "[red]missed[/]"
        table.add_row(verdict.other, verdict.work, f"{verdict.ratio:.3f}", f"{verdict.ratio_max:.3f}", sign)
    console.print(table)


def _ratio(run: Run, other: Run | None) -> str:
    return "" if other is None else f"{run.cpu_microseconds / other.cpu_microseconds:.2f}"
