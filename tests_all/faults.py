"""The faults of docs/reference/faults.md: each in a running topology under load, with what its clients saw.

`python tests_all/faults.py` prints the table of the page.
"""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from memory_groups import MemoryGroup, memory_group

from gatepost.testing.topology import History, Site
from gatepost.testing.topology.history import NOT_SENT
from gatepost.testing.topology.http_client import NotSent
from gatepost.testing.topology.instances import Instance
from gatepost.testing.topology.processes import processes_below, resident_pages

APP = '''
"""One model that anybody writes."""
from sqlalchemy.orm import Mapped

from gatepost import App, Model, Resource, anyone


class Note(Model):
    __tablename__ = "notes"
    title: Mapped[str]


app = App(Resource(Note, read=anyone, create=anyone))
'''
PATH = "/api/notes"
TITLES = "SELECT title FROM notes"
UNAVAILABLE, UNKNOWN, FULL = "503 database_unavailable", "503 outcome_unknown", "503 database_full"
READ_ONLY = "503 database_read_only"
TIMEOUT, BUSY = "504 database_timeout", "503 database_busy"
NO_INSTANCE, LOST = "503 balancer_no_instance", "502 balancer_response_lost"
CUT_OFF = "cut off"
LARGE_BODY_BYTES = 900_000
OUT_OF_MEMORY_SECONDS_MAX = 60.0
GOES_ON_SECONDS = 2.0
"""How long a fault goes on that clients need not notice."""

Act = Callable[[Site, History], Awaitable[None]]


@dataclass(frozen=True)
class Fault:
    """A row of the page: what happens; which refusals reads and writes may get meanwhile, and which of them somebody
    gets each time (`always`); and what to know besides."""

    name: str
    act: Act
    reads: frozenset[str]
    writes: frozenset[str]
    always: frozenset[str] = frozenset()
    note: str = ""

    @property
    def row(self) -> str:
        """As it is on the page."""
        return f"| {self.name} | {self._shown(self.reads)} | {self._shown(self.writes)} | {self.note} |"

    def contradiction(self, history: History) -> str:
        """What of a history is not as the row says; empty where all is."""
        seen = {kind: {each for each in found if each[0] != "2"} for kind, found in history.outcomes().items()}
        other = (seen["read"] - self.reads) | (seen["write"] - self.writes)
        missing = self.always - seen["read"] - seen["write"]
        return (
            "" if not other and not missing else f"{self.name}: {history.outcomes()}, unexpected {other}, no {missing}"
        )

    def _shown(self, outcomes: frozenset[str]) -> str:
        words = [SHOWN[each] + ("" if each in self.always else "?") for each in SHOWN if each in outcomes]
        return ", ".join(words) or "success"


SHOWN = {
    CUT_OFF: "cut off",
    NOT_SENT: "connection refused",
    UNAVAILABLE: "`database_unavailable`",
    BUSY: "`database_busy`",
    TIMEOUT: "`database_timeout`",
    NO_INSTANCE: "`balancer_no_instance`",
    LOST: "`balancer_response_lost`",
    UNKNOWN: "`outcome_unknown`",
    FULL: "`database_full`",
    READ_ONLY: "`database_read_only`",
}


def some(*outcomes: str) -> frozenset[str]:
    return frozenset(outcomes)


async def going_on(_site: Site, _history: History) -> None:
    """What clients need not notice goes on for a while."""
    await asyncio.sleep(GOES_ON_SECONDS)


async def kill_one(site: Site, history: History) -> None:
    site.instances[0].kill()
    await history.acknowledges(50)
    await site.instances[0].start()
    await site.balancer.sees(site.instances[0])


async def kill_worker(site: Site, history: History) -> None:
    with memory_group() as group:
        if group is None:  # the signal that the kernel sends
            site.instances[0].kill_worker()
        else:
            await run_out_of_memory(site.instances[0], group)
    await history.acknowledges(50)
    await site.instances[0].becomes_ready()
    await site.balancer.sees(site.instances[0])


