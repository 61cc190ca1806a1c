"""`ClientCounter`: how much each client sends, in the region of its process, and what all processes have counted.

Beside the request path: a request is remembered by one append, and counted with others, within a second. Of
addresses is kept what the log may show (`GATEPOST_LOG_CLIENT`); users are named as on access lines.
"""

import time
from collections import Counter
from collections.abc import Iterable
from operator import attrgetter

from gatepost.events import RequestFinished
from gatepost.logging.clients import shown_network
from gatepost.metrics.client_table import (
    WINDOW_SECONDS,
    ClientCounts,
    ClientTable,
    clients_in,
    window_of,
)
from gatepost.metrics.families import TOP_CLIENTS
from gatepost.metrics.region import Region, Series

BATCH = 512
"""So many requests are counted together, or as many as there were within a second."""

WINDOWS = 2
"""The present one and the one before: what is shown is of the last ten to twenty minutes."""

ADDRESS, NETWORK, USER = KINDS = ("address", "network", "user")
_KEPT = {"full": (ADDRESS, NETWORK), "network": (NETWORK,), "none": ()}

_client, _actor = attrgetter("client"), attrgetter("actor_id")

Clients = dict[str, dict[str, ClientCounts]]


class ClientCounter:
    """Counts for the clients of this process. `shown` is what may be kept of an address: full, network, or none.

    `requests`, those of them that were `refused`, and the addresses of `failed` attempts to sign in wait for `count`.
    """

    def __init__(self, region: Region, shown: str) -> None:
        self._tables = {
            (kind, window): ClientTable(region.cells_of(region.place(TOP_CLIENTS, (kind, str(window))), "top"))
            for kind in (*_KEPT[shown], USER)
            for window in range(WINDOWS)
        }
        self.requests: list[RequestFinished] = []
        self.refused: list[RequestFinished] = []
        self.failed: list[str] = []

    def count(self) -> None:
        """Count what has been kept since the last time."""
        requests, refused, failed = self.requests.copy(), self.refused.copy(), self.failed.copy()
        # The same lists for ever: who adds to them holds their `append`.
        self.requests.clear()
        self.refused.clear()
        self.failed.clear()
        if not requests and not failed:
            return
        addresses = _counted(map(_client, requests), map(_client, refused), failed)
        self._add(ADDRESS, addresses)
        networks: dict[str, ClientCounts] = {}
        for address, counts in addresses.items():
            network = _network_of(address)
            networks[network] = networks.get(network, ClientCounts(0)).plus(counts)
        self._add(NETWORK, networks)
        self._add(USER, _counted(map(_actor, requests), map(_actor, refused), ()))

    def _add(self, kind: str, found: dict[str, ClientCounts]) -> None:
        window = int(time.time() // WINDOW_SECONDS)
        table = self._tables.get((kind, window % WINDOWS))
        if table is None:
            return
        table.begin(window)
        for key, counts in found.items():
            table.add(key, counts)


def _network_of(address: str) -> str:
    head, dot, last = address.rpartition(".")
    if dot and last.isdecimal() and ":" not in head:
        return f"{head}.0/24"  # a tenth of the cost of parsing it: a flood has many
    return shown_network(address)


def _counted(
    requests: Iterable[object], refused: Iterable[object], failed: Iterable[object]
) -> dict[str, ClientCounts]:
    all_requests, refusals, failures = Counter(requests), Counter(refused), Counter(failed)
    return {
        str(key): ClientCounts(all_requests[key], refusals[key], failures[key])
        for key in {**all_requests, **failures}
        if key not in (None, "")
    }


def fold_clients(departed: Region, series: Series) -> None:
    """Add what a process has counted that is gone to what those before it have."""
    place = departed.place(TOP_CLIENTS, tuple(series.labels.values()))
    table, window = ClientTable(departed.cells_of(place, "top")), window_of(series)
    if window > table.window:
        table.begin(window)
    if window == table.window:
        for key, counts in clients_in(series):
            table.add(key, counts)


def clients_of(series: Iterable[Series], now: float) -> Clients:
    """What all processes have counted in the present window and the one before, by kind."""
    present = int(now // WINDOW_SECONDS)
    found: Clients = {kind: {} for kind in KINDS}
    for each in series:
        if each.kind == "top" and present - WINDOWS < window_of(each) <= present:
            known = found[each.labels["by"]]
            for key, counts in clients_in(each):
                known[key] = known.get(key, ClientCounts(0)).plus(counts)
    return found
