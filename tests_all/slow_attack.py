"""slowhttptest as an attacker, and honest clients whose waiting is measured meanwhile."""

import asyncio
import re
import subprocess
import time
from statistics import median
from typing import NamedTuple

import psutil

CONNECTIONS = 200
CONNECTIONS_PER_SECOND = 200
SETTLING_SECONDS = 1.0
"""From the last connection on: until they hang, their requests are work like that of others."""

WINDOW_SECONDS = 2.0
ATTACK_SECONDS = 30
CLIENTS = 4
PAUSE_SECONDS = 0.004
RATIO_MAX = 1.5
ROUNDS_MIN, ROUNDS_MAX = 3, 11
"""A p99 of one window is noise on a machine that does other things, too; the median of several is not."""

HEAD = ["-H", "-i", "1", "-x", "24"]
BODY = ["-B", "-t", "POST", "-f", "application/json", "-s", "8192", "-i", "1", "-x", "24"]
READ = ["-X", "-k", "1", "-n", "1", "-z", "32", "-w", "64", "-y", "128"]
"""The three attacks: heads and bodies that come in drops and never end, responses that are read in drops."""

_COLOURS = re.compile(r"\x1b\[[0-9;]*[a-zA-Z]")
_COUNTS = re.compile(r"^(connected|closed|error): +(\d+)$", re.M)


class Attack:
    """One run of slowhttptest, for as long as the block takes. It looks at each connection all the time, and would sit
    on another machine: where honest clients are measured, `niceness` leaves it what they do not take."""

    def __init__(self, options: list[str], url: str, *, niceness: int = 0) -> None:
        command = ["nice", "-n", str(niceness), "slowhttptest", *options, "-u", url, "-l", str(ATTACK_SECONDS)]
        command += ["-c", str(CONNECTIONS), "-r", str(CONNECTIONS_PER_SECOND)]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    def __enter__(self) -> "Attack":
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.communicate()

    @property
    def connected(self) -> int:
        """How many connections it holds; one more may be its own look at whether others are served."""
        held = psutil.Process(self._process.pid).net_connections("tcp")
        return sum(connection.status == psutil.CONN_ESTABLISHED for connection in held)

    def settle(self) -> None:
        """Wait until all of them hang."""
        deadline = time.monotonic() + ATTACK_SECONDS
        while self.connected < CONNECTIONS:
            assert time.monotonic() < deadline, "it does not come to stand"
            time.sleep(0.05)
        time.sleep(SETTLING_SECONDS)

    def end(self) -> "Verdict":
        """What it says at its end, to which it comes by itself."""
        said = _COLOURS.sub("", self._process.communicate(timeout=3 * ATTACK_SECONDS)[0])
        last = {name: int(number) for name, number in _COUNTS.findall(said)}
        return Verdict(last["connected"] + last["closed"], last["error"], said.partition("Exit status:")[2].strip())


class Verdict(NamedTuple):
    """How an attack ended: the connections that were established, those that failed, and what ended it."""

    established: int
    failed: int
    exit_status: str


async def waits(port: int, path: str, seconds: float) -> list[float]:
    """How long each of the honest clients' requests took, on kept connections. Every response has to be 200."""
    taken: list[float] = []
    until = time.perf_counter() + seconds
    request = f"GET {path} HTTP/1.1\r\nhost: x\r\n\r\n".encode()

    async def client() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        while time.perf_counter() < until:
            began = time.perf_counter()
            writer.write(request)
            head = (await reader.readuntil(b"\r\n\r\n")).lower()
            assert head.startswith(b"http/1.1 200"), head
            await reader.readexactly(int(head.partition(b"content-length: ")[2].partition(b"\r")[0]))
            taken.append(time.perf_counter() - began)
            await asyncio.sleep(PAUSE_SECONDS)
        writer.close()

    async with asyncio.TaskGroup() as clients:
        for _ in range(CLIENTS):
            clients.create_task(client())
    return taken


def p99(port: int, path: str) -> float:
    """The 99th percentile of one window, in seconds."""
    taken = sorted(asyncio.run(asyncio.wait_for(waits(port, path, WINDOW_SECONDS), 60)))
    assert len(taken) > 200, "too few to speak of a p99"
    return taken[len(taken) * 99 // 100]


def compare(port: int, path: str, options: list[str], url: str) -> float:
    """How many times as long the p99 is under attack, quiet and attacked windows by turns.

    Goes on after ROUNDS_MIN only while the ratio is too high: the more windows, the less a neighbour's noise weighs. A
    window at whose end the attack no longer stands, on a machine so busy that it was late, does not count.
    """
    quiet: list[float] = []
    attacked: list[float] = []
    for _ in range(ROUNDS_MAX):
        before = p99(port, path)
        with Attack(options, url, niceness=19) as attack:
            attack.settle()
            meanwhile = p99(port, path)
            if attack.connected < CONNECTIONS:
                continue
        quiet.append(before)
        attacked.append(meanwhile)
        if len(quiet) >= ROUNDS_MIN and median(attacked) <= RATIO_MAX * median(quiet):
            break
    assert len(quiet) >= ROUNDS_MIN, "the attack was what it is meant to be"
    return median(attacked) / median(quiet)
