"""The table of the README, made of `results.json`: `python -m benchmarks.readme_table` writes it."""

import json
import re
import sys
from pathlib import Path
from typing import Any

from benchmarks.targets import SUBJECT

RESULTS = Path(__file__).parent / "results.json"
README = Path(__file__).parents[1] / "README.md"
BLOCK = re.compile(r"(?<=<!-- measured -->\n)(?P<table>.*?)(?=<!-- end of measured -->)", re.S)
"""What stands between the two comments."""

MISSING = """\
Nothing is published for this version yet. `make bench` measures on your machine, in about twelve minutes, and writes
`benchmarks/results.json`; `python -m benchmarks.readme_table` makes this table of it.
"""


def main() -> None:
    """Rewrite the block in the README."""
    text = README.read_text(encoding="utf-8")
    if BLOCK.search(text) is None:
        sys.exit(f"{README.name} has no block between <!-- measured --> and <!-- end of measured -->.")
    README.write_text(BLOCK.sub(lambda _: table_of(RESULTS), text), encoding="utf-8")


def table_of(results: Path) -> str:
    """The block's text: the table of a measurement, or how to measure where there is none."""
    if not results.exists():
        return MISSING
    found = json.loads(results.read_text(encoding="utf-8"))
    table = f"{_sentence(found)}\n\n{_table(found['runs'])}\n"
    return f"{table}\n{_records(found['records'])}\n" if "records" in found else table


def _sentence(found: dict[str, Any]) -> str:
    machine = found["versions"]["machine"]
    database = found["versions"].get("database", {}).get("postgresql", "?")
    return (
        f"CPU time of the server per request in microseconds, medians over {found['rounds']} interleaved rounds, each\n"
        f"server pinned to one core (`make bench`; Python {machine['python']}, PostgreSQL {database}, "
        f"{machine['system']}).\n"
        f"In brackets: how many times as much as {SUBJECT}."
    )


def _table(runs: list[dict[str, Any]]) -> str:
    cpu = {(run["server"], run["work"]): run["cpu_microseconds"] for run in runs}
    servers, works = (list(dict.fromkeys(run[name] for run in runs)) for name in ("server", "work"))
    lines = [f"| server | {' | '.join(f'`{work}`' for work in works)} |", f"| --- |{' ---: |' * len(works)}"]
    lines += [f"| {server} | {' | '.join(_cell(cpu, server, work) for work in works)} |" for server in servers]
    return "\n".join(lines)


def _records(found: dict[str, Any]) -> str:
    cpu = found["cpu_microseconds"]
    lines = [
        f"What records cost a `one_row`, in the same unit, medians over {found['rounds']} rounds",
        "(`python -m benchmarks.records`): access lines to files, metrics and history of Gatepost; and structlog,",
        "prometheus-client and OpenTelemetry around the ceiling, wired the usual way.",
        "",
        "| records | without | with | what they add |",
        "| --- | ---: | ---: | ---: |",
    ]
    for name, without, with_ in (
        ("Gatepost's", "gatepost", "gatepost with records"),
        ("the usual ones", "usual", "usual with records"),
    ):
        bare, full = cpu[without], cpu[with_]
        lines.append(f"| {name} | {bare:.0f} | {full:.0f} | {full - bare:.0f} ({full / bare:.2f} times) |")
    return "\n".join(lines)


def _cell(cpu: dict[tuple[str, str], float], server: str, work: str) -> str:
    own, ours = cpu.get((server, work)), cpu.get((SUBJECT, work))
    if own is None:
        return ""
    return f"{own:.0f}" if server == SUBJECT or not ours else f"{own:.0f} ({own / ours:.1f})"


if __name__ == "__main__":
    main()
