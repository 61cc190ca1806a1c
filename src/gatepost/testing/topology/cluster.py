"""The database of a site: which server is the primary, which follow it, and how that changes."""

from collections.abc import Mapping
from pathlib import Path

from gatepost.errors import ConfigurationError
from gatepost.testing.topology.database_servers import DatabaseServer
from gatepost.testing.topology.processes import Launcher, is_in_time
from gatepost.testing.topology.relays import Relays

ANY_STANDBY, NO_STANDBY = "ANY 1 (*)", ""
"""`synchronous_standby_names` of a primary that waits for a standby, and of one that does not."""


class DatabaseCluster:
    """A primary and those that follow it. Where `is_synchronous`, the primary confirms what a standby has, as long as
    there are standbys. `primary` and `standbys` are as the last promotion left them, `servers` are all."""

    def __init__(self, folder: Path, launcher: Launcher, relays: Relays, *, is_synchronous: bool) -> None:
        self._folder = folder
        self._launcher = launcher
        self._relays = relays
        self._is_synchronous = is_synchronous
        self.servers: list[DatabaseServer] = []
        self.standbys: list[DatabaseServer] = []
        self.primary: DatabaseServer

    async def start(self, count: int, settings: Mapping[str, str]) -> None:
        """Make so many servers, and start the first one as the primary."""
        for number in range(1, count + 1):
            name = f"server{number}"
            self.servers.append(DatabaseServer(name, self._folder / name, self._launcher, settings))
        self.primary = self.servers[0]
        await self.primary.start()

    async def start_standbys(self) -> None:
        """Start the others, each from a base backup of the primary."""
        for server in self.servers[1:]:
            await self._add(server)
        await self._wait_for_standbys()

    async def promote(self, standby: DatabaseServer) -> None:
        """Make a standby the primary; the other standbys follow it."""
        await standby.promote()
        self.standbys.remove(standby)
        self.primary = standby
        for other in self.standbys:
            if other.upstream is not None:
                other.upstream.drop()
        await self._wait_for_standbys()

    async def follow(self, server: DatabaseServer) -> None:
        """Make a server that was the primary a standby, from a new base backup."""
        await server.close()
        await self._add(server)
        await self._wait_for_standbys()

    async def close(self) -> None:
        """End all of them."""
        for server in reversed(self.servers):
            await server.close()

    async def _add(self, server: DatabaseServer) -> None:
        await server.copy_from(self.primary)
        if server.upstream is None:
            server.upstream = await self._relays.add(
                server, lambda: self.primary, lambda: self.primary.socket, name="primary", owner=server.owner
            )
        await server.start()
        self.standbys.append(server)

    async def _wait_for_standbys(self) -> None:
        names = ANY_STANDBY if self._is_synchronous and self.standbys else NO_STANDBY
        await self.primary.execute(f"ALTER SYSTEM SET synchronous_standby_names = '{names}'")
        await self.primary.execute("SELECT pg_reload_conf()")
        condition = "state = 'streaming'" + (" AND sync_state = 'quorum'" if names else "")
        sql = f"SELECT count(*) FROM pg_stat_replication WHERE {condition}"

        async def are_all_there() -> bool:
            return await self.primary.execute(sql) == str(len(self.standbys))

        if not await is_in_time(are_all_there):
            raise ConfigurationError(f"The standbys do not follow {self.primary}.", location="topology")
