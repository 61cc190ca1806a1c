"""CPU per request of servers at the shop: what the measurements beside `make bench` have in common."""

import argparse
import os
import tempfile
from collections.abc import Callable, Generator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from rich.console import Console

from benchmarks.database import Bookshop, bookshop
from benchmarks.load import run_load
from benchmarks.process import Process, cpu_seconds, free_port
from benchmarks.servers import ROOT, Server, Stage, migrate
from benchmarks.tokens import Keys


class Place(NamedTuple):
    """Where servers are measured: the shop, the keys of its users, a folder that is removed, and their core."""

    shop: Bookshop
    keys: Keys
    folder: Path
    core: int


@dataclass(frozen=True)
class Served:
    """A server that runs."""

    process: Process
    port: int
    made: Server

    def cost(self, requests: Sequence[bytes], seconds: float) -> float:
        """Microseconds of CPU per request, of as many as it serves in so long."""
        before = cpu_seconds(self.process.pid)
        load = run_load(self.port, requests, 200, seconds=seconds)
        return (cpu_seconds(self.process.pid) - before) / len(load.latencies) * 1e6


@contextmanager
def opened_shop(console: Console, serving: int, loading: int) -> Generator[Place]:
    """PostgreSQL with the shop, as long as the block lasts. It has the core of the load."""
    os.sched_setaffinity(0, {loading})
    with tempfile.TemporaryDirectory(prefix="gatepost-bench-") as name, ExitStack() as stack:
        folder = Path(name)
        keys = Keys.make(folder)
        with console.status("starting PostgreSQL, 100,000 books"):
            shop = stack.enter_context(bookshop(folder / "database", migrate))
        shop.tidy()
        yield Place(shop, keys, folder, serving)


def served(place: Place, server: Callable[[Stage], Server], app: str | None = None) -> AbstractContextManager[Served]:
    """A server while the block lasts, ready; `app` stands in place of the application that it has."""

    @contextmanager
    def run() -> Generator[Served]:
        stage = Stage(place.shop.dsn, place.folder, free_port())
        made = server(stage)
        command = [app if app and ":" in part and "." in part else part for part in made.command]
        log = place.folder / f"{app or server.__name__}-{stage.port}.log"
        with Process(command, made.environment, core=place.core, log=log, cwd=ROOT) as process:
            process.wait_until_ready(f"http://127.0.0.1:{stage.port}{made.ready_path}", lambda status: status < 500)
            yield Served(process, stage.port, made)

    return run()


def parser(module: str, text: str | None, *, rounds: int, seconds: float) -> argparse.ArgumentParser:
    """The options that all of them have."""
    made = argparse.ArgumentParser(prog=f"python -m benchmarks.{module}", description=text)
    made.add_argument("--rounds", type=int, default=rounds, help=f"measurements of each (default: {rounds})")
    made.add_argument("--seconds", type=float, default=seconds, help=f"length of one (default: {seconds:g})")
    return made
