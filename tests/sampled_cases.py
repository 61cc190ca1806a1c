"""Samples of large tables of cases: `make test` tries some of them, others at each run, and `make soak` tries all.

A sample is a covering array (Kuhn, Kacker and Lei, "Practical Combinatorial Testing", NIST SP 800-142): one of strength
1 has each value of each dimension, one of strength 2 each pair of values, as far as the table has them. The seed of
pytest-randomly draws it: `SEED=number` repeats it. A case that is asked for by its id is always tried.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from itertools import combinations
from random import Random
from typing import Any, TypeVar

import pytest

Item = TypeVar("Item")
Case = TypeVar("Case", bound=Sequence[Any])


def covering_sample(cases: Iterable[Case], strength: int, chance: Random) -> list[Case]:
    """Some of the cases, in their order, which together have each combination of `strength` values that occurs."""
    known = list(cases)
    combined = [_combinations(case, min(strength, len(case))) for case in known]
    order = chance.sample(range(len(known)), len(known))
    seen: set[Any] = set()
    taken: set[int] = set()
    for gain in range(max(map(len, combined), default=0), 0, -1):  # first those that add the most
        for number in order:
            if len(combined[number] - seen) >= gain:
                seen |= combined[number]
                taken.add(number)
    return [case for number, case in enumerate(known) if number in taken]


def _combinations(case: Sequence[Any], strength: int) -> set[Any]:
    return set(combinations(((place, repr(value)) for place, value in enumerate(case)), strength))


class SampledCases:
    """Samples that a seed draws; without one, all cases."""

    def __init__(self, seed: str | None) -> None:
        self._chance = None if seed is None else Random(seed)

    def covering(self, cases: Iterable[Case], *, strength: int) -> list[Case]:
        """Cases that together have each combination of `strength` values."""
        return list(cases) if self._chance is None else covering_sample(cases, strength, self._chance)

    def some(self, cases: Iterable[Item], count: int) -> list[Item]:
        """So many of the cases, in their order."""
        known = list(cases)
        if self._chance is None or count >= len(known):
            return known
        return [known[number] for number in sorted(self._chance.sample(range(len(known)), count))]


def left_out(items: Iterable[pytest.Item], seed: object) -> set[pytest.Item]:
    """The cases of tests marked `sampled(strength=1)` or `sampled(count=3)` that a seed does not draw."""
    tables: dict[str, list[Any]] = defaultdict(list)
    for item in items:
        mark = item.get_closest_marker("sampled")
        if mark is not None and mark.kwargs:
            tables[item.nodeid.partition("[")[0]].append(item)
    return {item for name, table in tables.items() for item in _left_out_of(table, SampledCases(f"{seed} {name}"))}


def _left_out_of(table: list[Any], cases: SampledCases) -> set[pytest.Item]:
    table.sort(key=lambda item: str(item.nodeid))
    how = table[0].get_closest_marker("sampled").kwargs
    if "count" in how:
        return set(table) - set(cases.some(table, how["count"]))
    by_values = {
        tuple((name, repr(value)) for name, value in sorted(item.callspec.params.items())): item for item in table
    }
    return set(table) - {by_values[values] for values in cases.covering(by_values, strength=how["strength"])}
