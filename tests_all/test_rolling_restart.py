"""A rolling restart under a load that one instance carries: 40 % of what it can, whatever becomes of earlier requests.

`pytest -s -m alone tests_all/test_rolling_restart.py` prints the figures of docs/how-to/balance-the-load.md.
"""

import multiprocessing
from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from pathlib import Path

import psutil
import pytest
from balanced_shop import BalancedShop, balanced_shop
from benchmarks.closed_load import run_closed
from benchmarks.course import Course
from benchmarks.open_load import run_open
from tests.acceptance.conftest import wait_for
from tests.conftest import FAST_AND_FORGETFUL

from gatepost.embedded.postgresql import EmbeddedPostgreSQL

SHARE = 0.4
READS_PER_WRITE = 9
CAPACITY_SECONDS = 4.0
BUSY_PERCENT_MAX = 40.0
BUSY_SECONDS = 3.0
LOAD_SECONDS_MAX = 300.0
LATE_SECONDS_MAX = 0.5
BODY = b'{"title":"rolled"}'
READ = b"GET /api/notes HTTP/1.1\r\nhost: test\r\n\r\n"
WRITE = b"POST /api/notes HTTP/1.1\r\nhost: test\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%b" % (
    len(BODY),
    BODY,
)
END = "load.over"
CLIENTS = 64
READERS, WRITERS = 400, 100
"""Connections: as many as there can be requests that wait."""


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[BalancedShop]:
    with (
        EmbeddedPostgreSQL(tmp_path / "postgresql", settings=FAST_AND_FORGETFUL) as postgresql,
        balanced_shop(tmp_path, postgresql, connections_per_address=READERS + WRITERS + CLIENTS) as started,
    ):
        yield started


def capacity_of_one(shop: BalancedShop) -> float:
    """Requests a second that one instance serves with clients that wait for nothing, through HAProxy, while the other
    one starts, for which both share the processors."""
    shop.kill("shop-2")
    wait_for(lambda: shop.balancer.states()["shop-2"] == "DOWN", "the other one is away")
    shop.start("shop-2")
    mixed = [*[READ] * READS_PER_WRITE, WRITE]
    course = run_closed(shop.balancer.port, mixed, CLIENTS, seconds=CAPACITY_SECONDS)
    shop.instances["shop-2"].ready()
    wait_for(lambda: set(shop.balancer.states().values()) == {"UP"}, "both instances")
    return course.served_per_second(1.0, CAPACITY_SECONDS)


def load(port: int, request: bytes, rate: float, connections: int, end: Path) -> Course:
    """Requests of this rate until there is a file."""
    return run_open(port, [request], rate=rate, seconds=LOAD_SECONDS_MAX, connections=connections, is_over=end.exists)


def offered(shop: BalancedShop, processes: ProcessPoolExecutor, rate: float) -> "tuple[Future[Course], Future[Course]]":
    """Reads and writes of this rate in all, each in a process of its own."""
    port, share, end = shop.balancer.port, 1 / (READS_PER_WRITE + 1), shop.folder / END
    read = processes.submit(load, port, READ, rate * (1 - share), READERS, end)
    write = processes.submit(load, port, WRITE, rate * share, WRITERS, end)
    return read, write


def grows(shop: BalancedShop) -> None:
    """Wait until more is written."""
    rows = shop.titles()["rolled"]
    wait_for(lambda: shop.titles()["rolled"] > rows + 20, "the load")


@pytest.mark.alone
def test_nothing_fails_at_40_percent_of_one_instance(shop: BalancedShop) -> None:
    # Where others use the processors, what an instance can do now it cannot a moment later: it may shed then.
    is_quiet = psutil.cpu_percent(BUSY_SECONDS) <= BUSY_PERCENT_MAX
    capacity = capacity_of_one(shop)
    rate = SHARE * capacity
    before = {name: server.process.pid for name, server in shop.instances.items()}
    with ProcessPoolExecutor(2, multiprocessing.get_context("spawn")) as processes:
        read, write = offered(shop, processes, rate)
        try:
            grows(shop)
            done = shop.roll()
            grows(shop)
        finally:
            (shop.folder / END).touch()
        reads, writes = read.result(), write.result()
    is_quiet = is_quiet and psutil.cpu_percent(BUSY_SECONDS) <= BUSY_PERCENT_MAX

    assert done.returncode == 0, done.stderr
    assert all(server.process.pid != before[name] for name, server in shop.instances.items())
    for name, course in (("reads", reads), ("writes", writes)):
        shed, bad = len(course.refused), course.failed + course.cut
        slow = course.percentile_ms(99, 0, LOAD_SECONDS_MAX)
        print(
            f"\n{name}: {len(course.served):,} served of {rate:.0f} requests a second in all ({SHARE:.0%} of "
            f"{capacity:.0f}), {shed} shed, {bad} failed, 99 % within {slow:.0f} ms",
            end="",
        )
        assert (course.failed, course.cut) == (0, 0), name
        if is_quiet:
            assert (shed, course.not_sent) == (0, 0), name
            assert course.lag_seconds < LATE_SECONDS_MAX, f"fewer {name} were sent than told"
        assert len(course.served) > 100, name
