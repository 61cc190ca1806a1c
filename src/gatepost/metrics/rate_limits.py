"""Which rate limits hold, in the regions of the processes that keep them: what operators may ask for.

At start. Whose limit it is, is told by its kind: of an address, of an actor, or of an account.
"""

from collections.abc import Iterable
from typing import NamedTuple

import msgspec

from gatepost.declaring.rate_limits import RateLimit
from gatepost.metrics.families import RATE_LIMITS
from gatepost.metrics.region import Region

ADDRESS, ACTOR, ACCOUNT = LIMIT_KINDS = ("address", "actor", "account")
LOCAL, VALKEY = "local", "valkey"


class HeldLimit(NamedTuple):
    """A limit by its name, for keys of a kind. `store` is where its buckets are: local or valkey."""

    kind: str
    name: str
    limit: RateLimit
    store: str


def publish_limits(region: Region, limits: Iterable[HeldLimit]) -> None:
    """Show the limits of this process."""
    for held in limits:
        rule = msgspec.json.encode(held.limit).decode()
        region.place(RATE_LIMITS, (held.kind, held.name, rule, held.store))


def limits_in(regions: Iterable[Region]) -> list[HeldLimit]:
    """Those of all processes, each once."""
    found = [dict(line.labels) for region in regions for line in region.published() if line.kind == "limit"]
    held = (
        HeldLimit(each["kind"], each["name"], msgspec.json.decode(each["rule"], type=RateLimit), each["store"])
        for each in found
    )
    return list(dict.fromkeys(held))
