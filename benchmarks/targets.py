"""The targets of the project for the CPU that Gatepost's server spends on a request, as ratios to the others."""

from collections.abc import Iterable
from dataclasses import dataclass

from benchmarks.measure import Run

SUBJECT = "gatepost"
# Gatepost's CPU divided by the other's may be this at most.
RATIOS_MAX = {
    ("ceiling", "one_row"): 1.25,
    ("ceiling", "page_50"): 1.25,
    ("ceiling", "create"): 1.35,
    ("ceiling", "patch"): 1.35,
    ("fastapi", "one_row"): 1 / 8,
    ("fastapi", "page_50"): 1 / 6,
    ("fastapi", "create"): 1 / 5,
    ("fastapi", "patch"): 1 / 5,
    ("express", "one_row"): 1 / 7,
    ("express", "page_50"): 1 / 3,
    ("fastify", "one_row"): 0.8,
    ("fastify", "page_50"): 0.7,
}


@dataclass(frozen=True)
class Verdict:
    """One line of the table of targets."""

    other: str
    work: str
    ratio: float
    ratio_max: float

    @property
    def reached(self) -> bool:
        """True where Gatepost is within the target."""
        return self.ratio <= self.ratio_max


def verdicts(runs: Iterable[Run]) -> list[Verdict]:
    """Every target that these runs can tell about."""
    cpu = {(run.server, run.work): run.cpu_microseconds for run in runs}
    return [
        Verdict(other, work, cpu[SUBJECT, work] / cpu[other, work], ratio_max)
        for (other, work), ratio_max in RATIOS_MAX.items()
        if (SUBJECT, work) in cpu and (other, work) in cpu
    ]
