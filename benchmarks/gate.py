"""What the gate costs: around an application, in a Valkey, in memory, and per decision of the limiter."""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.gate_decisions import measure_decisions
from benchmarks.gate_figures import RESULTS, Figure, print_figures, write_figures
from benchmarks.gate_memory import measure_memory
from benchmarks.gate_script import measure_script
from benchmarks.gate_serving import measure_serving
from benchmarks.load import BadResponse
from benchmarks.process import StartFailed
from benchmarks.report import wide_console
from benchmarks.run import choice, cores

PARTS = ("serving", "script", "memory", "decisions")
EXAMPLES = """examples:
  python -m benchmarks.gate                              everything, about five minutes
  python -m benchmarks.gate --parts serving --rounds 9   only the gate around an application, more rounds
  python -m benchmarks.gate --seconds 0.5 --rounds 3     a quick look
  python -m benchmarks.gate --json -                     write no results

parts:
  serving     the gate around a one-line application on Granian; buckets in memory, and in a Valkey
  script      a decision in a Valkey against a counter
  memory      a million idle keys, in memory and in a Valkey
  decisions   a decision in process

Results are written where all parts were measured.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and report; 1 where something fails, 0 otherwise (a missed target is a result, not a failure)."""
    options = _parse(arguments)
    console = wide_console()
    serving, loading = cores()
    os.sched_setaffinity(0, {loading})
    try:
        with console.status("") as status:
            figures: list[Figure] = []
            if "serving" in options.parts:
                figures += measure_serving(options.rounds, options.seconds, serving, status.update)
            if "script" in options.parts:
                figures += measure_script(options.rounds, serving, status.update)
            if "memory" in options.parts:
                figures += measure_memory(status.update)
            if "decisions" in options.parts:
                figures += measure_decisions(options.rounds, status.update)
    except (BadResponse, RuntimeError, StartFailed) as error:
        console.print(f"[red]The run failed.[/] {error}", highlight=False)
        return 1
    print_figures(console, figures)
    if options.json != "-" and set(options.parts) == set(PARTS):
        write_figures(Path(options.json), figures, options.rounds)
        console.print(f"Written to {options.json}.")
    return 0


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.gate",
        description=__doc__,
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parts = list(PARTS)
    parser.add_argument("--parts", type=choice(parts), default=parts, help=f"of {','.join(parts)} (default: all)")
    parser.add_argument("--rounds", type=int, default=7, help="measurements of each (default: 7)")
    parser.add_argument("--seconds", type=float, default=1.5, help="length of one with a server (default: 1.5)")
    parser.add_argument(
        "--json", default=str(RESULTS), help="where the results go, - for nowhere (default: gate_results.json)"
    )
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
