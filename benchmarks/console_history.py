"""A day of history in the records of an instance that has not started yet, as a busy one would have left it."""

import random
import time
from collections.abc import Callable
from pathlib import Path

from gatepost.metrics import families
from gatepost.metrics.region import Labels
from gatepost.metrics.sums import Histogram
from gatepost.monitor.history_records import STEP_SECONDS
from gatepost.monitor.longer_steps import SLOT_BYTES, LongerSteps
from gatepost.records.history import HistoryRing, KeptStep, StepSlots
from gatepost.records.record_files import SIZES, RecordFiles
from gatepost.records.step_fitting import fitted
from gatepost.records.steps import Gauge, Step

DAY_SECONDS = 86_400
OPERATIONS = 50
"""Of which each has requests in each step."""


def write_day(folder: Path) -> None:
    """Write that of a busy instance."""
    write_history(folder, random.Random(7), _step)


def write_history(folder: Path, chance: random.Random, make_step: Callable[[float, random.Random], Step]) -> None:
    """Write a day up to now into the folder of the instance's records: a step of each begin, in seconds since the
    epoch."""
    files = RecordFiles(folder)
    ring = HistoryRing(files.descriptor("history"), SIZES["history"])
    begin = time.time() // STEP_SECONDS * STEP_SECONDS - DAY_SECONDS
    for number in range(DAY_SECONDS // STEP_SECONDS):
        step = make_step(begin + number * STEP_SECONDS, chance)
        ring.write(KeptStep(number + 1, step.since, step.until, fitted(step, ring.data_bytes_max)))
    longer = LongerSteps(ring, StepSlots(files.descriptor("history_longer"), SIZES["history_longer"], SLOT_BYTES))
    while longer.make_next():
        pass
    files.close()


def _step(since: float, chance: random.Random) -> Step:
    step = Step(since, since + STEP_SECONDS)
    requests = step.histograms.setdefault(families.REQUEST_SECONDS.name, {})
    for number in range(OPERATIONS):
        labels: Labels = ("operation", f"resource_{number}.list"), ("class", "2xx")
        counts = {chance.randrange(60, 90): chance.randrange(1, 40) for _ in range(4)}
        requests[labels] = Histogram(counts, sum(counts.values()) * 0.004)
        for family, value in (
            (families.REQUEST_DATABASE_SECONDS, chance.random()),
            (families.RESPONSE_BYTES, chance.randrange(1_000, 90_000)),
        ):
            step.counters.setdefault(family.name, {})[labels] = value
        statement: Labels = (("statement", f"resource_{number}.list"),)
        for family, value in (
            (families.STATEMENTS, chance.randrange(1, 100)),
            (families.STATEMENT_SECONDS, chance.random()),
            (families.STATEMENT_ROWS, chance.randrange(1, 2_000)),
        ):
            step.counters.setdefault(family.name, {})[statement] = value
    step.gauges[families.IN_FLIGHT.name] = {(): Gauge(1, chance.randrange(9), 9.0)}
    return step
