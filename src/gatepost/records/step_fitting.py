"""Steps in the room that there is: where there are too many series, some are added up. Off the request path."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from gatepost.metrics.families import FAMILIES
from gatepost.metrics.region import Labels
from gatepost.records.step_encoding import encoded, is_scaled
from gatepost.records.steps import Step, add_all

OTHER = "other"

_FULL = 0.97
"""Of the room: more series are not tried then."""
_KEPT_LABELS = frozenset({"class"})
_OWN_NAMES = frozenset(family.name for family in FAMILIES)


def fitted(step: Step, bytes_max: int) -> bytes:
    """The step in at most so many bytes. Where there are too many series, those with the least change are added up as
    `other`; the sums stay what they are."""
    data = encoded(step)
    if len(data) <= bytes_max:
        return data
    ranked = _ranked(step)
    keeps, too_many = 0, len(ranked)
    best = encoded(_folded(step, ranked))
    while too_many - keeps > 1:
        middle = (keeps + too_many) // 2
        data = encoded(_folded(step, ranked[middle:]))
        if len(data) <= bytes_max:
            keeps, best = middle, data
            if len(data) > _FULL * bytes_max:
                break
        else:
            too_many = middle
    if len(best) <= bytes_max:
        return best
    best = encoded(_without_own(_folded(step, ranked)))
    return best if len(best) <= bytes_max else encoded(Step(step.since, step.until, left_out=len(ranked)))


def _ranked(step: Step) -> list[Labels]:
    """The labels of all series: what failed, then operations, then others; of each those with the most change first."""
    changes: dict[Labels, float] = {}
    for name, series in step.counters.items():
        for labels, value in series.items():
            changes[labels] = max(changes.get(labels, 0), 0 if is_scaled(name) else value)
    for histograms in step.histograms.values():
        for labels, histogram in histograms.items():
            changes[labels] = max(changes.get(labels, 0), histogram.observations)
    for gauges in step.gauges.values():
        for labels in gauges:
            changes.setdefault(labels, 0)
    changes.pop((), None)
    requests = {labels for histograms in step.histograms.values() for labels in histograms}
    return sorted(
        changes, key=lambda labels: (("class", "5xx") not in labels, labels not in requests, -changes[labels], labels)
    )


def _folded(step: Step, folded: Iterable[Labels]) -> Step:
    """The step with these series added up as `other`."""
    others = {
        labels: tuple((key, value if key in _KEPT_LABELS else OTHER) for key, value in labels) for labels in folded
    }
    found = Step(step.since, step.until, left_out=step.left_out + len(others))
    for name, values in step.counters.items():
        counters = found.counters.setdefault(name, {})
        for labels, value in values.items():
            key = others.get(labels, labels)
            counters[key] = counters.get(key, 0) + value
    for name, histograms in step.histograms.items():
        for labels, histogram in histograms.items():
            add_all(found.histograms.setdefault(name, {}), {others.get(labels, labels): histogram})
    for name, gauges in step.gauges.items():
        for labels, gauge in gauges.items():
            add_all(found.gauges.setdefault(name, {}), {others.get(labels, labels): gauge})
    return found


def _without_own(step: Step) -> Step:
    """Without what the application counts by itself."""

    def kept(family: dict[str, Any]) -> dict[str, Any]:
        return {name: values for name, values in family.items() if name in _OWN_NAMES}

    return replace(step, counters=kept(step.counters), histograms=kept(step.histograms), gauges=kept(step.gauges))
