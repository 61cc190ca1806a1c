"""The adaptive limit of concurrent requests: as many as do not slow each other down.

A simpler form of Netflix's gradient limit. The baseline of a route is its latency while hardly anything else runs;
if requests take much longer than their baseline, too many of them run.
"""

import time
from collections.abc import Callable

from gatepost.gateway.admission_rule import RULE, AdmissionRule
from gatepost.operations import RouteRules


class ConcurrencyLimit:
    """`limit` requests may run at once.

    The admission queue increments `count` when a request ends, sets `is_reached` when one has to wait, and adds to
    `overhead_ns` the time spent on queueing and refusing.
    """

    def __init__(self, rule: AdmissionRule = RULE, cpu: Callable[[], int] = time.thread_time_ns) -> None:
        """`cpu` reads the CPU time of this thread, in nanoseconds."""
        self.rule = rule
        self._read_cpu = cpu
        self.limit = rule.limit_first
        self.is_reached = False
        self.overhead_ns = 0
        self._baseline_latency: dict[RouteRules | None, float] = {}
        self._baseline_sum = 0.0
        self._latency_sum = 0
        self._recorded = 0
        self.count = 0
        self._since = 0
        self._cpu = 0
        self._cpu_per_request = rule.request_cpu_first_ns

    def record(self, rules: RouteRules | None, latency_ns: int, running: int) -> None:
        """Record the latency of a request that ended while `running` others still run."""
        baseline = self._baseline_latency.get(rules)
        if baseline is None:
            self._baseline_latency[rules] = baseline = float(latency_ns)
        elif not running or latency_ns < baseline:  # alone, or faster than ever: not slowed down by others
            self._baseline_latency[rules] = baseline = baseline + (latency_ns - baseline) * self.rule.baseline_smoothing
        self._baseline_sum += baseline
        self._latency_sum += latency_ns
        self._recorded += 1

    def capacity_for(self, nanoseconds: int) -> int:
        """How many requests this process can serve in a time, by their measured CPU cost; at least one."""
        return max(1, nanoseconds // self._cpu_per_request)

    def adapt(self, now: int) -> None:
        """Adapt the limit to the latency of the last window. Called often; returns at once within a window."""
        rule = self.rule
        if now - self._since < rule.window_ns or not self._recorded:
            return
        cpu = self._read_cpu()
        if now - self._since < 4 * rule.window_ns:
            # Without the overhead: else the more requests wait, the fewer would begin in a pass. A longer window spans
            # idle time and is left out.
            used = cpu - self._cpu
            self._cpu_per_request = max(used - self.overhead_ns, used // 4) // max(1, self.count)
        mean, ratio = self._latency_sum // self._recorded, self._latency_sum / max(self._baseline_sum, 1.0)
        limit_min = (
            rule.limit_min_busy if cpu - self._cpu > rule.busy_share * (now - self._since) else rule.limit_min_idle
        )
        # Shrink in proportion to the slowdown, by 30 % at most; grow by an eighth, and only if the limit was reached.
        if ratio > rule.slow_ratio and mean > rule.latency_tolerated_ns:
            self.limit = max(min(limit_min, self.limit), int(self.limit * max(0.7, rule.slow_ratio / ratio)))
        elif self.is_reached and (ratio < rule.fast_ratio or mean < rule.latency_tolerated_ns):
            self.limit = min(rule.limit_max, self.limit + max(1, self.limit // 8))
        self.is_reached = False
        self._baseline_sum, self._latency_sum, self._recorded, self.count, self.overhead_ns = 0.0, 0, 0, 0, 0
        self._since, self._cpu = now, cpu
