"""What can be wrong at an instance besides its objectives, each judged by one look at its metrics."""

import time
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from gatepost.alerting.burn_rates import shown_span
from gatepost.alerting.condition_names import DATABASE, POOL
from gatepost.alerting.findings import Finding
from gatepost.alerting.memory_growth import MemoryGrowth
from gatepost.alerting.rates import MINUTE_SECONDS, Rate
from gatepost.alerting.readings import Reading

POOL_SECONDS = 60.0
DATABASE_SECONDS = 10.0
DISK_SHARE_MIN = 0.05
SIGN_INS_MIN = 30
"""Failed sign-ins in a minute; and five times as many as usual, where that is known."""
SIGN_INS_FACTOR = 5
CLOCK_SECONDS_MAX = 1.0
CLOCK_FOR_SECONDS = 30.0
DEATHS_MIN = 3
DEATHS_SECONDS = 600.0
INSTANCE = "instance:"
"""What the names of alerts about other instances begin with."""
SILENT_SECONDS = 60.0
"""An instance that has not been ended and has not been heard from for so long is missing."""
SILENT_SECONDS_MIN = 25.0
"""However windows are scaled: an instance writes that it is there every ten seconds."""
LOST_LINES_MINUTES = 5

_MIB = 1024 * 1024


class OtherInstance(NamedTuple):
    """Another instance of the application that has not said that it ends. `silent_seconds` is since its last beat,
    `watched_seconds` since when it can have been heard of: the database was here."""

    name: str
    silent_seconds: float
    watched_seconds: float


class Surroundings(NamedTuple):
    """What is known besides the metrics. `death_times` are when workers died (seconds since the epoch); `others` is
    None where the database does not tell. `name_conflict` is a sentence while another server has the name of this
    instance."""

    clock_offset_seconds: float | None
    death_times: Iterable[float]
    others: Iterable[OtherInstance] | None
    name_conflict: str = ""


