"""Two instances of one application in production, behind HAProxy; and clients that write through it."""

import contextlib
import http.client
import os
import subprocess
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import msgspec
import psutil
from tests.acceptance.conftest import NOTES, SECONDS_MAX, Running, production_settings, without_settings
from tests.client_threads import ClientThreads
from tests.ports import free_port

from gatepost.balancer.configuration import CONNECTIONS_PER_ADDRESS
from gatepost.balancer.haproxy import HAProxy
from gatepost.embedded.postgresql import EmbeddedPostgreSQL

ROLLING_RESTART = Path(__file__).parents[1] / "deploy" / "rolling-restart"
APP = '''
"""A creation takes a while, so that a killed instance has some in flight."""
import asyncio

from sqlalchemy.orm import Mapped

from gatepost import Actor, App, Controller, Model, RateLimit, Resource, Service, anyone, get, minutes


class Note(Model):
    __tablename__ = "notes"
    title: Mapped[str]


class Notes(Service[Note]):
    async def create(self, draft: Note, actor: Actor) -> Note:
        await asyncio.sleep(0.05)
        note = await super().create(draft, actor)
        await self.session.flush()
        await asyncio.sleep(0.05)
        return note


class Limited(Controller):
    path = "limited"

    @get("/ten", allow=anyone, rate_limit=RateLimit(10, per=minutes(15)))
    async def limited(self) -> dict[str, str]:
        return {}


app = App(Resource(Note, read=anyone, create=anyone, service=Notes), controllers=[Limited])
'''


class BalancedShop:
    """The instances by name, and the balancer in front of them."""

    def __init__(self, folder: Path, postgresql: EmbeddedPostgreSQL, connections_per_address: int) -> None:
        self.folder = folder
        self.postgresql = postgresql
        postgresql.execute(NOTES, database="gatepost")
        (folder / "app.py").write_text(APP)
        self.environ = {
            **without_settings(),
            **production_settings(folder, postgresql.dsn("gatepost")),
            "GATEPOST_LIMIT_API": "10000000",
            "GATEPOST_TRUSTED_PROXIES": "127.0.0.1",
        }
        del self.environ["GATEPOST_DRAIN_DELAY_SECONDS"]  # that of production
        self.ports = {name: free_port() for name in ("shop-1", "shop-2")}
        self.instances: dict[str, Running] = {}
        self._count = 0
        addresses = {name: f"127.0.0.1:{port}" for name, port in self.ports.items()}
        self.balancer = HAProxy(
            addresses, free_port(), folder / "haproxy", connections_per_address=connections_per_address
        )

    def start(self, name: str) -> None:
        """Start an instance, which is ready later."""
        self._count += 1
        environ = {**self.environ, "GATEPOST_INSTANCE": name, "GATEPOST_PORT": str(self.ports[name])}
        self.instances[name] = Running(["serve"], self.folder, environ, f"{name}.{self._count}")

    def restart(self, name: str) -> None:
        """Restart an instance as `systemctl restart` does: it returns when the old process has ended."""
        server = self.instances[name]
        server.process.terminate()
        server.wait()
        self.start(name)

    def kill(self, name: str) -> None:
        """End an instance with all its processes, as the kernel or a power cut would."""
        server = self.instances[name]
        below = server.children()
        server.process.kill()
        for process in below:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        server.wait()
        psutil.wait_procs(below, timeout=SECONDS_MAX)  # until then, connections wait at the port that they share

    def output(self) -> str:
        """What all instances have said, those that have ended as well."""
        return "".join(path.read_text() for path in sorted(self.folder.glob("shop-*.out")))

    def titles(self) -> Counter[str]:
        """How often each title is in the table."""
        found = self.postgresql.execute("SELECT title FROM notes", database="gatepost")
        return Counter(found.split())

    def roll(self, *options: str) -> "subprocess.CompletedProcess[str]":
        """Run `deploy/rolling-restart`, and restart what it wants restarted, in this process."""
        command = "touch restart.{}; while [ -e restart.{} ]; do sleep 0.05; done"
        instances = [f"{name}=http://127.0.0.1:{port}" for name, port in self.ports.items()]
        arguments = [ROLLING_RESTART, "--command", command, *options, *instances]
        process = subprocess.Popen(
            arguments, cwd=self.folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        try:
            while process.poll() is None:
                for asked in self.folder.glob("restart.*"):
                    self.restart(asked.suffix[1:])
                    asked.unlink()
                time.sleep(0.05)
            out, err = process.communicate()
        finally:
            process.kill()
            process.wait()
        return subprocess.CompletedProcess(arguments, process.returncode, out, err)


@contextmanager
def balanced_shop(
    folder: Path, postgresql: EmbeddedPostgreSQL, connections_per_address: int = CONNECTIONS_PER_ADDRESS
) -> Iterator[BalancedShop]:
    """Both instances ready, and nothing left afterwards."""
    shop = BalancedShop(folder, postgresql, connections_per_address)
    try:
        for name in shop.ports:
            shop.start(name)
        for server in shop.instances.values():
            server.ready()
        with shop.balancer:
            yield shop
    finally:
        for name in shop.instances:
            with contextlib.suppress(psutil.NoSuchProcess):
                shop.kill(name)


class Writes(ClientThreads):
    """POSTs from several clients, each with a title of its own, from entering to leaving the block.

    `statuses` has that of each title, 0 where the connection ended without a response.
    """

    def __init__(self, port: int, mark: str, *, clients: int = 2, pause_seconds: float = 0.02) -> None:
        super().__init__(clients)
        self._port = port
        self._mark = mark
        self._pause_seconds = pause_seconds
        self.statuses: dict[str, int] = {}
        self.codes: Counter[str] = Counter()

    def run(self, number: int) -> None:
        """Write until it is over."""
        count = 0
        while not self.is_over.wait(self._pause_seconds):
            count += 1
            title = f"{self._mark}-{number}-{count}"
            self.statuses[title], body = post(self._port, title)
            if self.statuses[title] >= 400:
                self.codes[msgspec.json.decode(body)["code"]] += 1


def post(port: int, title: str) -> tuple[int, bytes]:
    """The response to a creation on a connection of its own; 0 where there is none."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60.0)
    try:
        body = msgspec.json.encode({"title": title})
        connection.request("POST", "/api/notes", body, {"content-type": "application/json"})
        response = connection.getresponse()
        return response.status, response.read()
    except (OSError, http.client.HTTPException):
        return 0, b""
    finally:
        connection.close()


def curl(*arguments: str, environ: Mapping[str, str] = os.environ) -> str:
    """A response with its headers."""
    command = ["curl", "-si", "--max-time", "30", *arguments]
    return subprocess.run(command, env=environ, capture_output=True, text=True, check=False).stdout
