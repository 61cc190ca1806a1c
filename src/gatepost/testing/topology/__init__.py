"""An app on several instances, with a primary, standbys, a balancer and a Valkey, for tests of what faults do to it.

    async with topology("app:app", instances=2, standbys=1, synchronous=True) as site:
        async with site.load("/api/notes", lambda key: {"title": key}) as history:
            await history.acknowledges(20)
            site.primary.kill()
            await site.promote(site.standbys[0])
            await history.acknowledges(20)
        verdict = history.verdict(await site.column("SELECT title FROM notes"))
        assert verdict.holds, verdict

All of it are real processes on this machine: `gatepost serve`, the embedded PostgreSQL, HAProxy, Valkey. What passes
between them goes through relays that can be cut. Nothing of it outlives the block.
"""

from gatepost.testing.topology.balancing import Balancer
from gatepost.testing.topology.database_servers import DatabaseServer
from gatepost.testing.topology.history import Attempt, History, WriteVerdict
from gatepost.testing.topology.instances import Instance
from gatepost.testing.topology.site import Site, topology
from gatepost.testing.topology.valkey import ValkeyServer

__all__ = [
    "Attempt",
    "Balancer",
    "DatabaseServer",
    "History",
    "Instance",
    "Site",
    "ValkeyServer",
    "WriteVerdict",
    "topology",
]
