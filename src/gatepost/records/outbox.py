"""`Outbox`: reports that nobody makes a second time. They wait until the monitor reads, instead of being lost.

Beside the request path, in the process that reports. What happens often is sent at once, or lost and counted
(`reports.py`); what a process is, it says once at its start, and a monitor that hangs just then has to hear it later.
"""

import threading
from collections import deque

from gatepost.records.reports import Report, Reports

WAITING_MAX = 4000


class Outbox:
    """The reports of one process, in their order."""

    def __init__(self, reports: Reports) -> None:
        self._reports = reports
        self._waiting = deque[Report](maxlen=WAITING_MAX)
        self._lock = threading.Lock()

    def put(self, report: Report) -> None:
        """Send a report as soon as the monitor reads."""
        self._waiting.append(report)
        self.send()

    def send(self) -> None:
        """Send what waits, as far as there is room. Called about once a second."""
        with self._lock:
            while self._waiting and self._reports.offer(self._waiting[0]):
                self._waiting.popleft()
