"""`ErrorGroups`: the errors that nobody expected, by fingerprint, as an instance keeps them.

Off the request path, in the monitor. There is a bound to everything: groups, samples of each, and new groups a minute.
"""

import time
from collections.abc import Callable, Iterable
from itertools import islice
from typing import Literal

import msgspec

from gatepost.records.error_reports import ErrorSample, ErrorsSeen
from gatepost.records.snapshots import Snapshot
from gatepost.zstandard import compressed, decompressed

GROUPS_MAX = 1000
NEW_A_MINUTE_MAX = 20
SAMPLES_MAX = 3
"""The first one and the last ones."""
ACTORS_MAX = 200
RELEASES_MAX = 20
DROPPED_TOGETHER = 20
"""Groups whose samples make room for those of others, at a time."""
MINUTE_SECONDS = 60.0

Seen = Literal["new", "returned", "known", "left_out"]


class ErrorGroup(msgspec.Struct):
    """Errors of one fingerprint. Moments are seconds since the epoch; `actors` are digests, as many as ACTORS_MAX;
    `samples` are compressed. `returned_at` is when it last came back after it was resolved."""

    fingerprint: str
    kind: str
    where: str
    message: str
    count: int
    first_at: float
    last_at: float
    releases: list[str] = []
    actors: set[bytes] = set()
    samples: list[bytes] = []
    resolved_at: float | None = None
    returned_at: float | None = None

    @property
    def is_resolved(self) -> bool:
        """Whether it was resolved, and has not come back since."""
        return self.resolved_at is not None and self.last_at <= self.resolved_at

    def read_samples(self) -> list[ErrorSample]:
        """The first one, and the last ones."""
        return [msgspec.msgpack.decode(decompressed(data), type=ErrorSample) for data in self.samples]


class ErrorGroups:
    """The groups in a file. `changed` are the fingerprints of those that others have not been told of."""

    def __init__(self, file: Snapshot, clock: Callable[[], float] = time.monotonic) -> None:
        self._file = file
        self._clock = clock
        self._groups = {group.fingerprint: group for group in file.load_as(list[ErrorGroup]) or []}
        self._new: list[float] = []
        self.changed: set[str] = set(self._groups)

    def add(self, seen: ErrorsSeen) -> Seen:
        """Add errors to their group; what became of it."""
        group = self._groups.get(seen.fingerprint)
        if group is None:
            if not self._has_room():
                return "left_out"
            group = ErrorGroup(seen.fingerprint, seen.kind, seen.where, seen.message, 0, seen.last_at, seen.last_at)
            self._groups[seen.fingerprint] = group
            found: Seen = "new"
        else:
            found = "returned" if group.is_resolved and seen.last_at > (group.resolved_at or 0) else "known"
        group.count += seen.count
        group.last_at = max(group.last_at, seen.last_at)
        group.message = seen.message
        if found == "returned":
            group.returned_at = seen.last_at
        group.actors.update(islice(seen.actors, max(0, ACTORS_MAX - len(group.actors))))
        if seen.sample is not None:
            _add_sample(group, seen.sample)
        self.changed.add(seen.fingerprint)
        return found

    def all(self) -> list[ErrorGroup]:
        """Those that are kept, the ones that happened last first."""
        return sorted(self._groups.values(), key=lambda group: group.last_at, reverse=True)

    def find(self, fingerprint: str) -> ErrorGroup | None:
        """The group whose fingerprint begins so; None where there is none, or there are several."""
        found = [group for name, group in self._groups.items() if name.startswith(fingerprint)]
        return found[0] if len(found) == 1 else None

    def resolve(self, fingerprint: str, moment: float) -> bool:
        """Have it resolved since a moment; False where that is known, or the group is not."""
        group = self._groups.get(fingerprint)
        if group is None or moment <= (group.resolved_at or 0):
            return False
        group.resolved_at = moment
        self.changed.add(fingerprint)
        return True

    def save(self) -> bool:
        """Write the file; False where the disk does not take it. Where the samples are too many, the groups that
        happened longest ago lose theirs."""
        data = _encoded(self._groups.values())
        oldest_first = iter(reversed(self.all()))
        while len(data) > self._file.bytes_max and (some := list(islice(oldest_first, DROPPED_TOGETHER))):
            for group in some:
                group.samples = []
            data = _encoded(self._groups.values())
        return self._file.save(data)

    def _has_room(self) -> bool:
        now = self._clock()
        self._new = [moment for moment in self._new if moment > now - MINUTE_SECONDS]
        if len(self._new) >= NEW_A_MINUTE_MAX:
            return False
        self._new.append(now)
        if len(self._groups) >= GROUPS_MAX:
            oldest = min(self._groups.values(), key=lambda group: (not group.is_resolved, group.last_at))
            del self._groups[oldest.fingerprint]
            self.changed.discard(oldest.fingerprint)
        return True


def _add_sample(group: ErrorGroup, sample: ErrorSample) -> None:
    if sample.release is not None and sample.release not in group.releases:
        group.releases = [*group.releases, sample.release][-RELEASES_MAX:]
    data = compressed(msgspec.msgpack.encode(sample))
    group.samples = [*group.samples[: SAMPLES_MAX - 1], data] if len(group.samples) < SAMPLES_MAX else [
        group.samples[0], *group.samples[2:], data
    ]  # fmt: skip


def _encoded(groups: Iterable[ErrorGroup]) -> bytes:
    return msgspec.msgpack.encode(list(groups))
