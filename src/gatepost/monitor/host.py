"""`HostReadings`: what no process counts, read when somebody asks: what runs, room for the log, waiting for CPU time.

https://docs.kernel.org/admin-guide/cgroup-v2.html, of which `cpu.stat` is read.
"""

import os
import platform
from collections.abc import Callable, Mapping
from importlib.metadata import version
from pathlib import Path

from gatepost.metrics import families
from gatepost.metrics.families import Family
from gatepost.metrics.sums import Numbers
from gatepost.settings import Settings

CGROUPS = Path("/sys/fs/cgroup")

_CPU: Mapping[str, tuple[Family, float]] = {
    "nr_periods": (families.CPU_PERIODS, 1),
    "nr_throttled": (families.CPU_THROTTLED_PERIODS, 1),
    "throttled_usec": (families.CPU_THROTTLED_SECONDS, 1e-6),
}
"""Which line of `cpu.stat` is which metric, and its unit in seconds."""


class HostReadings:
    """Those of the machine, or the container, that this process runs in."""

    def __init__(self, settings: Settings, find_release: Callable[[], str | None], cgroups: Path = CGROUPS) -> None:
        self._log_folder = settings.log.folder
        self._cpu_stat = _cpu_stat_in(cgroups)
        self._versions = version("gatepost"), platform.python_version()
        self._find_release = find_release

    def read(self) -> Numbers:
        """As sums of what processes count."""
        labels = (*self._versions, self._find_release() or "")
        build = tuple(zip(families.BUILD_INFO.labels, labels, strict=True))
        return {families.BUILD_INFO.name: {build: 1}, **self._disk(), **self._throttling()}

    def _disk(self) -> Numbers:
        if self._log_folder is None:
            return {}
        try:
            found = os.statvfs(self._log_folder)
        except OSError:
            return {}
        return {
            families.LOG_DISK_FREE.name: {(): found.f_bavail * found.f_frsize},
            families.LOG_DISK_SIZE.name: {(): found.f_blocks * found.f_frsize},
        }

    def _throttling(self) -> Numbers:
        try:
            text = self._cpu_stat.read_text(encoding="ascii")
        except (OSError, UnicodeDecodeError):
            return {}
        numbers = dict(line.split(" ", 1) for line in text.splitlines() if " " in line)
        return {
            family.name: {(): round(int(numbers[name]) * unit, 6)}
            for name, (family, unit) in _CPU.items()
            if numbers.get(name, "").isdecimal()
        }


def _cpu_stat_in(cgroups: Path) -> Path:
    """The file of this process's control group; where that is not shown, as in a container, of all that is shown."""
    try:
        lines = Path("/proc/self/cgroup").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    for line in lines:
        number, _, path = line.split(":", 2)
        own = cgroups / path.lstrip("/") / "cpu.stat"
        if number == "0" and own.exists():
            return own
    return cgroups / "cpu.stat"
