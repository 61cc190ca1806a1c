"""What `gatepost dev --instances` keeps running: a part that cannot be started ends nothing else."""

import pytest

from gatepost.cli.dev_processes import InstanceProcess, KeptProcess

TOO_LONG = "x" * 8_000_000


def test_a_part_that_cannot_be_started_is_told_of_once_and_tried_again(capfd: pytest.CaptureFixture[str]) -> None:
    process = InstanceProcess("dev-1", 0, [], {"VARIABLE": TOO_LONG})
    kept = KeptProcess("Instance dev-1", process)
    for _ in range(2):
        kept._restart_at = 0.0
        kept.look()
    assert capfd.readouterr().err.count("It cannot be started: [Errno 7] Argument list too long") == 1
    assert kept._restart_at, "it is tried again"
