"""When an objective is an alert: how fast it uses up the bad requests that it allows, over two windows at once.

The windows and rates are those of Google's SRE Workbook, chapter 5, "Alerting on SLOs", table 5-8 (30 days):
https://sre.google/workbook/alerting-on-slos/. The long window says that it matters, the short one that it still lasts.
"""

from collections.abc import Iterator
from typing import Literal, NamedTuple

from gatepost.alerting.condition_names import DATABASE, POOL
from gatepost.alerting.findings import Finding
from gatepost.alerting.objective_counts import CAUSED, PAGED, ObjectiveCounts

CAUSES = (DATABASE, POOL)
"""What objectives are missed because of."""

BAD_MIN = 20
"""Fewer bad requests in the long window are no alert, whatever their share: one of three at night wakes nobody."""

_MINUTE, _HOUR, _DAY = 60.0, 3600.0, 86_400.0


class BurnRule(NamedTuple):
    """An alert where both windows (seconds) use up the allowed bad requests at `rate` times the speed at which they
    would last exactly 30 days."""

    severity: Literal["page", "ticket"]
    long_seconds: float
    short_seconds: float
    rate: float


RULES = (
    BurnRule("page", _HOUR, 5 * _MINUTE, 14.4),
    BurnRule("page", 6 * _HOUR, 30 * _MINUTE, 6.0),
    BurnRule("ticket", 3 * _DAY, 6 * _HOUR, 1.0),
)

FOR_SECONDS = 10.0
FOR_SECONDS_MIN = 2.5
"""However windows are scaled: workers take as long to find that the database is away, which is then what is told."""

CLEAR_SECONDS = 60.0


def burn_findings(counts: ObjectiveCounts, now: float, scale: float = 1.0) -> Iterator[Finding]:
    """A finding for each severity. `scale` multiplies all windows."""
    objective = counts.objective
    page = page_name(objective.name)
    for severity, name, causes, marks in (
        ("page", page, CAUSES, CAUSED),
        ("ticket", f"{page}:budget", (page, *CAUSES), CAUSED | PAGED),
    ):
        burning = [rule for rule in RULES if rule.severity == severity and _burns(counts, rule, now, scale)]
        shown = burning[0] if burning else next(rule for rule in RULES if rule.severity == severity)
        yield Finding(
            name=name,
            severity=shown.severity,
            holds=bool(burning),
            sentence=_sentence(counts, shown, now, scale),
            look_at="gatepost logs --level error --since 1h",
            for_seconds=max(FOR_SECONDS, FOR_SECONDS_MIN / scale),
            clear_seconds=CLEAR_SECONDS,
            causes=causes,
            is_explained=not any(_burns(counts, rule, now, scale, without=marks) for rule in burning),
        )


def page_name(objective: str) -> str:
    """What the alert is called that an objective is missed."""
    return f"objective:{objective}"


def burn_rate(counts: ObjectiveCounts, seconds: float, now: float, without: int = 0) -> float:
    """1 where bad requests are exactly as many as the objective allows; 0 without requests. Those of the minutes that
    are marked as `without` says are left out."""
    total, bad = counts.within(seconds, now, without)
    return bad / total / counts.objective.bad_share_max if total else 0.0


def told_seconds(counts: ObjectiveCounts, now: float, scale: float = 1.0) -> float:
    """How long before now the requests are of which the page of an objective tells: the longest window that burns."""
    burning = [rule.long_seconds for rule in RULES if rule.severity == "page" and _burns(counts, rule, now, scale)]
    return max(burning, default=0.0) * scale


def _burns(counts: ObjectiveCounts, rule: BurnRule, now: float, scale: float, without: int = 0) -> bool:
    if counts.within(rule.long_seconds * scale, now, without).bad < BAD_MIN:
        return False
    # An objective of 90 % can never burn at 14.4 times the speed: all requests are bad then.
    rate = min(rule.rate, 1 / counts.objective.bad_share_max)
    windows = (rule.long_seconds * scale, rule.short_seconds * scale)
    return all(burn_rate(counts, seconds, now, without) >= rate * (1 - 1e-9) for seconds in windows)


def _sentence(counts: ObjectiveCounts, rule: BurnRule, now: float, scale: float) -> str:
    objective = counts.objective
    total, bad = counts.within(rule.long_seconds * scale, now)
    failed = "failed" if objective.seconds_max is None else f"failed or took longer than {objective.seconds_max:g} s"
    rate = burn_rate(counts, rule.long_seconds * scale, now)
    share = bad / total if total else 0.0
    return (
        f"{bad} of {total} requests ({share:.2%}) of the objective {objective.name} {failed} in the last "
        f"{shown_span(rule.long_seconds * scale)}: {rate:.1f} times what {objective.share:.10g} allows."
    )


def shown_span(seconds: float) -> str:
    """`3 d`, `6 h`, `5 min`, `12 s`."""
    for unit, length in (("d", _DAY), ("h", _HOUR), ("min", _MINUTE)):
        if seconds >= length and seconds % length == 0:
            return f"{seconds / length:g} {unit}"
    return f"{seconds:g} s"
