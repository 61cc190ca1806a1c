"""What is wrong at an instance, judged by its workers and by what the last while has counted."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Literal, NamedTuple

from gatepost.console.console_files import CHANGE_OPERATION, DATA_OPERATION
from gatepost.metrics import families
from gatepost.metrics.families import Family
from gatepost.monitor.windows import Window
from gatepost.monitor.workers import Worker
from gatepost.records.steps import Step

ERRORS_MIN = 5
"""Fewer failed requests say nothing about the instance."""
ERROR_SHARE_MAX = 0.01

Status = Literal["ok", "degraded", "down"]

COUNTED: Mapping[str, Family] = {
    "unexpected_errors": families.UNKNOWN_ERRORS,
    "worker_deaths": families.WORKER_DEATHS,
    "shed": families.SHED,
}
"""What is a problem as soon as it is counted."""

_LOOKING = frozenset({DATA_OPERATION, CHANGE_OPERATION})
"""A request for the data of a silent instance gets a 503, which is not a failure of this one."""


class Failing(NamedTuple):
    """Requests that fail: `failures` of them, which are a `share` of those of this operation (None: of all), with this
    code."""

    operation: str | None
    share: float
    code: str
    failures: int

    def sentence(self, route_of: Callable[[str], str]) -> str:
        """`3.2 % of `POST /api/orders` answer `database_timeout`.`"""
        of = "the requests" if self.operation is None else f"`{route_of(self.operation)}`"
        return f"{shown_share(self.share)} of {of} answer `{self.code}`."


class Problems(NamedTuple):
    """A sentence for each, the worst first, and what that amounts to. `is_present` says that one of them is so at this
    moment, whatever has been counted."""

    sentences: Sequence[str]
    status: Status
    failing: Failing | None
    is_present: bool


def problems_of(
    workers: Sequence[Worker], window: Window, route_of: Callable[[str], str] = lambda operation: operation
) -> Problems:
    """What is wrong with these workers in this while. `route_of` says how operations are shown."""
    found: list[str] = []
    gauges = window.gauges
    ready = [worker for worker in workers if worker.is_ready and worker.is_alive]
    if not workers:
        found.append("No worker runs.")
    elif not ready:
        found.append("No worker is ready.")
    status: Status = "down" if found else "ok"
    if workers and gauges.get("database_reachable", len(workers)) < max(1, len(ready)):
        found.insert(0, "The database cannot be reached.")
    found += [
        f"Worker {worker.pid} has not reported for {worker.silent_seconds:.0f} s."
        for worker in workers
        if not worker.is_alive
    ]
    if ready and len(ready) < len(workers):
        found.append(f"{len(workers) - len(ready)} of {len(workers)} workers are not ready.")
    waiting = gauges.get("pool_waiting", 0)
    is_present = bool(found or waiting)
    failing = failing_in(window.step)
    if failing is not None:
        found.append(failing.sentence(route_of))
    counted = {name: window.total(family) for name, family in COUNTED.items()}
    if counted["unexpected_errors"]:
        found.append(f"Unexpected errors: {counted['unexpected_errors']:.0f}; see `gatepost errors list`.")
    if counted["worker_deaths"]:
        found.append(f"Workers that died: {counted['worker_deaths']:.0f}; see `gatepost logs --level error`.")
    if counted["shed"]:
        found.append(f"{counted['shed']:.0f} requests were refused because of overload.")
    if waiting:
        found.append(f"{waiting:.0f} requests wait for a connection to the database.")
    return Problems(found, status if status == "down" or not found else "degraded", failing, is_present)


def failing_in(step: Step, errors_min: int = ERRORS_MIN) -> Failing | None:
    """Which requests fail: those of the operation with the most failures, or all where several operations share them.
    None where they are too few, of all requests as of each operation's."""
    requests: Counter[str] = Counter()
    failed: Counter[str] = Counter()
    for ((_, operation), (_, status)), histogram in step.histograms.get(families.REQUEST_SECONDS.name, {}).items():
        if operation in _LOOKING:
            continue
        requests[operation] += histogram.observations
        if status == "5xx":
            failed[operation] += histogram.observations
    codes: Counter[tuple[str, str]] = Counter()
    for ((_, operation), (_, code)), count in step.counters.get(families.FAILURES.name, {}).items():
        if operation in _LOOKING:
            continue
        codes[operation, code] += round(count)
    return _most(
        [
            (None, requests.total(), failed.total()),
            *((operation, requests[operation], count) for operation, count in failed.most_common()),
        ],
        codes,
        errors_min,
    )


def _most(
    candidates: Sequence[tuple[str | None, int, int]], codes: Mapping[tuple[str, str], int], errors_min: int
) -> Failing | None:
    bad = {
        operation: (total, count)
        for operation, total, count in candidates
        if count >= errors_min and count / total >= ERROR_SHARE_MAX
    }
    if not bad:
        return None
    by_operation = [each for each in bad if each is not None]
    worst: str | None = max(by_operation, key=lambda each: bad[each][1]) if by_operation else None
    if worst is not None and None in bad and bad[worst][1] * 2 <= bad[None][1]:
        worst = None
    total, count = bad[worst]
    of: Counter[str] = Counter()
    for (operation, code), number in codes.items():
        if worst in {None, operation}:
            of[code] += number
    code, number = of.most_common(1)[0] if of else ("5xx", count)
    return Failing(worst, min(number, count) / total, code, count)


def has_trouble(step: Step) -> bool:
    """Whether anything has failed within a step, however little: where what is wrong may have begun."""
    failing = failing_in(step, errors_min=1)
    return failing is not None or any(sum(step.counters.get(family.name, {}).values()) for family in COUNTED.values())


def shown_share(share: float) -> str:
    """`3.2 %`."""
    return f"{100 * share:.2g} %" if share < 0.995 else "100 %"
