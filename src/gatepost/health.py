"""Probes: `/livez` says that the process runs, `/readyz` whether it should be sent requests.

Neither waits for anything: they report a known state. A locked table or an exhausted pool does not make an instance
unready: requests would meet the same on another one. As an application would write them: they import public names only.
"""

from collections.abc import Callable, Mapping

import msgspec

from gatepost import Controller, Response, anyone, get

OK = "ok"
AWAY = "database_unavailable"
NO_CONNECTION = "no_connection"
READ_ONLY = "read_only"
SCHEMA_CHANGED = "schema_changed"
"""Some tables are not those of the models: what uses others is served."""
NOTHING_FITS = "nothing_fits"
"""No table of a resource is the one of its model."""


class Readiness:
    """What readiness depends on.

    `database` says in a word how the database is: `OK` where requests can be served, `SCHEMA_CHANGED` where some can,
    `READ_ONLY` where reads can, which is not enough with `needs_writes`. `is_draining` is true from the moment the
    process is told to stop. `limits` tells how the rate limits are kept: no reason to be sent no requests.
    """

    def __init__(
        self,
        database: Callable[[], str],
        is_draining: Callable[[], bool],
        limits: Callable[[], Mapping[str, object]],
        *,
        needs_writes: bool = False,
    ) -> None:
        self.database = database
        self.is_draining = is_draining
        self.limits = limits
        self.enough = frozenset({OK, SCHEMA_CHANGED} if needs_writes else {OK, SCHEMA_CHANGED, READ_ONLY})

    @property
    def has_database(self) -> bool:
        """Whether the database can be reached."""
        return self.database() not in {AWAY, NO_CONNECTION}

    @property
    def is_ready(self) -> bool:
        """Whether requests can be served."""
        return self.database() in self.enough and not self.is_draining()


class Probes(Controller):
    """The two probes, free of rate limits, at the root of the server."""

    readiness: Readiness

    @get("/livez", allow=anyone, probe=True, cache_control="no-store")
    async def livez(self) -> Response:
        """Tell whether the process can respond: 200 while it can."""
        return Response(200, b'{"status":"ok"}')

    @get("/readyz", allow=anyone, probe=True)
    async def readyz(self) -> Response:
        """Tell whether requests can be served: 200 while they can, 503 with the reason while they cannot."""
        readiness = self.readiness
        limits = readiness.limits()
        database = readiness.database()
        # Last, so that a probe that began before the process was told to stop does not say that it is ready.
        is_draining = readiness.is_draining()
        is_ready = database in readiness.enough and not is_draining
        body = {
            "status": OK if is_ready else "unavailable",
            "database": database,
            "process": "draining" if is_draining else OK,
            **limits,
        }
        return Response(200 if is_ready else 503, msgspec.json.encode(body), cache_control=b"no-store")
