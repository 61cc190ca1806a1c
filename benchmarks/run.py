"""`make bench`: Gatepost, its bare ceiling and its peers, measured in interleaved rounds."""

import argparse
import os
import sys
import tempfile
from collections.abc import Generator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from uuid import UUID

from rich.console import Console

from benchmarks.checks import NotConforming
from benchmarks.database import Bookshop, bookshop
from benchmarks.load import BadResponse
from benchmarks.measure import Entrant, Run, measure_round, medians
from benchmarks.process import Process, StartFailed, free_port
from benchmarks.report import RESULTS, print_runs, print_verdicts, wide_console, write_results
from benchmarks.servers import ROOT, SERVERS, Missing, Stage, tables_for
from benchmarks.tokens import Keys
from benchmarks.works import WORK_NAMES

EXAMPLES = """examples:
  python -m benchmarks.run                                     everything, about eleven minutes
  python -m benchmarks.run --servers gatepost,ceiling          only these two
  python -m benchmarks.run --work one_row --rounds 9           one work, more rounds
  python -m benchmarks.run --seconds 0.5 --rounds 3            a quick look
  python -m benchmarks.run --json -                            write no results

more to measure:
  python -m benchmarks.memory     resident memory over a million requests
  python -m benchmarks.paging     a page at depth 100,000 against the first
  python -m benchmarks.start      from the command to ready
  python -m benchmarks.records    what logs, metrics and history cost
  python -m benchmarks.metrics    what a page of metrics costs the monitor
  python -m benchmarks.console    what open consoles cost
  python -m benchmarks.endpoints  own endpoints and DTOs against what is derived
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and report; 1 where a server fails, 0 otherwise (a missed target is a result, not a failure)."""
    options = _parse(arguments)
    console = wide_console()
    serving, loading = cores()
    os.sched_setaffinity(0, {loading})  # the load, and the database that is started below, which inherits it
    try:
        with tempfile.TemporaryDirectory(prefix="gatepost-bench-") as folder, ExitStack() as stack:
            run(options, console, Path(folder), stack, serving)
    except (BadResponse, Missing, NotConforming, StartFailed) as error:
        console.print(f"[red]The run failed.[/] {error}", highlight=False)
        return 1
    return 0


def cores() -> tuple[int, int]:
    """The core of the servers, and the one of the load and the database."""
    usable = sorted(os.sched_getaffinity(0))
    if len(usable) < 2:
        sys.exit("Two cores are needed: one for the server, one for the load and the database.")
    return usable[0], usable[1]


@contextmanager
def single(name: str, console: Console) -> Generator[tuple[Entrant, Bookshop], None, None]:
    """One server on its own, for the other measurements: started, checked, and stopped at the end."""
    serving, loading = cores()
    os.sched_setaffinity(0, {loading})
    with tempfile.TemporaryDirectory(prefix="gatepost-bench-") as place, ExitStack() as stack:
        folder = Path(place)
        keys = Keys.make(folder)
        with console.status(f"starting PostgreSQL and {name}"):
            shop = stack.enter_context(bookshop(folder / "database", tables_for([name])))
            entrant, _ = enter(name, shop, keys, folder, stack=stack, core=serving)
            shop.tidy()
        yield entrant, shop


def run(options: argparse.Namespace, console: Console, folder: Path, stack: ExitStack, core: int) -> None:
    """Start the database and the servers, check them, measure them, report."""
    keys = Keys.make(folder)
    with console.status("starting PostgreSQL, 100,000 books"):
        shop = stack.enter_context(bookshop(folder / "database", tables_for(options.servers)))
    versions: dict[str, dict[str, str]] = {}
    servers = list(options.servers)
    samples: list[Run] = []
    with console.status("") as status:
        for number in range(options.rounds):
            with ExitStack() as round_stack:
                entrants: list[Entrant] = []
                for name in list(servers):
                    status.update(f"round {number + 1}: starting {name}")
                    try:
                        entrant, versions[name] = enter(name, shop, keys, folder, stack=round_stack, core=core)
                    except Missing as reason:
                        console.print(f"[yellow]{name} is skipped:[/] {reason}.", highlight=False)
                        servers.remove(name)
                        continue
                    entrants.append(entrant)
                shop.tidy()
                samples += measure_round(
                    entrants, options.work, shop, number=number, seconds=options.seconds, progress=status.update
                )
    runs = medians(sorted(samples, key=lambda sample: options.servers.index(sample.server)))
    print_runs(console, runs)
    print_verdicts(console, runs)
    if options.json != "-":
        versions["database"] = {"postgresql": str(shop.read("SHOW server_version")[0])}
        write_results(Path(options.json), runs, versions, options.rounds)
        console.print(f"Written to {options.json}.")


def enter(
    name: str, shop: Bookshop, keys: Keys, folder: Path, *, stack: ExitStack, core: int
) -> tuple[Entrant, dict[str, str]]:
    """Start one server, wait until it is ready, and check that it does the work."""
    stage = Stage(shop.dsn, folder, free_port())
    server = SERVERS[name](stage)

    def token(user_id: UUID) -> str:
        return keys.token(user_id, server.algorithm)

    log = folder / f"{name}.log"
    process = stack.enter_context(Process(server.command, server.environment, core=core, log=log, cwd=ROOT))
    process.wait_until_ready(f"http://127.0.0.1:{stage.port}{server.ready_path}", lambda status: status < 500)
    try:
        server.interface.conformance(stage.port, shop, token(shop.user_id), token(shop.stranger_id)).check()
    except NotConforming as failure:
        raise NotConforming(f"{name} does not do the work: {failure}\n{log.read_text()[-1500:]}") from failure
    editor = token(shop.user_id)
    return Entrant(name, process, stage.port, editor, server.interface.works(shop, editor)), dict(server.versions)


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.run",
        description=__doc__,
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    names, works_ = list(SERVERS), list(WORK_NAMES)
    parser.add_argument("--servers", type=choice(names), default=names, help=f"of {','.join(names)} (default: all)")
    parser.add_argument("--work", type=choice(works_), default=works_, help=f"of {','.join(works_)} (default: all)")
    parser.add_argument("--rounds", type=int, default=5, help="measurements of each server and work (default: 5)")
    parser.add_argument("--seconds", type=float, default=1.5, help="length of one measurement (default: 1.5)")
    parser.add_argument(
        "--json", default=str(RESULTS), help="where the results go, - for nowhere (default: results.json)"
    )
    return parser.parse_args(arguments)


class choice:  # noqa: N801
    """An argparse type: some of the names, comma separated."""

    def __init__(self, names: Sequence[str]) -> None:
        self._names = names

    def __call__(self, text: str) -> list[str]:
        wanted = text.split(",")
        if unknown := [name for name in wanted if name not in self._names]:
            raise argparse.ArgumentTypeError(f"unknown {', '.join(unknown)}; known are {', '.join(self._names)}")
        return wanted


if __name__ == "__main__":
    sys.exit(main())
