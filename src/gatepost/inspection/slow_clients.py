"""Slow clients: how long a client that sends next to nothing can hold a connection."""

from gatepost.inspection.checks import SEVERE, Check, Verdict, verdict
from gatepost.inspection.visit import Visit

DRIP = b"a" * 600


async def examine_head(visit: Visit) -> Verdict:
    """A head that comes byte by byte and never ends."""
    begun = visit.client.head("GET", None, "x-slow: ").rstrip()
    reply = await visit.client.send(begun, seconds=visit.patience_seconds, drip=DRIP)
    return verdict(reply.is_refusal, f"{reply} after {reply.seconds:.0f} s")


async def examine_body(visit: Visit) -> Verdict:
    """A body that stops after its first byte."""
    head = visit.client.head("POST", visit.post_target(), "content-type: application/json", "content-length: 60")
    reply = await visit.client.send(head + b"[", seconds=visit.patience_seconds)
    return verdict(reply.is_refusal, f"{reply} after {reply.seconds:.0f} s")


CHECKS: tuple[Check, ...] = (
    Check("slow heads", SEVERE, "Bound the time of a whole head to some ten seconds.", examine_head),
    Check("slow bodies", SEVERE, "Bound the wait for the next part of a body to some ten seconds.", examine_body),
)
"""They wait; the others are made meanwhile."""
