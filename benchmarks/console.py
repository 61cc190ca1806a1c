"""What open consoles cost: CPU of monitor and worker as shares of a core, under a light load, with no console, one and
five. Each asks for all that the pages Now and Traffic do, at their intervals. The history is a young one; with `--day`
it is a full one, and the pages show all of it."""

import http.client
import socket
import sys
import threading
import time
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import msgspec
import psutil  # type: ignore[import-untyped]
from rich.console import Console

from benchmarks.console_history import write_day
from benchmarks.costs import Place, Served, opened_shop, parser, served
from benchmarks.run import cores
from benchmarks.servers import Server, Stage, gatepost

SECONDS = 60.0
REQUESTS_A_SECOND = 50
CONSOLES = (0, 1, 5)
SHARES_MAX = {1: 0.02, 5: 0.04}
SETTLED_SHARE, SETTLING_SECONDS = 0.05, 300.0
"""What the monitor takes of a core once it has copied a day to the database, and how long that may take."""

POLLS: Mapping[str, float] = {
    "state": 5,
    "alerts": 10,
    "history?since=60s&step=30s": 15,
    "changes?since=3600s": 15,
    "traffic?since=3600s": 15,
    "heat?since=3600s": 30,
    "instances": 30,
    "application": 60,
    "history?since=600s&step=600s": 300,
}
"""What the two pages ask for, each so many seconds after the last time."""

DAY_POLLS: Mapping[str, float] = {
    "state": 5,
    "alerts": 10,
    "changes?since=86400s": 15,
    "instances": 30,
    "application": 60,
    "traffic?since=86400s": 60,
    "history?since=600s&step=600s": 300,
    "heat?since=86400s": 720,
    "history?since=1800s&step=1800s": 900,
}
"""The same where they show the last day."""

INSTANCE = "measured"


class AdminConnection(http.client.HTTPConnection):
    """HTTP to a Unix socket."""

    def __init__(self, path: Path) -> None:
        super().__init__("admin", timeout=30)
        self._path = path

    def connect(self) -> None:
        """Open it."""
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))


def page(path: Path, target: str) -> bytes:
    """What the admin listener responds. Raises OSError where it is anything but 200."""
    connection = AdminConnection(path)
    try:
        connection.request("GET", target)
        response = connection.getresponse()
        body = response.read()
    finally:
        connection.close()
    if response.status != 200:
        raise OSError(f"{target} responded {response.status}")
    return body


class Repeated(threading.Thread):
    """Something that is done again and again until the block is over, which raises what it raised."""

    def __init__(self) -> None:
        super().__init__()
        self.over = threading.Event()
        self.error: Exception | None = None

    def run(self) -> None:
        """Do it."""
        try:
            self.repeat()
        except Exception as error:
            self.error = error

    def repeat(self) -> None:
        """Override to do it until `over` is set."""
        raise NotImplementedError


class OpenConsole(Repeated):
    """A browser with the console open."""

    def __init__(self, path: Path, polls: Mapping[str, float]) -> None:
        super().__init__()
        self._path = path
        self._polls = polls

    def repeat(self) -> None:
        """Ask for what is due."""
        due = dict.fromkeys(self._polls, time.monotonic())
        while not self.over.wait(max(0.0, min(due.values()) - time.monotonic())):
            target = min(due, key=lambda each: due[each])
            page(self._path, f"/console/api/{target}")
            due[target] += self._polls[target]


class LightLoad(Repeated):
    """A client that reads books, so many times a second."""

    def __init__(self, place: Place, server: Served) -> None:
        super().__init__()
        self._port = server.port
        self._ids = place.shop.book_ids
        self._headers = {"authorization": f"Bearer {place.keys.token(place.shop.user_id, server.made.algorithm)}"}

    def repeat(self) -> None:
        """Read one after the other."""
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=30)
        number = 0
        while not self.over.wait(1 / REQUESTS_A_SECOND):
            number += 1
            connection.request("GET", f"/api/books/{self._ids[number % len(self._ids)]}", headers=self._headers)
            response = connection.getresponse()
            response.read()
            if response.status != 200:
                raise OSError(f"a book responded {response.status}")
        connection.close()


