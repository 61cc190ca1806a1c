"""`Limits`: what is left to a client, and full buckets for it, in the memory that the workers keep their limits in.

The pages of `gatepost limits`.
"""

import asyncio
import threading
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING
from urllib.parse import unquote

import msgspec

from gatepost.declaring.rate_limits import RateLimit
from gatepost.events import Events, LimitsReset
from gatepost.metrics.memory import MetricsMemory
from gatepost.metrics.rate_limits import LIMIT_KINDS, LOCAL, HeldLimit, limits_in
from gatepost.monitor.context import MonitorContext
from gatepost.monitor.page_table import Page, Request, json_page

if TYPE_CHECKING:
    from gatepost.gateway.buckets import BucketTable


def add_limit_pages(context: MonitorContext) -> None:
    """Serve them."""
    pages = LimitPages(Limits(context.monitored.memory, context.monitored.buckets), context.events)
    context.pages.add("GET", "/limits", pages.held)
    for kind in LIMIT_KINDS:
        context.pages.add("GET", f"/limits/{kind}/", partial(pages.show, kind))
        context.pages.add("PUT", f"/limits/{kind}/", partial(pages.refill, kind))


class LimitState(msgspec.Struct, frozen=True):
    """What is left of a limit to one key."""

    limit: str
    rate: str
    left: int
    full_in_seconds: int


class Limits:
    """The limits that workers have published in `memory`, with their buckets in `table`."""

    def __init__(self, memory: MetricsMemory, table: "BucketTable") -> None:
        from gatepost.gateway.buckets import LocalBuckets  # with the gate, which the master need not wait for

        self._memory = memory
        self._buckets = LocalBuckets(table)
        self._lock = threading.Lock()  # the table is for one thread of each process

    def held(self) -> list[HeldLimit]:
        """All of them."""
        with self._memory.regions() as regions:
            return limits_in(regions)

    def show(self, kind: str, key: str) -> list[LimitState]:
        """Every limit that holds for a key of this kind. Raises LookupError where they are kept elsewhere."""
        group = self._buckets.group(self._named(kind), strict=True)
        with self._lock:
            deficits = asyncio.run(group.peek(key))
        return [
            LimitState(spec.name, str(spec.limit), *spec.remaining(deficit))
            for spec, deficit in zip(group.specs, deficits, strict=True)
        ]

    def refill(self, kind: str, key: str) -> int:
        """Fill every bucket of a key, and say how many. Raises LookupError where they are kept elsewhere."""
        group = self._buckets.group(self._named(kind), strict=True)
        with self._lock:
            asyncio.run(group.refill(key))
        return len(group.specs)

    def _named(self, kind: str) -> Sequence[tuple[str, RateLimit]]:
        found = [held for held in self.held() if held.kind == kind]
        if any(held.store != LOCAL for held in found):
            raise LookupError(kind)
        return [(held.name, held.limit) for held in found]


class LimitPages:
    """Which limits hold, and what is left to one key, which stands in the path. `events` get what operators do."""

    def __init__(self, limits: Limits, events: Events) -> None:
        self._limits = limits
        self._events = events

    def held(self, request: Request) -> Page:
        """Which limits hold, and where to ask for a key of each kind."""
        found = [
            {"kind": held.kind, "limit": held.name, "rate": str(held.limit), "store": held.store}
            for held in self._limits.held()
        ]
        return json_page(200, {"limits": found, "paths": [f"/limits/{kind}/..." for kind in LIMIT_KINDS]})

    def show(self, kind: str, request: Request) -> Page:
        """What is left."""
        try:
            return json_page(200, {"limits": self._limits.show(kind, unquote(request.name))})
        except LookupError:
            return _KEPT_ELSEWHERE

    def refill(self, kind: str, request: Request) -> Page:
        """Fill the buckets."""
        key = unquote(request.name)
        try:
            refilled = self._limits.refill(kind, key)
        except LookupError:
            return _KEPT_ELSEWHERE
        self._events.emit(LimitsReset(kind, key, request.operator))
        return json_page(200, {"refilled": refilled})


_KEPT_ELSEWHERE = json_page(409, {"detail": "The limits of this server are kept in a Valkey: ask that."})
