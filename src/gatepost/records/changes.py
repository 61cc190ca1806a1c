"""`Changes`: what has changed at an instance, for who asks why it behaves differently since then.

Off the request path, in the monitor. The last ones are kept in a file; all are copied to the database behind it.
"""

import threading
import time
from collections import deque
from collections.abc import Iterable
from typing import Any, Literal, get_args

import msgspec

from gatepost.logging.text import escaped
from gatepost.moments import shown_moment
from gatepost.records.reports import Report
from gatepost.records.snapshots import Snapshot

ChangeKind = Literal[
    "start", "stop", "reload", "release", "migration", "worker_death", "monitor_death", "database", "level", "error",
    "alert", "operator",
]  # fmt: skip
KINDS: tuple[ChangeKind, ...] = get_args(ChangeKind)

CHANGES_MAX = 1000
SUMMARY_LENGTH_MAX = 300
NAME_LENGTH_MAX = 60
_ROOM = (SUMMARY_LENGTH_MAX + 2 * NAME_LENGTH_MAX) * 4 + 200
"""What a change takes at most, in bytes."""


class Change(Report):
    """A change: `at` in seconds since the epoch, `summary` in a sentence. `number` tells those of a moment apart.
    `operator` is who has done it, where somebody has; `subject` is the name of what it is about, such as a release."""

    kind: ChangeKind
    summary: str
    at: float
    number: int = 0
    operator: str | None = None
    subject: str | None = None


def change(kind: ChangeKind, summary: str, *, operator: str | None = None, subject: str | None = None) -> Change:
    """One that has just happened. Names and reasons in its summary are others' words: what neither a terminal nor the
    database takes is escaped."""
    return Change(
        kind,
        escaped(summary)[:SUMMARY_LENGTH_MAX],
        time.time(),
        time.monotonic_ns(),
        _short(operator),
        _short(subject),
    )


def shown_change(change: Change) -> dict[str, Any]:
    """A change as JSON."""
    return {
        "at": shown_moment(change.at),
        "kind": change.kind,
        "summary": change.summary,
        "operator": change.operator,
        "subject": change.subject,
    }


def _short(name: str | None) -> str | None:
    return None if name is None else escaped(name)[:NAME_LENGTH_MAX]


class Changes:
    """The last changes of an instance, the newest last. Events that are changes come from any thread: from the
    monitor's loop, from its pages, in development from the master as well."""

    def __init__(self, file: Snapshot) -> None:
        self._file = file
        self._lock = threading.Lock()
        found = file.load_as(list[Change]) or []
        self._kept = deque(found, maxlen=min(CHANGES_MAX, file.bytes_max // _ROOM))
        # Those of a monitor before: which of them it has copied it cannot say any more.
        self._uncopied = deque(found, maxlen=CHANGES_MAX)

    def add(self, change: Change) -> None:
        """Keep one."""
        with self._lock:
            self._kept.append(change)
            self._uncopied.append(change)
            self._file.save(msgspec.msgpack.encode(list(self._kept)))

    @property
    def has_all(self) -> bool:
        """Whether none had to be forgotten."""
        return len(self._kept) < (self._kept.maxlen or 0)

    def newest_first(self) -> list[Change]:
        """Those that are kept."""
        with self._lock:
            return list(self._kept)[::-1]

    def uncopied(self) -> list[Change]:
        """Those that the database does not have, the oldest first."""
        with self._lock:
            return list(self._uncopied)

    def copied(self, changes: Iterable[Change]) -> None:
        """The database has these."""
        done = {(change.at, change.number) for change in changes}
        with self._lock:
            kept = [change for change in self._uncopied if (change.at, change.number) not in done]
            self._uncopied.clear()
            self._uncopied.extend(kept)
