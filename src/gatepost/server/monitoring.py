"""What a server shows operators: the metrics of its processes, and the sockets of the admin listener.

Before the request path, in the master: made before any process is started, so that each has the memory.
"""

import contextlib
import socket
from dataclasses import dataclass

from gatepost.errors import ConfigurationError
from gatepost.events import Events
from gatepost.logging.console import print_warning
from gatepost.logging.levels import LevelTable
from gatepost.logging.logs import Logs
from gatepost.metrics.memory import MetricsMemory
from gatepost.monitor.addresses import admin_address, socket_path
from gatepost.monitor.admin import open_socket
from gatepost.server.listening import listen
from gatepost.settings import Settings


@dataclass(frozen=True)
class SharedMemory:
    """What all processes of a server have: the metrics, and the levels of the log that operators change."""

    metrics: MetricsMemory
    levels: LevelTable


@dataclass(frozen=True)
class Monitoring:
    """The memory of all processes, the sockets of the admin listener, the token that ports want, and a sentence that
    says where they are."""

    shared: SharedMemory
    listeners: "list[socket.socket]"
    token: str | None
    said: str


def make_monitoring(settings: Settings, port: int) -> Monitoring | None:
    """What the instance on this port has; None where nothing is measured. Raises ConfigurationError for a socket or
    port that is asked for and cannot be had."""
    if not settings.admin.metrics:
        return None
    shared = SharedMemory(
        MetricsMemory.shared(f"gatepost-metrics-{port}", settings.server.workers),
        LevelTable.shared(f"gatepost-levels-{port}"),
    )
    address = admin_address(settings)
    with contextlib.ExitStack() as stack:
        listeners = [stack.enter_context(each) for each in _unix_socket(settings, port)]
        token, said = None, ""
        if address is not None:
            host, number, token = address
            bound = stack.enter_context(listen(host, number))
            bound.setblocking(True)
            listeners.append(bound)
            said = _where(bound, None if settings.admin.token else token)
        stack.pop_all()
    return Monitoring(shared, listeners, token, said)


def _unix_socket(settings: Settings, port: int) -> "list[socket.socket]":
    try:
        path = socket_path(settings, port)
        return [] if path is None else [open_socket(path)]
    except (ConfigurationError, OSError) as error:
        if settings.admin.socket is not None and isinstance(error, ConfigurationError):
            raise
        # Nobody asked for it: a read-only container serves without.
        print_warning(f"There is no admin socket: {error}")
        return []


def _where(bound: socket.socket, made_token: str | None) -> str:
    host, port = bound.getsockname()[:2]
    said = f"Metrics at http://{host}:{port}/metrics"
    if made_token is not None:
        said += f", with the token {made_token} (GATEPOST_ADMIN_TOKEN sets one)"
    return f"{said}.\n"


def monitor_events(settings: Settings, levels: LevelTable) -> Events:
    """In the process of the monitor: its events, which go to its log."""
    events = Events()
    logs = Logs(settings, has_files=True, level_table=levels)
    logs.subscribe(events)
    logs.start()
    return events
