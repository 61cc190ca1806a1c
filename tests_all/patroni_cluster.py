"""Three nodes of Patroni, which agree by an etcd, as an operator runs them: each keeps a PostgreSQL of the wheel."""

import os
import secrets
import signal
import sys
from contextlib import suppress
from pathlib import Path

import msgspec
from tests.ports import free_port

from gatepost.embedded.programs import find_programs
from gatepost.testing.topology.http_client import HTTPConnection, HTTPResponse, NotSent
from gatepost.testing.topology.processes import Launcher, is_in_time, kill_tree, signal_tree

TTL_SECONDS = 20
"""Patroni takes a shorter one for this as well."""

START_SECONDS_MAX = 180.0
ETCD = "/usr/bin/etcd"
ROLE, DATABASE = "postgres", "postgres"
# PostgreSQL refuses to run as root, and another user could not read our Python.
AS_NOBODY_SPECIAL = ["unshare", "--user", "--map-user=1000", "--map-group=1000"] if os.geteuid() == 0 else []


class Node:
    """One node: Patroni and its PostgreSQL."""

    def __init__(self, name: str, folder: Path, etcd_port: int, password: str) -> None:
        self.name = name
        self.port, self.api_port = free_port(), free_port()
        self._folder = folder / name
        self._etcd_port = etcd_port
        self._password = password
        self._process = None

    async def start(self, launcher: Launcher) -> None:
        """Start it, and wait for nothing."""
        self._folder.mkdir(mode=0o700)
        file = self._folder / "patroni.json"  # JSON is YAML
        file.write_bytes(msgspec.json.encode(self._configuration()))
        command = [*AS_NOBODY_SPECIAL, sys.executable, "-m", "patroni", str(file)]
        self._process = await launcher.spawn(
            command, folder=self._folder, environ=dict(os.environ), log=self._folder / "log"
        )

    def kill(self) -> None:
        """End all its processes at once. PostgreSQL's is no child of Patroni's."""
        with suppress(OSError, ValueError):
            pid = int((self._folder / "data" / "postmaster.pid").read_text().splitlines()[0])
            signal_tree(pid, signal.SIGSTOP)
            signal_tree(pid, signal.SIGKILL)
        if self._process is not None:
            kill_tree(self._process)

    async def role(self) -> str:
        """What it says that it is: `primary`, `sync_standby`, `replica`; empty where it says nothing."""
        try:
            response = await self.ask("GET", "/patroni")
        except (NotSent, OSError):
            return ""
        found = msgspec.json.decode(response.body)
        if found.get("state") != "running":
            return ""
        return "sync_standby" if found.get("sync_standby") else str(found.get("role"))

    async def ask(self, method: str, path: str, content: bytes | None = None) -> HTTPResponse:
        """A request to its API."""
        connection = HTTPConnection(self.api_port)
        try:
            return await connection.request(method, path, {}, content, seconds=30)
        finally:
            connection.close()

    @property
    def log(self) -> str:
        """What Patroni has printed."""
        return (self._folder / "log").read_text(errors="replace")

    def _configuration(self) -> dict[str, object]:
        return {
            "scope": "shop",
            "name": self.name,
            "etcd3": {"hosts": f"127.0.0.1:{self._etcd_port}"},
            "restapi": {"listen": f"127.0.0.1:{self.api_port}"},
            "bootstrap": {
                "dcs": {
                    "ttl": TTL_SECONDS,
                    "loop_wait": 1,
                    "retry_timeout": 3,
                    "synchronous_mode": True,
                    "primary_start_timeout": 0,
                },
                "initdb": [{"encoding": "UTF8"}, {"locale": "C"}],
            },
            "postgresql": {
                "listen": f"127.0.0.1:{self.port}",
                "data_dir": str(self._folder / "data"),
                "bin_dir": str(find_programs()),
                "pgpass": str(self._folder / "pgpass"),
                "authentication": {
                    "superuser": {"username": ROLE, "password": self._password},
                    "replication": {"username": "replicator", "password": self._password},
                },
                "parameters": {"unix_socket_directories": str(self._folder), "fsync": "off"},
                "pg_hba": [
                    "host all all 127.0.0.1/32 scram-sha-256",
                    "host replication all 127.0.0.1/32 scram-sha-256",
                ],
            },
        }


class PatroniCluster:
    """Three nodes in `folder`, in synchronous mode. Nothing of it outlives the block."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._launcher = Launcher()
        self._password = secrets.token_hex(16)
        self._etcd_port = free_port()
        self._etcd = None
        self.nodes = [Node(f"node{number}", folder, self._etcd_port, self._password) for number in (1, 2, 3)]

    @property
    def dsn(self) -> str:
        """The DSN that names all nodes."""
        hosts = ",".join(f"127.0.0.1:{node.port}" for node in self.nodes)
        return f"postgresql://{ROLE}:{self._password}@{hosts}/{DATABASE}?target_session_attrs=primary"

    async def __aenter__(self) -> "PatroniCluster":
        try:
            await self._start_etcd()
            for node in self.nodes:
                await node.start(self._launcher)
            await self.becomes_whole(3)
        except BaseException:
            await self.__aexit__()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        for node in self.nodes:
            node.kill()
        if self._etcd is not None:
            kill_tree(self._etcd)
        self._launcher.close()

    async def becomes_whole(self, count: int) -> None:
        """Wait for a primary and a synchronous standby among so many nodes that run."""

        async def is_whole() -> bool:
            roles = [role for node in self.nodes if (role := await node.role())]
            return len(roles) == count and "sync_standby" in roles and bool({"primary", "master"} & {*roles})

        if not await is_in_time(is_whole, START_SECONDS_MAX):
            logs = "\n".join(f"{node.name}: {node.log[-2000:]}" for node in self.nodes)
            raise AssertionError(f"not whole after {START_SECONDS_MAX:g} s\n{logs}")

    async def find(self, *roles: str) -> Node:
        """The first node that has one of these roles."""
        for node in self.nodes:
            if await node.role() in roles:
                return node
        raise AssertionError(f"no node is {roles}")

    async def switch_over(self) -> None:
        """A planned change of the primary, as `patronictl switchover` asks for it."""
        primary, standby = await self.find("primary", "master"), await self.find("sync_standby")
        wanted = msgspec.json.encode({"leader": primary.name, "candidate": standby.name})
        response = await primary.ask("POST", "/switchover", wanted)
        assert response.status == 200, response.body

    async def _start_etcd(self) -> None:
        client, peer = f"http://127.0.0.1:{self._etcd_port}", f"http://127.0.0.1:{free_port()}"
        options = {
            "data-dir": self._folder / "etcd",
            "listen-client-urls": client,
            "advertise-client-urls": client,
            "listen-peer-urls": peer,
            "initial-advertise-peer-urls": peer,
            "initial-cluster": f"default={peer}",
        }
        command = [ETCD, *(f"--{name}={value}" for name, value in options.items())]
        log = self._folder / "etcd.log"
        self._etcd = await self._launcher.spawn(command, folder=self._folder, environ=dict(os.environ), log=log)

        async def replies() -> bool:
            connection = HTTPConnection(self._etcd_port)
            try:
                return (await connection.request("GET", "/health", {}, None, seconds=2)).status == 200
            except (NotSent, OSError):
                return False
            finally:
                connection.close()

        assert await is_in_time(replies), log.read_text()