class Conditions:
    """Judges readings, and remembers what it needs of those before. `scale` multiplies the windows."""

    def __init__(self, scale: float = 1.0) -> None:
        self._scale = scale
        self._sign_ins = Rate(MINUTE_SECONDS * scale)
        self._lost_lines = Rate(MINUTE_SECONDS * scale)
        self._memory = MemoryGrowth(MINUTE_SECONDS * scale)

    def look(self, reading: Reading, around: Surroundings, now: float | None = None) -> Iterator[Finding]:
        """A finding for everything that can be wrong, also for what is well. `now` is in seconds since the epoch."""
        moment = time.time() if now is None else now
        yield self._database(reading)
        yield self._pool(reading)
        yield self._disk(reading)
        yield self._memory_growth(reading, moment)
        yield self._log_lines(reading, moment)
        yield self._failed_sign_ins(reading, moment)
        yield self._clock(around)
        yield self._deaths(around, moment)
        yield self._name(around)
        yield from self._instances(around)

    @staticmethod
    def _database(reading: Reading) -> Finding:
        away = sum(not worker.has_database for worker in reading.workers)
        return Finding(
            DATABASE,
            "page",
            holds=away > 0,
            sentence=f"{away} of {len(reading.workers)} workers cannot reach the database: requests get 503.",
            look_at="gatepost logs --level error --since 10m; gatepost doctor",
            for_seconds=DATABASE_SECONDS,
        )

    @staticmethod
    def _pool(reading: Reading) -> Finding:
        exhausted = [worker for worker in reading.workers if worker.pool_waiting > 0 and worker.has_database]
        waiting = sum(worker.pool_waiting for worker in exhausted)
        return Finding(
            POOL,
            "page",
            holds=bool(exhausted),
            sentence=f"{waiting:.0f} requests of {len(exhausted)} workers wait for a connection of the pool, all of "
            f"whose {sum(worker.pool_in_use for worker in exhausted):.0f} are in use.",
            look_at="gatepost db waits",
            for_seconds=POOL_SECONDS,
            is_local=True,
            causes=(DATABASE,),
        )

    @staticmethod
    def _disk(reading: Reading) -> Finding:
        full = [disk for disk in reading.disks if disk.free_bytes < disk.total_bytes * DISK_SHARE_MIN]
        shown = ", ".join(
            f"{disk.folder} has {disk.free_bytes / _MIB:.0f} MiB free of {disk.total_bytes / _MIB:.0f}" for disk in full
        )
        return Finding(
            "disk",
            "page",
            holds=bool(full),
            sentence=f"A disk is nearly full: {shown}. Only errors and security lines are still logged.",
            look_at="df -h",
            for_seconds=10.0,
            is_local=True,
        )

    def _memory_growth(self, reading: Reading, now: float) -> Finding:
        self._memory.look(reading.workers, now)
        grown = [
            f"process {pid} from {then / _MIB:.0f} to {size / _MIB:.0f} MiB" for pid, then, size in self._memory.grown()
        ]
        return Finding(
            "memory",
            "ticket",
            holds=bool(grown),
            sentence=f"Workers have grown within an hour: {', '.join(grown)}.",
            look_at="ps -C gatepost -o pid,rss,etime,args",
            is_local=True,
        )

    def _log_lines(self, reading: Reading, now: float) -> Finding:
        self._lost_lines.look(reading.lost_log_lines, now)
        lost = self._lost_lines.within(LOST_LINES_MINUTES)
        return Finding(
            "log-lines",
            "ticket",
            holds=lost > 0,
            sentence=f"{lost:.0f} lines of the log had no room in the last {LOST_LINES_MINUTES} min.",
            look_at="df -h; gatepost logs --since 10m",
            is_local=True,
        )

    def _failed_sign_ins(self, reading: Reading, now: float) -> Finding:
        self._sign_ins.look(reading.failed_sign_ins, now)
        rate, usual = self._sign_ins.now, self._sign_ins.usual
        return Finding(
            "sign-ins",
            "page",
            holds=rate >= SIGN_INS_MIN and rate >= SIGN_INS_FACTOR * usual,
            sentence=f"{rate:.0f} sign-ins failed within a minute; usually {usual:.1f}. Somebody may try passwords.",
            look_at="gatepost logs --category security --since 10m",
            clear_seconds=300.0,
        )

    @staticmethod
    def _clock(around: Surroundings) -> Finding:
        offset = around.clock_offset_seconds or 0.0
        direction = "ahead of" if offset > 0 else "behind"
        return Finding(
            "clock",
            "ticket",
            holds=abs(offset) > CLOCK_SECONDS_MAX,
            sentence=f"The clock of the database is {abs(offset):.1f} s {direction} that of this machine.",
            look_at="timedatectl",
            for_seconds=CLOCK_FOR_SECONDS,
            is_local=True,
        )

    def _deaths(self, around: Surroundings, now: float) -> Finding:
        span = DEATHS_SECONDS * self._scale
        count = sum(abs(now - at) < span for at in around.death_times)  # a clock may have been set back since
        return Finding(
            "workers",
            "page",
            holds=count >= DEATHS_MIN,
            sentence=f"{count} workers died within {shown_span(span)}.",
            look_at="gatepost logs --level error --since 30m",
            is_local=True,
        )

    @staticmethod
    def _name(around: Surroundings) -> Finding:
        return Finding(
            "instance-name",
            "ticket",
            holds=bool(around.name_conflict),
            sentence=f"{around.name_conflict} Until then nothing of this one is copied to the database.",
            look_at="gatepost top instances",
            is_local=True,
        )

    def _instances(self, around: Surroundings) -> Iterator[Finding]:
        limit = max(SILENT_SECONDS * self._scale, SILENT_SECONDS_MIN)
        for other in around.others or ():
            is_silent = other.silent_seconds >= limit
            yield Finding(
                f"{INSTANCE}{other.name}",
                "page",
                holds=None if is_silent and other.watched_seconds < limit else is_silent,
                sentence=f"The instance {other.name} has not been heard from for {other.silent_seconds:.0f} s, and did "
                "not say that it was stopping.",
                look_at="gatepost alerts list",
                clear_seconds=0.0,
            )
