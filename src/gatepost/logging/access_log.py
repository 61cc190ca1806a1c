"""The access log: which requests have a line, of which level, and how many lines there were.

The subscriber of `RequestFinished`: it runs on the request path, `access.py` makes the lines in the writer's thread.
"""

import itertools
from collections.abc import Callable, Iterable, Mapping
from logging import DEBUG, INFO
from typing import NamedTuple

from gatepost.events import RequestFinished
from gatepost.logging.access import is_error
from gatepost.logging.lines import Category

Keep = Callable[[RequestFinished], None]


class Keepers(NamedTuple):
    """What takes the events of one output, by the level of their lines."""

    debug: Keep
    info: Keep
    error: Keep


class AccessLog:
    """The access lines of a process. `levels` has the lowest level of each category that is written; of `sample`
    lines with a status below 400 one is.

    A successful probe has a line of level debug, whatever the sample: load balancers send several a second, which would
    fill the log. A failed one has the line of any other request, and so has the first that succeeds after it, so that
    every change of readiness is in the log.
    """

    def __init__(self, levels: Mapping[Category, int], sample: int) -> None:
        self._levels = levels
        self._sample = sample
        self._probes: set[str] = set()
        self._written = [0, 0, 0]  # of level debug, info and error

    def mark_probes(self, routes: Iterable[str]) -> None:
        """Take these routes for probes from now on."""
        self._probes.update(routes)

    def readings(self) -> dict[str, float]:
        """How many lines were written, by level."""
        debug, info, error = self._written
        return {"access_debug_lines": debug, "access_lines": info, "access_errors": error}

    def subscriber(self, keepers: Keepers, *, is_counted: bool) -> Keep:
        """What gives the events of requests to an output. Its lines are counted where they are the process's first."""
        keep_debug, keep, keep_error = keepers
        levels, sample, probes = self._levels, self._sample, self._probes
        written = self._written if is_counted else [0, 0, 0]
        numbers = itertools.count()
        outcomes = _ProbeOutcomes()

        def keep_wanted(event: RequestFinished) -> None:
            status = event.status
            if status >= 500 and is_error(event):
                written[2] += 1
                keep_error(event)
                if event.route in probes:
                    outcomes.fail(event.route)
                return
            if event.route in probes and outcomes.is_routine(event):
                if levels["access"] <= DEBUG:
                    written[0] += 1
                    keep_debug(event)
                return
            if levels["access"] > INFO or (sample > 1 and status < 400 and next(numbers) % sample):
                return
            written[1] += 1
            keep(event)

        return keep_wanted


class _ProbeOutcomes:
    """Which probes failed when they were last sent."""

    def __init__(self) -> None:
        self._failed: set[str] = set()

    def fail(self, route: str) -> None:
        self._failed.add(route)

    def is_routine(self, event: RequestFinished) -> bool:
        """Whether a request to a probe succeeded as the one before it did."""
        if event.status >= 400 or event.method not in {"GET", "HEAD"}:
            return False
        if event.route in self._failed:
            self._failed.discard(event.route)
            return False
        return True