async def run_out_of_memory(instance: Instance, group: MemoryGroup) -> None:
    """A worker gets large bodies while it may have no more memory, until the kernel kills it."""
    assert instance.pid is not None
    group.take(max(processes_below(instance.pid), key=resident_pages))
    async with asyncio.timeout(OUT_OF_MEMORY_SECONDS_MAX):
        while not group.kills:
            with contextlib.suppress(NotSent, OSError):
                await instance.post(PATH, {"title": "x" * LARGE_BODY_BYTES}, seconds=5)


async def pause_one(site: Site, history: History) -> None:
    site.instances[0].pause()
    await site.balancer.sees(site.instances[0], "DOWN")
    await history.acknowledges(50)
    site.instances[0].resume()
    await site.balancer.sees(site.instances[0])


async def kill_both(site: Site, history: History) -> None:
    for instance in site.instances:
        instance.kill()
    await history.sees("balancer_no_instance")
    for instance in site.instances:
        await instance.launch()
    for instance in site.instances:
        await site.balancer.sees(instance)


async def pause_both(site: Site, history: History) -> None:
    """Clients whose requests are in flight wait for as long as the balancer does; others are told at once."""
    for instance in site.instances:
        instance.pause()
    for instance in site.instances:
        await site.balancer.sees(instance, "DOWN")
    async with site.load(PATH, lambda key: {"title": key}, clients=2) as others:
        await others.sees("balancer_no_instance")
    for attempt in others.attempts:
        history.add(attempt)
    for instance in site.instances:
        instance.resume()
    for instance in site.instances:
        await site.balancer.sees(instance)


async def kill_balancer(site: Site, history: History) -> None:
    site.balancer.kill()
    await history.sees(NOT_SENT)
    await site.balancer.start()
    for instance in site.instances:
        await site.balancer.sees(instance)


async def reload(site: Site, history: History) -> None:
    for _ in range(3):
        await site.balancer.reload()
        await history.acknowledges(20)


async def kill_valkey(site: Site, history: History) -> None:
    site.valkey.kill()
    await going_on(site, history)
    await site.valkey.start()


async def pause_valkey(site: Site, history: History) -> None:
    site.valkey.pause()
    await going_on(site, history)
    site.valkey.resume()


async def cut_valkey(site: Site, history: History) -> None:
    for instance in site.instances:
        site.cut(instance, site.valkey)
    await going_on(site, history)
    for instance in site.instances:
        site.heal(instance, site.valkey)


async def cut_standby(site: Site, history: History) -> None:
    primary, standby = site.primary, site.standbys[0]
    site.cut(primary, standby)
    await history.sees("outcome_unknown")
    await history.sees("database_read_only")
    site.heal(primary, standby)
    deadline = time.monotonic() + 30
    for instance in site.instances:
        while b'"database":"ok"' not in (await instance.get("/readyz")).body:
            assert time.monotonic() < deadline
            await asyncio.sleep(0.1)


async def cut_instances(site: Site, history: History) -> None:
    primary = site.primary
    for instance in site.instances:
        site.cut(instance, primary)
    await history.sees("database_unavailable")
    for instance in site.instances:
        site.heal(instance, primary)


async def pause_primary(site: Site, history: History) -> None:
    primary = site.primary
    primary.pause()
    await history.sees("database_unavailable")
    primary.resume()


async def kill_backend(site: Site, history: History) -> None:
    site.primary.kill_backend()
    await history.acknowledges(20)


async def kill_primary(site: Site, history: History) -> None:
    former = site.primary
    former.kill()
    await history.sees("database_unavailable")
    await site.promote(site.standbys[0])
    await history.acknowledges(20)
    await site.follow(former)


async def switch_over(site: Site, history: History) -> None:
    await site.switch_over(site.standbys[0])