@contextmanager
def running(*threads: Repeated) -> Generator[None]:
    """These, as long as the block lasts."""
    for each in threads:
        each.start()
    try:
        yield
    finally:
        for each in threads:
            each.over.set()
        for each in threads:
            each.join()
    for each in threads:
        if each.error is not None:
            raise each.error


def with_monitor(stage: Stage) -> Server:
    """Gatepost with its records and an admin socket in the folder of the run."""
    made = gatepost(stage)
    told = {
        "GATEPOST_LOG": "none",
        "GATEPOST_LOG_FOLDER": str(stage.keys / "logs"),
        "GATEPOST_RECORDS_FOLDER": str(stage.keys / "records"),
        "GATEPOST_INSTANCE": INSTANCE,
        "GATEPOST_ADMIN_SOCKET": str(stage.keys / "admin.sock"),
    }
    return replace(made, environment={**made.environment, **told})


def seconds_used(master: int, socket_path: Path) -> tuple[float, float]:
    """CPU seconds so far: of the monitor, and of the workers."""
    workers = {each["pid"] for each in msgspec.json.decode(page(socket_path, "/readyz"))["workers"]}
    monitor = serving = 0.0
    for process in psutil.Process(master).children(recursive=True):
        times = process.cpu_times()
        if process.pid in workers:
            serving += times.user + times.system
        else:
            monitor += times.user + times.system
    return monitor, serving


def wait_until_settled(master: int, socket_path: Path) -> None:
    """Until the monitor has copied to the database what it lacks."""
    deadline = time.monotonic() + SETTLING_SECONDS
    while time.monotonic() < deadline:
        before, began = seconds_used(master, socket_path)[0], time.monotonic()
        time.sleep(5)
        if (seconds_used(master, socket_path)[0] - before) / (time.monotonic() - began) < SETTLED_SHARE:
            return


def measure(console: Console, place: Place, seconds: float, *, has_day: bool) -> dict[int, tuple[float, float]]:
    """By the number of consoles, the shares of a core that monitor and workers take."""
    found: dict[int, tuple[float, float]] = {}
    if has_day:
        with console.status("writing the history of a day"):
            write_day(place.folder / "records" / INSTANCE)
    polls = DAY_POLLS if has_day else POLLS
    with served(place, with_monitor) as server:
        path = place.folder / "admin.sock"
        if has_day:
            with console.status("waiting until it is in the database"):
                wait_until_settled(server.process.pid, path)
        with running(LightLoad(place, server)):
            for count in CONSOLES:
                with (
                    console.status(f"{count} consoles, {seconds:g} s"),
                    running(*(OpenConsole(path, polls) for _ in range(count))),
                ):
                    for target in polls:  # what pages ask for when they are opened is not counted
                        page(path, f"/console/api/{target}")
                    time.sleep(min(5.0, seconds))
                    before, began = seconds_used(server.process.pid, path), time.monotonic()
                    time.sleep(seconds)
                    after, took = seconds_used(server.process.pid, path), time.monotonic() - began
                found[count] = (after[0] - before[0]) / took, (after[1] - before[1]) / took
    return found


def report(console: Console, found: Mapping[int, tuple[float, float]]) -> None:
    """Print them, and whether the bounds are kept."""
    for count, (monitor, workers) in found.items():
        console.print(f"{count} consoles: monitor {monitor:.2%}, worker {workers:.2%} of a core", highlight=False)
    for count, most in SHARES_MAX.items():
        more = sum(found[count]) - sum(found[0])
        word = "reached" if more <= most else "missed"
        console.print(f"{word}: {count} open cost {more:.2%} of a core (at most {most:.0%})", highlight=False)


def main() -> int:
    """Measure and report. A missed bound is a result, not a failure."""
    made = parser("console", __doc__, rounds=1, seconds=SECONDS)
    made.add_argument("--day", action="store_true", help="with the history of a day, and pages that show all of it")
    options = made.parse_args()
    console = Console()
    with opened_shop(console, *cores()) as place:
        for _ in range(options.rounds):
            report(console, measure(console, place, options.seconds, has_day=options.day))
    return 0


if __name__ == "__main__":
    sys.exit(main())
