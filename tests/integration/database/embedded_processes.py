"""What the tests of the embedded PostgreSQL share: a supervising program, and a look at what runs."""

import time
from collections.abc import Callable
from pathlib import Path

import psutil

SMALL = {"fsync": "off", "full_page_writes": "off", "max_connections": "20", "shared_buffers": "16MB"}

SUPERVISOR = """
import os, sys, time
from pathlib import Path
from gatepost.embedded.postgresql import EmbeddedPostgreSQL

server = EmbeddedPostgreSQL(Path(sys.argv[1]), settings={"fsync": "off", "shared_buffers": "16MB"})
server.start()
print(server.pid, flush=True)
time.sleep(60)
"""


def wait_until(condition: Callable[[], bool], timeout_seconds: float = 60.0) -> None:
    """Return as soon as the condition holds; fail when it does not in time."""
    deadline = time.monotonic() + timeout_seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come true in time"
        time.sleep(0.005)


def processes_of(data: Path) -> list[psutil.Process]:
    """Every process of a server in the folder: the postmaster and its children work in the cluster."""
    return [process for process in psutil.process_iter() if _works_in(process, data)]


def is_running(pid: int) -> bool:
    """Whether the process is at work: one that ended counts as gone before its new parent has noticed."""
    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def _works_in(process: psutil.Process, data: Path) -> bool:
    try:
        return Path(process.cwd()).is_relative_to(data)
    except psutil.Error:
        return False
