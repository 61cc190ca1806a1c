"""Which of the WAL that a backup needs is in the archive, and up to which moment it can be restored.

A restore follows a timeline to its end: by default the newest one that the backup is on or that branched off later.
What is missing in between ends it, and is told.
"""

from datetime import UTC, datetime
from typing import NamedTuple

from gatepost.backups.backup_records import BackupRecord
from gatepost.backups.wal_archive import DamagedFileError, WALArchive
from gatepost.backups.wal_names import (
    Branch,
    Segment,
    branches_of,
    history_name,
    is_segment_name,
    name_of,
    segment_of,
)
from gatepost.errors import ConfigurationError

SHOWN_MISSING = 20


class Coverage(NamedTuple):
    """What the archive has for one backup on one timeline."""

    timeline: int
    is_restorable: bool
    """Whether the backup itself has all that it needs."""
    until: datetime | None
    """Up to this moment nothing is missing; None where the backup cannot be restored."""
    missing: list[str]
    """The segments that are missing before others that are there, or damaged: the first of them."""
    segments: int
    """How many there are without a gap."""


class WALCoverage:
    """The archive as it is when this is made, looked at for one backup after the other."""

    def __init__(self, archive: WALArchive, segment_bytes: int) -> None:
        self._archive = archive
        self._segment_bytes = segment_bytes
        self.sizes = archive.sizes()
        self._segments = {segment_of(name, segment_bytes) for name in self.sizes if is_segment_name(name)}
        self._branches: dict[int, list[Branch]] = {1: []}
        self._completed: dict[str, float] = {}
        self._damaged: set[Segment] = set()  # which are as good as missing

    def of(self, record: BackupRecord, timeline: int | None = None) -> Coverage:
        """The coverage of a backup. Raises ConfigurationError where the timeline does not lead on from it."""
        target = timeline or self._newest_after(record)
        path = self._path_to(record, target)
        if path is None:
            raise ConfigurationError(
                f"Timeline {target} does not branch off after the backup {record.id}, which is on {record.timeline}.",
                location="--timeline",
                hint="`gatepost backup list` prints the timeline of each backup.",
            )
        first, stop = record.start_segment.number, record.stop_segment.number
        highest = max((segment.number for segment in self._segments if _is_on(segment, path)), default=first - 1)
        found = {number: self._find(number, path) for number in range(first, max(highest, stop) + 1)}
        missing = [number for number, segment in found.items() if segment is None]
        end = (missing[0] if missing else max(highest, stop) + 1) - 1
        is_restorable = end >= stop
        if is_restorable and (last := found[end]) is not None and not self._is_readable(last):
            self._damaged.add(last)
            return self.of(record, timeline)
        return Coverage(
            target,
            is_restorable,
            self._until(record, found[end]) if is_restorable else None,
            [self._expected(number, path) for number in missing[:SHOWN_MISSING]],
            max(0, end - first + 1),
        )

    def timelines(self) -> list[int]:
        """The timelines of which the archive has WAL or a history."""
        histories = {int(name[:8], 16) for name in self.sizes if name.endswith(".history")}
        return sorted({segment.timeline for segment in self._segments} | histories)

    def _until(self, record: BackupRecord, last: Segment | None) -> datetime:
        assert last is not None  # noqa: S101 - the last one without a gap
        completed = self._completed[name_of(last, self._segment_bytes)]
        return max(record.finished_at, datetime.fromtimestamp(completed, UTC))

    def _is_readable(self, segment: Segment) -> bool:
        """Whether the archive says when it was completed, which is kept. A store that cannot be asked raises."""
        name = name_of(segment, self._segment_bytes)
        if name not in self._completed:
            try:
                self._completed[name] = self._archive.completed_at(name)
            except (DamagedFileError, FileNotFoundError):
                return False
        return True

    def _newest_after(self, record: BackupRecord) -> int:
        newer = [timeline for timeline in reversed(self.timelines()) if timeline > record.timeline]
        return next((item for item in newer if self._path_to(record, item) is not None), record.timeline)

    def _path_to(self, record: BackupRecord, timeline: int) -> list[tuple[int, int]] | None:
        """The timelines from the backup's to this one, the newest first, each with the segment that it begins in."""
        if timeline == record.timeline:
            return [(timeline, 0)]
        branches = self._branches_before(timeline)
        own = next((place for place, branch in enumerate(branches) if branch.timeline == record.timeline), None)
        if own is None or branches[own].end < record.stop_lsn:
            return None
        following = [*(branch.timeline for branch in branches[own + 1 :]), timeline]
        begins = [branch.end // self._segment_bytes for branch in branches[own:]]
        return [*reversed(list(zip(following, begins, strict=True))), (record.timeline, 0)]

    def _branches_before(self, timeline: int) -> list[Branch]:
        if timeline not in self._branches:
            name = history_name(timeline)
            try:
                self._branches[timeline] = branches_of(self._archive.fetch(name).decode())
            except FileNotFoundError:
                self._branches[timeline] = []
            except ValueError as error:
                raise ConfigurationError(f"{name} of the archive cannot be read: {error}.") from None
        return self._branches[timeline]

    def _find(self, number: int, path: list[tuple[int, int]]) -> Segment | None:
        """As PostgreSQL looks for it: on the newest timeline that has begun by then, else on the one before."""
        found = (Segment(timeline, number) for timeline, begin in path if begin <= number)
        return next((each for each in found if each in self._segments and each not in self._damaged), None)

    def _expected(self, number: int, path: list[tuple[int, int]]) -> str:
        timeline = next(timeline for timeline, begin in path if begin <= number)
        return name_of(Segment(timeline, number), self._segment_bytes)


def _is_on(segment: Segment, path: list[tuple[int, int]]) -> bool:
    """Whether the segment is on the path, where the timelines before the newest one end with the next one's begin."""
    end: int | None = None
    for timeline, begin in path:
        if segment.timeline == timeline:
            return segment.number >= begin and (end is None or segment.number <= end)
        end = begin
    return False
