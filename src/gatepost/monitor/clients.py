"""Who sends the most, is refused most, or fails most to sign in: clients of the last minutes, over all processes."""

import time
from collections.abc import Mapping, Sequence
from operator import attrgetter
from typing import Literal, get_args

import msgspec

from gatepost.metrics.client_table import WINDOW_SECONDS, ClientCounts
from gatepost.metrics.clients import ADDRESS, NETWORK, USER, WINDOWS, clients_of
from gatepost.metrics.memory import MetricsMemory
from gatepost.moments import shown_moment

SHOWN_MAX = 50


ClientOrder = Literal["requests", "refusals", "failed_sign_ins"]
ORDERS: Sequence[ClientOrder] = get_args(ClientOrder)


class Client(msgspec.Struct, frozen=True):
    """What an address, a network or a user has sent. Up to `overcount` of the `requests` may have been another's."""

    client: str
    requests: int
    refusals: int
    failed_sign_ins: int
    overcount: int


class BusiestClients(msgspec.Struct, frozen=True):
    """Those of the time since `since` (RFC 3339), those with the most of `by` first. Of addresses there are those that
    may be kept."""

    since: str
    by: ClientOrder
    addresses: Sequence[Client]
    networks: Sequence[Client]
    users: Sequence[Client]


def busiest_clients(memory: MetricsMemory, by: ClientOrder = "requests") -> BusiestClients:
    """Of the present ten minutes and the ten before. With an order by anything but requests, those that have none of it
    are left out."""
    now = time.time()
    with memory.regions() as regions:
        found = clients_of((series for region in regions for series in region.series()), now)
    began = (int(now // WINDOW_SECONDS) - WINDOWS + 1) * WINDOW_SECONDS
    return BusiestClients(shown_moment(began), by, *(_busiest(found[kind], by) for kind in (ADDRESS, NETWORK, USER)))


def _busiest(counts: Mapping[str, ClientCounts], by: ClientOrder) -> list[Client]:
    of = attrgetter(by)
    some = [(key, found) for key, found in counts.items() if of(found)]
    ordered = sorted(some, key=lambda item: (-of(item[1]), -item[1].requests, item[0]))
    return [Client(key, *found) for key, found in ordered[:SHOWN_MAX]]