NONE = some()
GONE = some(CUT_OFF, LOST)
AWAY = some(UNAVAILABLE, BUSY, TIMEOUT, NO_INSTANCE)
"""A request that waits may run into a limit before it is known that nothing replies."""
FAULTS = [
    Fault("One instance is killed", kill_one, NONE, GONE, note="The balancer repeats reads at the other one."),
    Fault("The kernel kills a worker: no memory is left", kill_worker, NONE, GONE, note="The master starts another."),
    Fault(
        "One instance hangs",
        pause_one,
        some(TIMEOUT),
        some(TIMEOUT),
        note="What it has got waits until it goes on, or for the 20 s of the balancer.",
    ),
    Fault(
        "Both instances are killed", kill_both, some(NO_INSTANCE) | GONE, some(NO_INSTANCE) | GONE, some(NO_INSTANCE)
    ),
    Fault(
        "Both instances hang",
        pause_both,
        some(NO_INSTANCE, TIMEOUT),
        some(NO_INSTANCE, TIMEOUT),
        some(NO_INSTANCE),
        note="As for one of them; new requests are refused at once.",
    ),
    Fault("HAProxy is reloaded", reload, NONE, NONE),
    Fault(
        "HAProxy is killed",
        kill_balancer,
        some(CUT_OFF, NOT_SENT),
        some(CUT_OFF, NOT_SENT),
        some(NOT_SENT),
        note="Its supervisor starts it again: systemd, `gatepost dev`, the container's engine.",
    ),
    Fault("Valkey is killed", kill_valkey, NONE, NONE, note="Each machine limits by itself meanwhile."),
    Fault("Valkey hangs", pause_valkey, NONE, NONE, note="The same, after 20 ms."),
    Fault("Valkey is cut off", cut_valkey, NONE, NONE, note="The same."),
    Fault(
        "The kernel kills a backend of the primary",
        kill_backend,
        AWAY,
        AWAY | some(UNKNOWN),
        note="PostgreSQL restarts all of its backends.",
    ),
    Fault(
        "The primary is cut off from its only standby",
        cut_standby,
        some(BUSY),
        some(UNKNOWN, READ_ONLY, UNAVAILABLE, BUSY),
        some(UNKNOWN, READ_ONLY),
        note="Writes wait for the standby, and are given up a second after `GATEPOST_DATABASE_STATEMENT_SECONDS` "
        "(transactions: five after `GATEPOST_REQUEST_SECONDS`). "
        "From then on none is sent until it is back.",
    ),
    Fault("The instances are cut off from the primary", cut_instances, AWAY, AWAY | some(UNKNOWN), some(UNAVAILABLE)),
    Fault("The primary hangs", pause_primary, AWAY, AWAY | some(UNKNOWN), some(UNAVAILABLE)),
    Fault(
        "The primary is killed, a standby promoted",
        kill_primary,
        AWAY,
        AWAY | some(UNKNOWN, READ_ONLY),
        some(UNAVAILABLE),
    ),
    Fault(
        "The primary is demoted: stopped, a standby promoted",
        switch_over,
        AWAY,
        AWAY | some(UNKNOWN, READ_ONLY),
        some(UNAVAILABLE),
    ),
]
DISK_FAULTS = {
    "data": Fault("The disk is full", going_on, NONE, some(FULL), some(FULL)),
    "log": Fault(
        "The disk is full, and PostgreSQL needs a new file for its log",
        going_on,
        some(UNAVAILABLE),
        some(UNAVAILABLE, UNKNOWN, FULL),
        some(UNAVAILABLE),
        note="PostgreSQL ends, and starts when there is room.",
    ),
}
"""By the kind that `full_disk.py` makes."""


def table() -> str:
    """The table of the page."""
    head = "| fault | reads | writes | |\n| --- | --- | --- | --- |\n"
    return head + "".join(f"{fault.row}\n" for fault in (*FAULTS, *DISK_FAULTS.values()))


if __name__ == "__main__":
    print(table(), end="")
