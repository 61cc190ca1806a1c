"""What a server shows operators: the metrics of its processes, and the sockets of the admin listener.

Before the request path, in the master: made before any process is started, so that each has the memory.
"""

import contextlib
import os
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from gatepost.alerting.channels import channels_of
from gatepost.errors import ConfigurationError
from gatepost.events import Events
from gatepost.logging.console import print_warning
from gatepost.logging.levels import LevelTable
from gatepost.logging.logs import Logs
from gatepost.logging.records import count_lines
from gatepost.metrics.memory import MetricsMemory
from gatepost.metrics.recorder import adder, count_events, line_counter, loss_counter
from gatepost.monitor.addresses import admin_address, reached_at, socket_path
from gatepost.monitor.admin import open_socket, remove_abandoned
from gatepost.records.identity import instance_name, release_name
from gatepost.records.record_files import RecordFiles
from gatepost.records.reports import Reports
from gatepost.server.listening import listen
from gatepost.settings import Settings

if TYPE_CHECKING:
    from gatepost.gateway.buckets import BucketTable
    from gatepost.monitor.monitor import Monitor

FOLDER_SETTING = "GATEPOST_RECORDS_FOLDER"


@dataclass(frozen=True)
class SharedMemory:
    """What all processes of a server have: the metrics, the levels of the log that operators change, the way of reports
    to the monitor, and the buckets of the rate limits."""

    metrics: MetricsMemory
    levels: LevelTable
    reports: Reports
    buckets: "BucketTable"


@dataclass(frozen=True)
class Monitoring:
    """The memory of all processes, the monitor with the sockets of its listener, and a sentence that says where they
    are."""

    shared: SharedMemory
    monitor: "Monitor"
    listeners: "list[socket.socket]"
    said: str

    @property
    def admin_socket(self) -> Path | None:
        """The Unix socket of the admin listener; None where it has none."""
        paths = (each.getsockname() for each in self.listeners if each.family == socket.AF_UNIX)
        return next((Path(os.fsdecode(path)) for path in paths), None)


def make_monitoring(settings: Settings, port: int, reference: str | None = None) -> Monitoring | None:
    """What the instance on this port has, which serves the application of this reference; None where nothing is
    measured. Raises ConfigurationError for a socket or port that is asked for and cannot be had."""
    channels_of(settings)
    if not settings.admin.metrics:
        return None
    # Needs the driver and the gate, which a refused setting does not wait for.
    from gatepost.gateway.buckets import BucketTable
    from gatepost.monitor.context import Monitored
    from gatepost.monitor.monitor import Monitor

    shared = SharedMemory(
        MetricsMemory.shared(f"gatepost-metrics-{port}", settings.server.workers),
        LevelTable.shared(f"gatepost-levels-{port}"),
        Reports(),
        BucketTable.shared(f"gatepost-limits-{port}"),
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
    instance = instance_name(settings, port)
    monitored = Monitored(
        instance=instance,
        release=release_name(settings, Path.cwd()),
        settings=settings,
        memory=shared.metrics,
        levels=shared.levels,
        reports=shared.reports,
        buckets=shared.buckets,
        files=_record_files(settings, instance),
        admin_address=None if address is None else _address(reached_at(address[0]), listeners[-1].getsockname()[1]),
        reference=reference,
        port=port,
    )
    return Monitoring(shared, Monitor(monitored, listeners, token), listeners, said)


def _record_files(settings: Settings, instance: str) -> RecordFiles:
    given = settings.records.folder
    above = given or os.environ.get("STATE_DIRECTORY", "").split(":")[0]
    if not above:
        return RecordFiles()
    folder = Path(above) / instance
    try:
        return RecordFiles(folder)
    except BlockingIOError:
        reason = "is that of another server, which runs"
    except OSError as error:
        reason = f"cannot be written: {error.strerror}"
        if given is not None:
            raise ConfigurationError(
                f"{folder} {reason}.", location=FOLDER_SETTING, hint="Name a folder that this user may write to."
            ) from None
    print_warning(f"Records are kept in memory: {folder} {reason}.")
    return RecordFiles()


def _unix_socket(settings: Settings, port: int) -> "list[socket.socket]":
    try:
        path = socket_path(settings, port)
        if path is not None and settings.admin.socket is None:
            remove_abandoned(path.parent.glob("admin-*.sock"))
        return [] if path is None else [open_socket(path)]
    except (ConfigurationError, OSError) as error:
        if settings.admin.socket is not None and isinstance(error, ConfigurationError):
            raise
        # Nobody asked for it: a read-only container serves without.
        print_warning(f"There is no admin socket: {error}")
        return []


def _address(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _where(bound: socket.socket, made_token: str | None) -> str:
    host, port = bound.getsockname()[:2]
    said = f"Metrics at http://{host}:{port}/metrics"
    if made_token is not None:
        said += f", with the token {made_token} (GATEPOST_ADMIN_TOKEN sets one)"
    return f"{said}.\n"


def monitor_events(settings: Settings, shared: SharedMemory) -> Events:
    """In the process of the monitor: its events, which go to its log and are counted."""
    events = Events()
    logs = Logs(settings, has_files=True, level_table=shared.levels)
    logs.subscribe(events)
    logs.start()
    count_process(shared, events)
    return events


def count_process(shared: SharedMemory, events: Events) -> None:
    """Count what happens in a process that serves nothing, the master or the monitor, the lines that it logs and the
    reports that it loses. Its events come from several threads."""
    region = shared.metrics.take()
    if region is not None:
        add = adder(region)
        count_events(region, events, add)
        count_lines(line_counter(add))
        shared.reports.count_losses(loss_counter(add))
