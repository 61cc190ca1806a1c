"""`Monitor`: what tells operators how an instance is, in a process of its own."""

import asyncio
import contextlib
import os
import signal
import socket
import threading
from pathlib import Path
from typing import NamedTuple

from gatepost.allocator import return_large_blocks, share_one_arena
from gatepost.events import Events, RecordsUnreadable
from gatepost.monitor.admin import AdminServer
from gatepost.monitor.admin_port import AdminPort
from gatepost.monitor.alert_pages import AlertPages
from gatepost.monitor.alert_records import AlertRecords
from gatepost.monitor.application_record import ApplicationRecord
from gatepost.monitor.backup_watch import BackupWatch
from gatepost.monitor.change_records import ChangeRecords
from gatepost.monitor.console_pages import ConsolePages
from gatepost.monitor.context import MonitorContext, Monitored, Part
from gatepost.monitor.copy_watch import CopyWatch
from gatepost.monitor.database_page import DatabasePage
from gatepost.monitor.deployment_watch import DeploymentWatch
from gatepost.monitor.error_records import ErrorRecords
from gatepost.monitor.folding import Folding
from gatepost.monitor.heat_page import HeatPage
from gatepost.monitor.history_copies import HistoryCopies
from gatepost.monitor.history_page import HistoryPage
from gatepost.monitor.history_records import HistoryRecords
from gatepost.monitor.incident_records import IncidentRecords
from gatepost.monitor.instances import InstanceBeats
from gatepost.monitor.limits import add_limit_pages
from gatepost.monitor.log_pages import LogPages
from gatepost.monitor.log_tending import LogTending
from gatepost.monitor.operation_page import OperationPage
from gatepost.monitor.operation_statements import OperationStatements
from gatepost.monitor.page_table import PageTable
from gatepost.monitor.pages import add_pages
from gatepost.monitor.parts import ReportReader, run_parts
from gatepost.monitor.pulse import BEAT_SECONDS, Pulse
from gatepost.monitor.slow_statements import SlowStatements
from gatepost.monitor.state_page import StatePage
from gatepost.monitor.system_page import SystemPage
from gatepost.monitor.traffic_page import TrafficPage
from gatepost.record_tables import RECORD_TABLES
from gatepost.records.change_events import subscribe_changes
from gatepost.records.changes import Changes
from gatepost.records.records_database import RecordsDatabase


class Monitor:
    """The admin listener on these sockets, and behind it the parts that keep records. With a `token`, those sockets
    that are ports want it. `pulse` tells the master that it runs."""

    def __init__(self, monitored: Monitored, listeners: "list[socket.socket]", token: str | None) -> None:
        self._monitored = monitored
        self._listeners = listeners
        self._token = token
        self.pulse = Pulse()

    def run(self, events: Events) -> None:
        """Serve, and keep records, until SIGTERM. `events` get what operators do, and are those of this process."""
        return_large_blocks()
        share_one_arena()
        asyncio.run(self._run(events, until_told=True))

    def leave(self) -> None:
        """Leave sockets and files to the master and the monitor, in a process that has them only because it was forked:
        one that still serves when both have been killed is not to keep the next server from having them."""
        for listener in self._listeners:
            listener.close()
        self._monitored.files.close()

    def start(self, events: Events) -> None:
        """Do so in a thread of this process, as long as it lives. What `events` tell is reported already."""
        work = self._run(events, until_told=False)
        threading.Thread(target=asyncio.run, args=[work], name="gatepost-monitor", daemon=True).start()

    async def _run(self, events: Events, *, until_told: bool) -> None:
        context = self._context(events)
        if until_told:
            subscribe_changes(events, context.changes.add)
        made = make_parts(context)
        for name, reason in self._monitored.files.unreadable.items():
            events.emit(RecordsUnreadable(name, reason))
        for listener in self._listeners:
            if listener.family == socket.AF_UNIX or self._token is None:
                AdminServer(listener, context.pages.find, None).start()
            else:
                AdminPort(listener, context.pages.find, self._token, events).start()
        reader = ReportReader(context)
        running = asyncio.ensure_future(run_parts([*made.parts, reader], events))
        self._beat(context.loop)
        if until_told:
            context.loop.add_signal_handler(signal.SIGTERM, running.cancel)
        with contextlib.suppress(asyncio.CancelledError):
            await running
        reader.read()
        made.history.record()
        context.database.stop_waiting()
        await made.changes.copy()
        await made.copies.copy()
        await made.beats.stop()

    def _beat(self, loop: asyncio.AbstractEventLoop) -> None:
        self.pulse.beat()
        loop.call_later(BEAT_SECONDS, self._beat, loop)

    def _context(self, events: Events) -> MonitorContext:
        of = self._monitored
        return MonitorContext(
            monitored=of,
            changes=Changes(of.files.snapshot("changes")),
            database=RecordsDatabase(
                of.settings.database.url,
                list(RECORD_TABLES),
                connection_seconds_max=of.settings.database.connection_seconds_max,
            ),
            events=events,
            pages=PageTable(events),
            loop=asyncio.get_running_loop(),
        )


class MonitorParts(NamedTuple):
    """What keeps records: all parts, and those of them that have something to do when the monitor ends."""

    parts: "list[Part]"
    beats: InstanceBeats
    history: HistoryRecords
    changes: ChangeRecords
    copies: HistoryCopies


def make_parts(context: MonitorContext) -> MonitorParts:
    """Make them, with the pages that they serve."""
    backups = BackupWatch(context)
    add_pages(context, [backups.read])
    add_limit_pages(context)
    beats = InstanceBeats(context)
    history = HistoryRecords(context)
    alerts = AlertRecords(context, beats, backups.findings)
    AlertPages(context, alerts)
    statements = OperationStatements(context)
    application = ApplicationRecord(context, statements)
    OperationPage(context, statements, application.knows)
    incidents = IncidentRecords(context, history, application.route_of)
    ConsolePages(context)
    HistoryPage(context, history)
    LogPages(context, history)
    HeatPage(context, history)
    TrafficPage(context, history)
    DatabasePage(context, history)
    StatePage(context, history, incidents, backups.sentence)
    deployment = DeploymentWatch(context, beats)
    SystemPage(context, deployment)
    parts: list[Part] = [
        Folding(context),
        beats,
        changes := ChangeRecords(context),
        ErrorRecords(context),
        SlowStatements(context),
        statements,
        history,
        history.longer,
        incidents,
        copies := HistoryCopies(context, history),
        alerts,
        deployment,
        backups,
        CopyWatch(context),
        LogTending(context),
    ]
    return MonitorParts(parts, beats, history, changes, copies)


def remove_sockets(listeners: "list[socket.socket]") -> None:
    """When a server has ended: nobody is to find its sockets."""
    for listener in listeners:
        if listener.family == socket.AF_UNIX:
            with contextlib.suppress(OSError):
                Path(os.fsdecode(listener.getsockname())).unlink()
        listener.close()
