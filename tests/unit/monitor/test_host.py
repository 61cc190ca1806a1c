"""What no process counts: read from the machine, or left out where it does not tell."""

from dataclasses import replace
from pathlib import Path

from gatepost.metrics.exposition import Exposition
from gatepost.monitor.host import HostReadings
from gatepost.settings import LogSettings, Settings

CPU_STAT = "usage_usec 9000000\nuser_usec 1\nnr_periods 1200\nnr_throttled 34\nthrottled_usec 5600000\nnew_in_6 x\n"


def lines(settings: Settings, cgroups: Path) -> list[str]:
    """What Prometheus gets of it."""
    return Exposition().page([], HostReadings(settings, lambda: "1.4.2", cgroups).read()).decode().splitlines()


def test_throttling_free_disk_and_the_release_are_read(tmp_path: Path) -> None:
    (tmp_path / "cpu.stat").write_text(CPU_STAT)
    found = lines(replace(Settings(), log=LogSettings(folder=str(tmp_path))), tmp_path)
    assert "gatepost_cpu_periods_total 1200" in found
    assert "gatepost_cpu_throttled_periods_total 34" in found
    assert "gatepost_cpu_throttled_seconds_total 5.6" in found
    numbers = {line.split()[0]: float(line.split()[1]) for line in found if line.startswith("gatepost_log_disk")}
    assert 0 < numbers["gatepost_log_disk_free_bytes"] <= numbers["gatepost_log_disk_size_bytes"]
    assert [line for line in found if line.startswith("gatepost_build_info{") and 'release="1.4.2"} 1' in line]


def test_what_the_machine_does_not_tell_is_left_out(tmp_path: Path) -> None:
    found = lines(replace(Settings(), log=LogSettings(folder=str(tmp_path / "gone"))), tmp_path)
    assert {line.partition("{")[0] for line in found if not line.startswith("#")} == {"gatepost_build_info"}
