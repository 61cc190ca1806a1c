"""A server under load, simulated event by event around the real admission queue: clients, the HTTP library's reader and
a processor that weighs, serves and refuses requests at given costs. Nothing is read from the machine's clocks."""

import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from virtual_loop import VirtualLoop

from gatepost.errors import Overloaded
from gatepost.events import Events
from gatepost.gateway.admission import AdmissionQueue, Runtime
from gatepost.gateway.admission_rule import RULE, AdmissionRule
from gatepost.gateway.concurrency_limit import ConcurrencyLimit
from gatepost.gateway.queue_lanes import Admission
from gatepost.operations import RouteRules
from gatepost.settings import GateSettings

MICROSECONDS, MILLISECONDS, SECONDS = 1_000, 1_000_000, 1_000_000_000

START = 1 * SECONDS
"""When the virtual clock begins."""


RULES = RouteRules(pattern="/api/books")

Make = Callable[..., AdmissionQueue]
"""An admission queue by what its constructor takes: the real one, or one that follows another rule."""


@dataclass(frozen=True)
class Costs:
    """Processor time of one request in nanoseconds: to `weigh` it on arrival, to `refuse` it, to `serve` it."""

    weigh: int
    refuse: int
    serve: int

    @classmethod
    def draw(cls, seed: str, serve: int) -> "Costs":
        """What was measured, times 0.5 to 2. Weighing and refusing are work of one kind, and scale together."""
        rng = random.Random(seed)
        gate, work = (2 ** rng.uniform(-1, 1) for _ in range(2))
        return cls(int(40 * MICROSECONDS * gate), int(30 * MICROSECONDS * gate), int(serve * work))


class Visit:
    """A request, as far as the admission queue looks at it, and what its client makes of it."""

    __slots__ = (
        "admission",
        "client",
        "has_given_up",
        "headers",
        "rules",
        "sent",
    )

    def __init__(self, client: "Client", sent: int) -> None:
        self.client = client
        self.sent = sent
        self.admission = Admission(0)
        self.rules = RULES
        self.headers: dict[bytes, bytes] = {}
        self.has_given_up = False


class Client:
    """Sends requests to a server. `responses` are the moments at which those served arrived in time, `latencies` how
    long each took, `refusals` when others were refused."""

    def __init__(self, simulation: "Simulation") -> None:
        self.simulation = simulation
        self.rng = simulation.rng
        self.responses: list[int] = []
        self.latencies: list[int] = []
        self.refusals: list[int] = []

    def send(self, at: int, _: object = None) -> None:
        self.simulation.happen(at + self.travel(), self.simulation.arrive, Visit(self, at))

    def travel(self) -> int:
        """From one side to the other."""
        return int((50 + 100 * self.rng.random()) * MICROSECONDS)

    def responded(self, at: int, visit: Visit, served: bool) -> None:
        if served:
            self.responses.append(at)
            self.latencies.append(at - visit.sent)
        else:
            self.refusals.append(at)


class ClosedLoop(Client):
    """`count` clients that send the next request at once when the last has its response, a refusal or not. With
    `patience`, they give a request up after so long and come back, which the server does not notice."""

    def __init__(self, simulation: "Simulation", count: int, patience: int = 0) -> None:
        super().__init__(simulation)
        self._patience = patience
        for _ in range(count):
            simulation.happen(START + self.rng.randrange(20 * MILLISECONDS), self.send)

    def send(self, at: int, _: object = None) -> None:
        visit = Visit(self, at)
        self.simulation.happen(at + self.travel(), self.simulation.arrive, visit)
        if self._patience:
            self.simulation.happen(at + self._patience, self._give_up, visit)

    def responded(self, at: int, visit: Visit, served: bool) -> None:
        if not visit.has_given_up:
            visit.has_given_up = True  # its patience has no meaning any more
            super().responded(at, visit, served)
            self.send(at)

    def _give_up(self, at: int, visit: Visit) -> None:
        if not visit.has_given_up:
            visit.has_given_up = True
            self.send(at + 1 * MILLISECONDS)


