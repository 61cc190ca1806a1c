"""What the gate adds to a one-line application on Granian, in CPU time of the server per request.

`alone` is the application; the others have the whole gate in front (`gate_apps.py` says what that is) and differ in
where the buckets are. Every request comes from another origin that CORS admits. One client means one bucket, as in
`make bench`; with many clients each is one of 2,000 behind a trusted proxy, and a lease serves few requests.
"""

import statistics
import tempfile
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from tests.valkey_server import ValkeyServer

from benchmarks.gate_apps import ORIGIN
from benchmarks.gate_figures import Figure
from benchmarks.gate_wire import Wire
from benchmarks.load import run_load
from benchmarks.process import Process, cpu_seconds, free_port
from benchmarks.servers import BIN, GRANIAN, ROOT
from benchmarks.works import request_bytes

SHARE_MAX = 0.75
"""The whole gate in memory: so much of the application alone, on top of it."""

VALKEY_MAX = 1.2
"""What the gate adds with Valkey, against what it adds with buckets in memory, as `gatepost serve` has them."""

WARM_UP_SECONDS = 1.0
LEAD_SECONDS = 0.2
CLIENTS = 2000
ONE, MANY = "one client", f"{CLIENTS:,} clients"


@dataclass(frozen=True)
class Entrant:
    """A factory of `gate_apps.py`, and whether its clients are many."""

    app: str
    clients: str

    @property
    def requests(self) -> list[bytes]:
        """What it is sent."""
        if self.clients == ONE:
            return [request_bytes("GET", "/", None, Origin=ORIGIN)] * 16
        names = (f"2001:db8:{number:x}::1" for number in range(CLIENTS))
        return [request_bytes("GET", "/", None, **{"Origin": ORIGIN, "X-Forwarded-For": name}) for name in names]


ENTRANTS = [Entrant(app, ONE) for app in ("alone", "private", "shared", "valkey")]
ENTRANTS += [Entrant(app, MANY) for app in ("alone", "shared", "valkey")]


def measure_serving(rounds: int, seconds: float, core: int, progress: Callable[[str], None]) -> list[Figure]:
    """Start everybody anew in each round, measure each once, and take medians of what a round says."""
    samples: list[dict[Entrant, float]] = []
    asked: list[float] = []
    with tempfile.TemporaryDirectory(prefix="gatepost-bench-") as folder, ValkeyServer() as server:
        for number in range(rounds):
            sample: dict[Entrant, float] = {}
            for place in range(len(ENTRANTS)):
                entrant = ENTRANTS[(number + place) % len(ENTRANTS)]
                progress(f"serving, round {number + 1} of {rounds}: {entrant.app}, {entrant.clients}")
                cpu, questions = _measure(entrant, server, Path(folder), seconds, core)
                sample[entrant] = cpu
                if entrant == Entrant("valkey", MANY):
                    asked.append(questions)
            samples.append(sample)
    return _figures(samples, asked)


def _measure(entrant: Entrant, server: ValkeyServer, folder: Path, seconds: float, core: int) -> tuple[float, float]:
    """CPU microseconds of a request, and questions to the Valkey per request."""
    port = free_port()
    command = [
        *(str(BIN / "granian"), "--interface", "asginl", *GRANIAN, "--factory"),
        *("--host", "127.0.0.1", "--port", str(port), f"benchmarks.gate_apps:{entrant.app}"),
    ]
    environment = {"PYTHONPATH": str(ROOT), "VALKEY_URL": server.url}
    if entrant.clients == MANY:
        environment["BEHIND_A_PROXY"] = "yes"
    with ExitStack() as stack:
        wire = stack.enter_context(Wire(server))
        asked_before = wire.scripts_run()
        process = stack.enter_context(
            Process(command, environment, core=core, log=folder / f"{entrant.app}.log", cwd=ROOT)
        )
        process.wait_until_ready(f"http://127.0.0.1:{port}/", lambda status: status == 200)
        requests = entrant.requests
        run_load(port, requests, 200, seconds=WARM_UP_SECONDS)
        run_load(port, requests, 200, seconds=LEAD_SECONDS)
        if entrant.app == "valkey" and wire.scripts_run() == asked_before:
            raise RuntimeError("The Valkey was asked nothing: something else was measured.")
        cpu, questions = cpu_seconds(process.pid), wire.scripts_run()
        responses = len(run_load(port, requests, 200, seconds=seconds).latencies)
        cpu, questions = cpu_seconds(process.pid) - cpu, wire.scripts_run() - questions
    return cpu / responses * 1e6, questions / responses


def _figures(samples: Sequence[dict[Entrant, float]], asked: Sequence[float]) -> list[Figure]:
    def middle(of: Callable[[dict[Entrant, float]], float]) -> float:
        return round(statistics.median(of(sample) for sample in samples), 3)

    def added(app: str, clients: str) -> float:
        alone = Entrant("alone", clients)
        return middle(lambda sample: (sample[Entrant(app, clients)] - sample[alone]) / sample[alone])

    def against_shared(clients: str) -> float:
        alone, valkey, shared = (Entrant(app, clients) for app in ("alone", "valkey", "shared"))
        return middle(lambda sample: (sample[valkey] - sample[alone]) / (sample[shared] - sample[alone]))

    part = "The gate around a one-line application: CPU of the server per request"
    return [
        *(
            Figure(part, f"{entrant.app}, {entrant.clients}", middle(lambda sample: sample[entrant]), "us")  # noqa: B023
            for entrant in ENTRANTS
        ),
        Figure(part, "added by the gate, buckets of the process", added("private", ONE), "x", SHARE_MAX),
        Figure(part, "added by the gate, shared buckets with leases", added("shared", ONE), "x", SHARE_MAX),
        Figure(
            part, "what it adds with Valkey and leases, against shared buckets", against_shared(ONE), "x", VALKEY_MAX
        ),
        Figure(part, f"the same, {MANY}", against_shared(MANY), "x"),
        Figure(part, "questions to the Valkey per request then", round(statistics.median(asked), 3), "x"),
    ]
