"""Interleaved rounds: each server does each work in each round, so that a slow minute of the machine hits all alike.

Each round has new processes: where its memory happens to lie makes a process up to a tenth faster or slower than its
twin, for as long as it lives.
"""

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from benchmarks.database import Bookshop
from benchmarks.load import Load, run_load
from benchmarks.process import Process, cpu_seconds, resident_mib
from benchmarks.works import Work

# Node compiles what runs hot, and everybody prepares statements: the first seconds are nobody's usual speed.
WARM_UP_SECONDS, WARM_UP_FACTOR = 1.5, 3
LEAD_SECONDS = 0.2


@dataclass(frozen=True)
class Entrant:
    """A server that runs and conforms, with its own requests (its token may differ)."""

    name: str
    process: Process
    port: int
    token: str
    works: dict[str, Work]


@dataclass(frozen=True)
class Run:
    """What results.json holds for one server and one work: medians over the rounds."""

    server: str
    work: str
    requests_per_second: float
    cpu_microseconds: float
    database_cpu_microseconds: float
    p50_ms: float
    p99_ms: float
    rss_mib: float


def measure_round(
    entrants: Sequence[Entrant],
    names: Sequence[str],
    shop: Bookshop,
    *,
    number: int,
    seconds: float,
    progress: Callable[[str], None],
) -> list[Run]:
    """Warm everybody up, then measure each once; a wrong response raises BadResponse."""
    for entrant in entrants:
        for name in names:
            progress(f"round {number + 1}: warming up {entrant.name}, {name}")
            _once(entrant, entrant.works[name], shop, min(WARM_UP_SECONDS, WARM_UP_FACTOR * seconds))
    samples: list[Run] = []
    for name in names:
        # Each round begins with another server, so that none always follows the same one.
        for place in range(len(entrants)):
            entrant = entrants[(number + place) % len(entrants)]
            progress(f"round {number + 1}: {entrant.name}, {name}")
            samples.append(_once(entrant, entrant.works[name], shop, seconds))
    return samples


def medians(samples: Sequence[Run]) -> list[Run]:
    """One run for each server and work, in the order in which they first appear."""
    together: dict[tuple[str, str], list[Run]] = {}
    for sample in samples:
        together.setdefault((sample.server, sample.work), []).append(sample)
    return [_median(group) for group in together.values()]


def _once(entrant: Entrant, work: Work, shop: Bookshop, seconds: float) -> Run:
    run_load(entrant.port, work.requests, work.status, seconds=LEAD_SECONDS, contains=work.contains)
    cpu, database_cpu = cpu_seconds(entrant.process.pid), cpu_seconds(shop.pid)
    load = run_load(entrant.port, work.requests, work.status, seconds=seconds, contains=work.contains)
    cpu, database_cpu = cpu_seconds(entrant.process.pid) - cpu, cpu_seconds(shop.pid) - database_cpu
    run = _run(entrant, work, load, cpu, database_cpu)
    if work.writes:
        shop.tidy()
    return run


def _run(entrant: Entrant, work: Work, load: Load, cpu: float, database_cpu: float) -> Run:
    responses = len(load.latencies)
    return Run(
        server=entrant.name,
        work=work.name,
        requests_per_second=load.requests_per_second,
        cpu_microseconds=cpu / responses * 1e6,
        database_cpu_microseconds=database_cpu / responses * 1e6,
        p50_ms=load.percentile_ms(50),
        p99_ms=load.percentile_ms(99),
        rss_mib=resident_mib(entrant.process.pid),
    )


def _median(samples: Sequence[Run]) -> Run:
    def middle(name: str, digits: int) -> float:
        values: list[float] = [getattr(sample, name) for sample in samples]
        return round(statistics.median(values), digits)

    return Run(
        server=samples[0].server,
        work=samples[0].work,
        requests_per_second=middle("requests_per_second", 0),
        cpu_microseconds=middle("cpu_microseconds", 1),
        database_cpu_microseconds=middle("database_cpu_microseconds", 1),
        p50_ms=middle("p50_ms", 3),
        p99_ms=middle("p99_ms", 3),
        rss_mib=middle("rss_mib", 1),
    )