class OpenLoop(Client):
    """First tries at a rate per second that follows from nothing; with `retries`, each refused one comes again at once,
    until it is served."""

    def __init__(self, simulation: "Simulation", rate: float, *, retries: bool = False) -> None:
        super().__init__(simulation)
        self._rate = rate
        self._retries = retries
        simulation.happen(START, self._try_first)

    def responded(self, at: int, visit: Visit, served: bool) -> None:
        super().responded(at, visit, served)
        if not served and self._retries:
            self.send(at)

    def _try_first(self, at: int) -> None:
        self.send(at)
        self.simulation.happen(at + int(self.rng.expovariate(self._rate) * SECONDS), self._try_first)


class Simulation:
    """A server with the admission queue that `make` gives. In `clumps`, the reader starves while the loop never sleeps:
    then it hands over nothing for 1 to 100 ms, and after that all at once."""

    def __init__(
        self, costs: Costs, seed: str, *, make: Make = AdmissionQueue, rule: AdmissionRule = RULE, clumps: bool = True
    ) -> None:
        self.rng = random.Random(seed)
        self._costs = costs
        self._clumps = clumps
        self._loop = loop = VirtualLoop(self._read)
        self.happen = loop.happen
        self._inbox: list[Visit] = []
        self._reads_at = 0
        self.queue: Any = make(
            GateSettings(queue_seconds=1.0, request_seconds=15.0),
            Events(),
            lambda call: False,
            concurrency=ConcurrencyLimit(rule, loop.cpu),
            runtime=Runtime(loop.clock, loop.as_loop, lambda: None),
        )

    def run(self, seconds: float) -> None:
        """Until so long after the start."""
        self._loop.run_until(START + int(seconds * SECONDS))

    def pause(self, seconds: float) -> None:
        """The process is stopped, and the world goes on."""
        self._loop.now += int(seconds * SECONDS)

    def arrive(self, at: int, visit: Visit) -> None:
        """A request has come to the machine."""
        self._inbox.append(visit)

    def _read(self, slept: bool) -> None:
        now = self._loop.now
        if self._inbox and (slept or now >= self._reads_at):
            for visit in self._inbox:
                self._loop.call_soon(self._weigh, visit)
            self._inbox.clear()
            self._reads_at = now + (int(10 ** self.rng.uniform(6, 8)) if self._clumps else 0)

    def _weigh(self, visit: Visit) -> None:
        visit.admission = Admission(self._loop.now)
        self._loop.spend(self._costs.weigh)
        try:
            admitted = self.queue.admit(visit, visit.admission)
        except Overloaded:
            self._refuse(visit)
            return
        if admitted is None:
            self._serve(visit)
        else:
            admitted.add_done_callback(lambda future: self._refuse(visit) if future.exception() else self._serve(visit))

    def _serve(self, visit: Visit) -> None:
        """Most of the work, the database's response, the rest."""
        self._loop.spend(self._costs.serve * 3 // 4)
        self._loop.call_later(self.rng.uniform(0.0002, 0.001), self._finish, visit)

    def _finish(self, visit: Visit) -> None:
        self._loop.spend(self._costs.serve // 4)
        self.queue.leave(visit.admission)
        self._respond(visit, served=True)

    def _refuse(self, visit: Visit) -> None:
        self._loop.spend(self._costs.refuse)
        self._respond(visit, served=False)

    def _respond(self, visit: Visit, *, served: bool) -> None:
        client = visit.client
        self.happen(self._loop.now + client.travel(), client.responded, visit, served)


def per_second(moments: Iterable[int], since: float, until: float) -> float:
    """How many of these moments, a second, lie between so many seconds after the start."""
    first, last = START + since * SECONDS, START + until * SECONDS
    return sum(first <= moment < last for moment in moments) / (until - since)
