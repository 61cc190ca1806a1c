"""The tree of waits: each session once, below one that it waits for."""

import msgspec

from gatepost.database.activity import DatabaseActivity, SessionActivity
from gatepost.monitor.database_page import DEPTH_MAX, WaitingSession, tree_of


def activity(waits: dict[int, list[int]]) -> DatabaseActivity:
    """Sessions that wait for those."""
    sessions = [
        SessionActivity(
            pid=pid,
            role="shop",
            application="gatepost",
            client=None,
            state="active",
            operation=None,
            sql=None,
            transaction_seconds=1.0,
            statement_seconds=1.0,
            waits_for=others,
        )
        for pid, others in waits.items()
    ]
    return DatabaseActivity(sessions, [], [], hides_statements=False)


def shown(waits: dict[int, list[int]]) -> object:
    """The tree as JSON."""
    return msgspec.to_builtins(tree_of(activity(waits)))


def node(pid: int, *waiters: object) -> dict[str, object]:
    """A session in it."""
    return {"pid": pid, "waiters": list(waiters)}


def test_chains_are_chains_and_a_queue_is_below_the_one_at_its_front() -> None:
    assert shown({1: [], 2: [1], 3: [2], 4: [1]}) == [node(1, node(2, node(3)), node(4))]
    assert shown({1: [], 2: [1], 3: [1, 2], 4: [1, 2, 3]}) == [node(1, node(2), node(3), node(4))]


def test_who_waits_for_two_is_there_once() -> None:
    assert shown({1: [], 2: [], 3: [1, 2]}) == [node(1, node(3)), node(2)]


def test_prepared_transactions_and_rings_have_a_top() -> None:
    assert shown({2: [0]}) == [node(0, node(2))]
    assert shown({1: [2], 2: [1]}) == [node(1, node(2))]
    assert shown({}) == []


def test_a_queue_of_hundreds_and_a_chain_of_thousands_are_shown() -> None:
    queue = {number: list(range(number)) for number in range(300)}
    [top] = tree_of(activity(queue))
    assert len(top.waiters) == 299
    chain = {number: [number - 1] if number else [] for number in range(5000)}
    [top] = tree_of(activity(chain))
    assert sizes([top]) == (5000, DEPTH_MAX + 1)
    assert len(msgspec.json.encode(top)) > 5000


def sizes(level: list[WaitingSession]) -> tuple[int, int]:
    """How many sessions a tree has, and how deep it is."""
    found, depth = 0, 0
    while level:
        found, depth = found + len(level), depth + 1
        level = [waiter for each in level for waiter in each.waiters]
    return found, depth
