"""Who sends the most: the busiest clients of the last minutes, over all processes."""

import time
from collections.abc import Mapping, Sequence

import msgspec

from gatepost.metrics.client_table import WINDOW_SECONDS, ClientCounts
from gatepost.metrics.clients import ADDRESS, NETWORK, USER, WINDOWS, clients_of
from gatepost.metrics.memory import MetricsMemory
from gatepost.records.moments import shown_time

SHOWN_MAX = 50


class Client(msgspec.Struct, frozen=True):
    """What an address, a network or a user has sent. Up to `overcount` of the `requests` may have been another's."""

    client: str
    requests: int
    refusals: int
    failed_sign_ins: int
    overcount: int


class BusiestClients(msgspec.Struct, frozen=True):
    """Those of the time since `since` (RFC 3339), the busiest first. Of addresses there are those that may be kept."""

    since: str
    addresses: Sequence[Client]
    networks: Sequence[Client]
    users: Sequence[Client]


def busiest_clients(memory: MetricsMemory) -> BusiestClients:
    """Of the present ten minutes and the ten before."""
    now = time.time()
    with memory.regions() as regions:
        found = clients_of((series for region in regions for series in region.series()), now)
    began = (int(now // WINDOW_SECONDS) - WINDOWS + 1) * WINDOW_SECONDS
    return BusiestClients(shown_time(began), *(_busiest(found[kind]) for kind in (ADDRESS, NETWORK, USER)))


def _busiest(counts: Mapping[str, ClientCounts]) -> list[Client]:
    ordered = sorted(counts.items(), key=lambda item: (-item[1].requests, item[0]))
    return [Client(key, *found) for key, found in ordered[:SHOWN_MAX]]
