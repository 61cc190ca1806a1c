"""The rule for overload in simulated operation. `tests_all/test_overload_mutants.py` shows that the same simulation
finds other rules wanting.

The letters and bounds are those of `python -m benchmarks.overload`, which measures the same for real. Costs are drawn
from half to twice what was measured, and arrivals come in clumps.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import pytest
from overload_simulation import (
    MICROSECONDS,
    MILLISECONDS,
    SECONDS,
    START,
    ClosedLoop,
    Costs,
    Make,
    OpenLoop,
    Simulation,
    per_second,
)

from gatepost.gateway.admission import AdmissionQueue
from gatepost.gateway.admission_rule import RULE, AdmissionRule

CHEAP, EXPENSIVE = 350 * MICROSECONDS, 2500 * MICROSECONDS

MEASURED = Costs(40 * MICROSECONDS, 30 * MICROSECONDS, CHEAP)


@dataclass(frozen=True)
class World:
    """Simulations of one draw of costs, with one rule."""

    costs: Costs
    make: Make = AdmissionQueue
    rule: AdmissionRule = RULE
    clumps: bool = True

    def server(self) -> Simulation:
        return Simulation(self.costs, "arrivals", make=self.make, rule=self.rule, clumps=self.clumps)

    def peak(self) -> float:
        """Responses per second where nobody waits long and nobody is refused."""
        server = Simulation(self.costs, "peak", clumps=False)
        clients = ClosedLoop(server, 32)
        server.run(1)
        return per_second(clients.responses, 0.5, 1)


def open_load(world: World, times: float) -> float:
    """(a), (b): the share of the peak that is served of so many times as much."""
    peak, server = world.peak(), world.server()
    clients = OpenLoop(server, peak * times)
    server.run(4)
    return per_second(clients.responses, 2, 4) / peak


def closed_loop_after_a_pause(world: World, count: int) -> float:
    """(c): from 5 s after a pause of 1 s, what is served against before it."""
    server = world.server()
    clients = ClosedLoop(server, count)
    server.run(1.5)
    server.pause(1)
    server.run(8.5)
    return per_second(clients.responses, 7.5, 8.5) / per_second(clients.responses, 0.5, 1.5)


def closed_loop(world: World, count: int) -> float:
    """(d): the share of the peak."""
    server = world.server()
    clients = ClosedLoop(server, count)
    server.run(4)
    return per_second(clients.responses, 2, 4) / world.peak()


def impatient(world: World, count: int) -> float:
    """(e): clients that give up after 300 ms and come back; the share of the peak that arrives before."""
    server = world.server()
    clients = ClosedLoop(server, count, patience=300 * MILLISECONDS)
    server.run(1)
    server.pause(1)
    server.run(5)
    return per_second(clients.responses, 3, 5) / world.peak()


def retried(world: World) -> float:
    """(f): first tries at 0.7 of the peak, retried at once until served, and a pause of 3 s; the share that is served
    15 s later, 0 where any are refused or the queue is not empty. With other costs than those measured, later in
    proportion to what the law says: the backlog, by the time that neither first tries nor retries take."""
    load, pause, costs = 0.7, 3, world.costs
    left = 1 - load - RULE.refusal_share * (1 + costs.weigh / costs.refuse)
    peak, server = world.peak(), world.server()
    clients = OpenLoop(server, peak * load, retries=True)
    end = 1 + pause + 1.3 * load * pause / left
    server.run(1)
    server.pause(pause)
    server.run(end)
    # What has come with the last clump may wait for a moment.
    is_over = not per_second(clients.refusals, end - 1, end) and server.queue.waiting < peak / 10
    return per_second(clients.responses, end - 1, end) / peak if is_over else 0.0


CASES: dict[str, tuple[int, Callable[[World], float], float]] = {
    "a": (EXPENSIVE, lambda world: open_load(world, 4), 0.85),
    "b": (CHEAP, lambda world: open_load(world, 2), 0.65),
    **{
        f"c {count}": (CHEAP, lambda world, count=count: closed_loop_after_a_pause(world, count), 0.9)
        for count in (64, 200, 400, 800, 1500)
    },
    "d": (CHEAP, lambda world: closed_loop(world, 1500), 0.85),
    "d, more": (CHEAP, lambda world: closed_loop(world, 5000), 0.75),
    "e": (CHEAP, lambda world: impatient(world, 800), 0.6),
    "e, more": (CHEAP, lambda world: impatient(world, 1500), 0.6),
    "f": (CHEAP, retried, 0.6),
}


@cache
def at_measured_costs(case: str) -> float:
    return CASES[case][1](World(MEASURED))


def least(case: str, costs: Costs) -> float:
    """The bound of a case. Of twice too many cheap requests no rule can serve more than the time that is left when all
    are weighed and some refused (here less a twentieth), whatever the bound says."""
    bound = CASES[case][2]
    if case != "b":
        return bound
    each = costs.weigh + costs.serve
    return min(bound, 0.95 * ((1 - RULE.refusal_share) * each - 2 * costs.weigh) / costs.serve)


@pytest.mark.parametrize("case", CASES)
def test_overload_ends_with_its_cause_whatever_requests_cost(case: str) -> None:
    serve, measure, _ = CASES[case]
    costs = Costs.draw(case, serve)
    assert measure(World(costs)) >= least(case, costs), costs


def test_expensive_requests_that_are_served_are_served_soon() -> None:
    """(a) where the reader does not starve; where it does, a request waits for the reader before the queue sees it."""
    world = World(Costs(MEASURED.weigh, MEASURED.refuse, EXPENSIVE), clumps=False)
    peak, p99 = world.peak(), []
    for times in (0.1, 4):
        server = world.server()
        clients = OpenLoop(server, peak * times)
        server.run(6)
        responses = zip(clients.responses, clients.latencies, strict=True)
        settled = sorted(latency for at, latency in responses if at > START + 2 * SECONDS)
        p99.append(settled[int(len(settled) * 0.99)])
    unloaded, overloaded = p99
    assert overloaded <= 3 * unloaded
