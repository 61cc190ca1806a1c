"""How many requests may run at once: as many as do not make each other slow.

A simpler form of Netflix's gradient limit: what an action takes while hardly anything runs is its pace; where requests
take much longer than that, there are too many of them.
"""

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from gatepost.gateway.admission_rule import RULE, AdmissionRule

if TYPE_CHECKING:
    from gatepost.request import Action


class ConcurrencyLimit:
    """`allowed` requests may run. The admission queue counts up `count` when one ends, and sets `is_reached` when one
    has to wait, and adds to `unserved_ns` what was spent on weighing those that wait and on refusing."""

    __slots__ = (
        "_cpu",
        "_cpu_each",
        "_noted",
        "_paces",
        "_read_cpu",
        "_rule",
        "_since",
        "_taken",
        "_wanted",
        "allowed",
        "count",
        "is_reached",
        "unserved_ns",
    )

    def __init__(self, rule: AdmissionRule = RULE, cpu: Callable[[], int] = time.thread_time_ns) -> None:
        """`cpu` is what this thread has used of a processor, in nanoseconds."""
        self._rule = rule
        self._read_cpu = cpu
        self.allowed = rule.limit_first
        self.is_reached = False
        self.unserved_ns = 0
        self._paces: dict[Action | None, float] = {}
        self._wanted = 0.0
        self._taken = 0
        self._noted = 0
        self.count = 0
        self._since = 0
        self._cpu = 0
        self._cpu_each = rule.cpu_each_ns

    def note(self, action: "Action | None", taken: int, running: int) -> None:
        """A request has taken so many nanoseconds; so many others are still running."""
        pace = self._paces.get(action)
        if pace is None:
            self._paces[action] = pace = float(taken)
        elif not running or taken < pace:
            self._paces[action] = pace = pace + (taken - pace) * self._rule.pace_settling
        self._wanted += pace
        self._taken += taken
        self._noted += 1

    def per(self, nanoseconds: int) -> int:
        """How many requests this process can do in a time, by what they cost of it; at least one."""
        return max(1, nanoseconds // self._cpu_each)

    def adapt(self, now: int) -> None:
        """Called often; does something once in a window."""
        rule = self._rule
        if now - self._since < rule.window_ns or not self._noted:
            return
        cpu = self._read_cpu()
        if now - self._since < 4 * rule.window_ns:
            # Without the rest: else the more requests wait, the fewer would begin in a pass.
            used = cpu - self._cpu
            self._cpu_each = max(used - self.unserved_ns, used // 4) // max(1, self.count)
        mean, ratio = self._taken // self._noted, self._taken / max(self._wanted, 1.0)
        least = rule.limit_min if cpu - self._cpu > rule.busy_share * (now - self._since) else rule.limit_idle
        if ratio > rule.slow_ratio and mean > rule.bearable_ns:
            self.allowed = max(min(least, self.allowed), int(self.allowed * max(0.7, rule.slow_ratio / ratio)))
        elif self.is_reached and (ratio < rule.brisk_ratio or mean < rule.bearable_ns):
            self.allowed = min(rule.limit_max, self.allowed + max(1, self.allowed // 8))
        self.is_reached = False
        self._wanted, self._taken, self._noted, self.count, self.unserved_ns = 0.0, 0, 0, 0, 0
        self._since, self._cpu = now, cpu
