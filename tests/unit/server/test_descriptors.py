"""How many connections are taken, in processes of their own, since a limit once lowered stays low."""

import subprocess
import sys

import pytest

PROGRAM = """
import resource, sys
from gatepost.server.descriptors import connections_max
resource.setrlimit(resource.RLIMIT_NOFILE, (int(sys.argv[1]), int(sys.argv[2])))
print(connections_max(), resource.getrlimit(resource.RLIMIT_NOFILE)[0])
"""


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have other limits")
@pytest.mark.parametrize(
    ("soft", "hard", "connections", "granted"),
    [
        (1024, 20_000, 16_384, 20_000),
        (1024, 4096, 3840, 4096),
        (300, 1024, 768, 1024),
        (100, 200, 1, 200),
    ],
)
def test_descriptors_are_asked_for_and_some_are_kept(soft: int, hard: int, connections: int, granted: int) -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(soft), str(hard)], capture_output=True, text=True, check=True
    )
    assert [int(number) for number in done.stdout.split()] == [connections, granted]
