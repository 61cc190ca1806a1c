"""The limit of running requests, window by window."""

from gate_conversation import ROUTES

from gatepost.gateway.admission_rule import MILLISECONDS, RULE
from gatepost.gateway.concurrency_limit import ConcurrencyLimit


class Clock:
    """Windows that pass when they are told to."""

    def __init__(self) -> None:
        self.now = 10**12
        self.cpu = 0
        self.limit = ConcurrencyLimit(cpu=lambda: self.cpu)

    def window(self, milliseconds: float, *, running: int, count: int = 50, busy: float = 1.0) -> int:
        """The limit after a window in which so many requests took so long, while the process was so busy."""
        self.cpu += int(RULE.window_ns * busy)
        rules = ROUTES["/api/books"]
        for _ in range(count):
            self.limit.record(rules, int(milliseconds * MILLISECONDS), running)
        self.limit.count += count
        self.now += RULE.window_ns
        self.limit.adapt(self.now)
        return self.limit.limit


def test_the_limit_shrinks_while_requests_are_slow_by_their_own_measure_and_grows_again() -> None:
    clock = Clock()
    for _ in range(5):
        assert clock.window(4, running=0) == RULE.limit_first
    sizes = [clock.window(40, running=50) for _ in range(40)]
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[-1] == RULE.limit_min_busy
    for _ in range(80):
        clock.limit.is_reached = True
        clock.window(4, running=3)
    assert clock.limit.limit > RULE.limit_first


def test_a_process_with_time_to_spare_blames_itself_less() -> None:
    clock = Clock()
    clock.window(4, running=0)
    assert [clock.window(40, running=50, busy=0.2) for _ in range(20)][-1] == RULE.limit_min_idle
    assert [clock.window(40, running=50, busy=0.9) for _ in range(20)][-1] == RULE.limit_min_busy


def test_what_is_slow_by_nature_is_not_slow() -> None:
    clock = Clock()
    for _ in range(20):
        clock.window(900, running=0)
    assert clock.window(900, running=200) == RULE.limit_first


def test_what_is_weighed_and_refused_does_not_count_as_the_cost_of_what_is_served() -> None:
    clock = Clock()
    clock.window(0.3, running=0)  # 50 ms for 50 requests
    clock.window(0.3, running=0)
    assert clock.limit.capacity_for(3 * MILLISECONDS) == 3
    clock.limit.overhead_ns += 30 * MILLISECONDS
    clock.window(0.3, running=0, count=20)
    assert clock.limit.capacity_for(3 * MILLISECONDS) == 3
    clock.limit.overhead_ns += 50 * MILLISECONDS  # more than all: it is an estimate
    clock.window(0.3, running=0, count=20)
    assert clock.limit.capacity_for(3 * MILLISECONDS) == 4


def test_cheap_work_may_queue_a_little() -> None:
    clock = Clock()
    clock.window(0.3, running=0)
    assert [clock.window(5, running=16) for _ in range(10)] == [RULE.limit_first] * 10
