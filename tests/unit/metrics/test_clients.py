"""Who sends the most: bounded tables in shared memory, which name everybody who matters and count nobody too low."""

import random
import subprocess
import sys
from collections import Counter

import pytest

from gatepost.events import Events, RequestFinished, SignInFailed
from gatepost.metrics.client_table import WINDOW_SECONDS, ClientCounts
from gatepost.metrics.clients import BATCH, clients_of
from gatepost.metrics.memory import MetricsMemory
from gatepost.metrics.recorder import Recorder
from gatepost.metrics.region import CLIENT_ENTRIES
from gatepost.monitor.clients import busiest_clients

NOON = 1_800_000_000.0 // WINDOW_SECONDS * WINDOW_SECONDS


@pytest.fixture
def memory() -> MetricsMemory:
    """Memory for two processes."""
    return MetricsMemory.shared("test-clients", 2)


@pytest.fixture(autouse=True)
def moment(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The time, which a test sets."""
    found = [NOON]
    monkeypatch.setattr("gatepost.metrics.clients.time.time", lambda: found[0])
    return found


def recorder(memory: MetricsMemory, shown: str = "full") -> tuple[Recorder, Events]:
    """What counts for a process, and the events that it counts."""
    events, region = Events(), memory.take()
    assert region is not None
    made = Recorder(region, shown)
    made.subscribe(events)
    return made, events


def request(client: str, actor: str | int | None = None, status: int = 200) -> RequestFinished:
    """A request of a client."""
    code = None if status < 400 else "refused"
    return RequestFinished("r", "GET", "/", "/", "books.get", status, 0.1, 0, 0, 0, 0, client, actor, code)


def found(memory: MetricsMemory, now: float = NOON) -> dict[str, dict[str, ClientCounts]]:
    """What all processes have counted."""
    with memory.regions() as regions:
        return clients_of((series for region in regions for series in region.series()), now)


def test_requests_refusals_and_failed_sign_ins_are_counted_by_address_network_and_user(memory: MetricsMemory) -> None:
    made, events = recorder(memory)
    for client, actor, status in (
        ("192.0.2.7", None, 200),
        ("192.0.2.7", 5, 429),
        ("192.0.2.9", 5, 500),
        ("2001:db8::1", "ada", 404),
        ("", None, 200),
    ):
        events.emit(request(client, actor, status))
    events.emit(SignInFailed("wrong", "192.0.2.9"))
    made.tend()
    assert found(memory) == {
        "address": {
            "192.0.2.7": ClientCounts(2, 1),
            "192.0.2.9": ClientCounts(1, 0, 1),
            "2001:db8::1": ClientCounts(1, 1),
        },
        "network": {"192.0.2.0/24": ClientCounts(3, 1, 1), "2001:db8::/48": ClientCounts(1, 1)},
        "user": {"5": ClientCounts(2, 1), "ada": ClientCounts(1, 1)},
    }


@pytest.mark.parametrize(("shown", "kept"), [("network", {"network", "user"}), ("none", {"user"})])
def test_only_what_the_log_may_show_is_kept(memory: MetricsMemory, shown: str, kept: set[str]) -> None:
    made, events = recorder(memory, shown)
    events.emit(request("192.0.2.7", "ada"))
    made.tend()
    assert {kind for kind, clients in found(memory).items() if clients} == kept
    with memory.regions() as regions:
        written = [series.cells.cast("B").tobytes() for region in regions for series in region.series()]
    assert not any(b"192.0.2.7" in cells for cells in written)


def test_of_any_number_of_clients_the_busy_ones_are_named_and_nobody_is_counted_too_low(memory: MetricsMemory) -> None:
    made, events = recorder(memory)
    generator = random.Random(7)
    sent = Counter[str]()
    for number in range(15_000):
        busy = generator.random() < 0.2
        client = f"198.51.100.{generator.randrange(20)}" if busy else f"10.{number >> 8 & 255}.{number & 255}.1"
        sent[client] += 1
        events.emit(request(client))
    made.tend()
    addresses = found(memory)["address"]
    assert len(addresses) == CLIENT_ENTRIES
    assert {f"198.51.100.{number}" for number in range(20)} <= addresses.keys()
    for client, counts in addresses.items():
        assert counts.requests - counts.overcount <= sent[client] <= counts.requests
    shown = busiest_clients(memory)
    assert {client.client for client in shown.addresses[:20]} == {f"198.51.100.{number}" for number in range(20)}
    assert len(shown.addresses) == 50


def test_a_full_batch_is_counted_at_once(memory: MetricsMemory) -> None:
    _, events = recorder(memory)
    for _ in range(BATCH):
        events.emit(request("192.0.2.7"))
    assert found(memory)["address"]["192.0.2.7"].requests == BATCH


def test_a_window_that_is_over_makes_room(memory: MetricsMemory, moment: list[float]) -> None:
    made, events = recorder(memory)
    for minutes in (0, 11, 22):
        moment[0] = NOON + minutes * 60
        events.emit(request(f"192.0.2.{minutes}"))
        made.tend()
    assert found(memory, moment[0])["address"].keys() == {"192.0.2.11", "192.0.2.22"}
    assert found(memory, moment[0] + 600)["address"].keys() == {"192.0.2.22"}
    assert not found(memory, moment[0] + 1200)["address"]


CHILD = """
import os, signal, sys
from gatepost.events import Events, RequestFinished
from gatepost.metrics.memory import MetricsMemory
from gatepost.metrics.recorder import Recorder

recorder, events = Recorder(MetricsMemory(int(sys.argv[1])).take()), Events()
recorder.subscribe(events)
for number in range(600):
    client = "192.0.2.1" if number % 2 else f"10.0.{number >> 8}.{number & 255}"
    name = f"{sys.argv[2]}.{number}"
    events.emit(RequestFinished(name, "GET", "/", "/", "books.get", 200, number, 0.5, 0, 0, 0, client, 1, None))
recorder.tend()
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_what_killed_processes_have_counted_stays(memory: MetricsMemory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()  # the children have the real time
    for number in range(7):  # more than there are regions
        code = [sys.executable, "-c", CHILD, str(memory.descriptor), str(number)]
        subprocess.run(code, pass_fds=[memory.descriptor], check=False)
    shown = busiest_clients(memory)
    assert (shown.addresses[0].client, shown.addresses[0].requests) == ("192.0.2.1", 2100)
    assert (shown.users[0].client, shown.users[0].requests) == ("1", 4200)
    assert sum(client.requests for client in shown.networks) == 4200


def test_a_user_whose_name_is_not_utf8_is_counted(memory: MetricsMemory) -> None:
    made, events = recorder(memory)
    events.emit(request("192.0.2.7", "ada\ud800"))
    made.tend()
    assert found(memory)["user"] == {"ada?": ClientCounts(1)}
