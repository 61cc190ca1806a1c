"""One serving process: dies with its master, loads the application, gives it a log, and hands it to the server.

Before the request path; the application that it makes is in `lifespan.py`.
"""

import asyncio
import os
import socket
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from gatepost.alerting.reported_objectives import reported
from gatepost.allocator import return_large_blocks
from gatepost.asgi import ASGIApp
from gatepost.errors import ConfigurationError
from gatepost.events import Events, MetricLimited
from gatepost.gateway.buckets import BucketTable, LocalBuckets
from gatepost.logging.console import print_error
from gatepost.logging.logs import Logs
from gatepost.logging.masking import Masking
from gatepost.logging.records import count_lines
from gatepost.metrics.own_series import OwnSeries
from gatepost.metrics.rate_limits import LOCAL, VALKEY, HeldLimit, publish_limits
from gatepost.metrics.recorder import Recorder, adder, line_counter, loss_counter
from gatepost.metrics.sampler import Sampler
from gatepost.operations import probe_routes
from gatepost.own_metrics import REGISTRY
from gatepost.records.change_events import subscribe_changes
from gatepost.records.error_reports import ErrorReporter
from gatepost.records.identity import release_name
from gatepost.records.outbox import Outbox
from gatepost.records.slow_statements import report_slow_statements
from gatepost.records.statement_texts import report_statements
from gatepost.server.application_report import application_report
from gatepost.server.cpu_scheduling import BatchScheduling
from gatepost.server.lifespan import Lifespan, RefusalApp
from gatepost.server.listening import stop_accepting
from gatepost.server.loading import find_app
from gatepost.server.loop import LOOP_NAME
from gatepost.server.monitoring import SharedMemory
from gatepost.server.parent_watch import ParentWatch
from gatepost.server.signals import DRAIN, HAND_OVER, on_signal, reset_inherited_signals, terminate_gracefully
from gatepost.server.supervisor import Succession
from gatepost.settings import Settings

if TYPE_CHECKING:
    from gatepost.app import App

EXIT_REFUSED = 2
"""Exit status of a worker whose application cannot start as it is: starting it again would not help."""

Prepare = Callable[["App", Settings], Awaitable[None]]


@dataclass(frozen=True)
class WorkerContext:
    """What a worker has from its master: the watch on its parent process, the socket, the pipe to report readiness, the
    buckets that all workers take tokens from, and what operators see and change, if there is that. `reports` gets the
    number of each process that serves; `succession` says whether the worker takes the place of another;
    the console asks the monitor at `admin_socket`.
    """

    parent_watch: ParentWatch
    listener: socket.socket
    reports: "Connection[int, int]"
    buckets: BucketTable
    succession: Succession
    shared: SharedMemory | None
    admin_socket: Path | None = None


@dataclass(frozen=True)
class Worker:
    """What a new process calls to get the application; `prepare` runs before it starts, `introduce` when it has
    started.

    `loop` is Granian's name of the event loop for it. With `serves_refusal` a worker whose application cannot start
    responds with 503 and the reason instead of ending.
    """

    loop: ClassVar[str] = LOOP_NAME
    settings: Settings
    reference: str
    prepare: Prepare | None = None
    introduce: Callable[["App"], None] | None = None
    serves_refusal: bool = False

    def __call__(self, context: WorkerContext) -> ASGIApp:
        reset_inherited_signals()
        return_large_blocks()
        context.parent_watch.watch(partial(terminate_gracefully, self.settings.server.drain_seconds))
        shared = context.shared
        levels = None if shared is None else shared.levels
        logs = Logs(self.settings, has_files=True, level_table=levels)
        logs.start()
        logs.take_streams()
        release = release_name(self.settings, Path.cwd())  # a clone of Git may have moved on since the start
        try:
            app = find_app(self.reference)
        except ConfigurationError as error:
            return Lifespan(self._refuse(error, logs), logs).serve
        app.share(context.buckets)
        app.show_console(context.admin_socket)
        if context.succession.has_begun and not self.serves_refusal:
            app.replace_another()
        logs.subscribe(app.events)
        masking = Masking(app.find_personal_data, app.find_personal_forms)
        logs.mask(masking)
        outbox = None if shared is None else Outbox(shared.reports)
        if shared is not None and outbox is not None:
            subscribe_changes(app.events, shared.reports.send)
            report_slow_statements(app.events, shared.reports)
            report_statements(app.events, outbox)
            ErrorReporter(shared.reports.send, release, masking.text).subscribe(app.events)
        region = None if shared is None else shared.metrics.take()
        sampler: Sampler | None = None
        if shared is not None and region is not None:
            recorder = Recorder(region, self.settings.log.client)
            recorder.subscribe(app.events)
            add = adder(region)
            count_lines(line_counter(add))
            shared.reports.count_losses(loss_counter(add))
            REGISTRY.attach(OwnSeries(region), partial(_warn_of_limit, app.events))
            tend = [recorder.tend, *([] if outbox is None else [outbox.send])]
            sampler = Sampler(region, lambda: {**app.readings(), **logs.readings()}, tend)
        logs.name_requests(app.find_request_id)
        on_signal(DRAIN, app.drain)
        on_signal(HAND_OVER, partial(_retire, app, context.listener))

        def begin() -> None:
            logs.mark_probes(probe_routes(app.running.rules))
            self._report_ready(context, app, release, sampler, outbox)

        lifespan = Lifespan(
            app,
            logs,
            prepare=None if self.prepare is None else partial(self.prepare, app, self.settings),
            refuse=lambda error: self._refuse(error, logs),
            on_ready=begin,
            on_over=None if sampler is None else sampler.finish,
        )
        return lifespan.serve

    def _refuse(self, error: ConfigurationError, logs: Logs) -> ASGIApp:
        print_error(error)
        if self.serves_refusal:
            return RefusalApp(str(error))
        logs.close()
        os._exit(EXIT_REFUSED)

    def _report_ready(
        self,
        context: WorkerContext,
        app: "App",
        release: str | None,
        sampler: Sampler | None,
        outbox: Outbox | None,
    ) -> None:
        loop = asyncio.get_running_loop()
        BatchScheduling().watch(loop)
        if sampler is not None:
            store = LOCAL if isinstance(app.running.buckets, LocalBuckets) else VALKEY
            publish_limits(sampler.region, (HeldLimit(*limit, store) for limit in app.running.limits()))
            sampler.start(loop)
        if outbox is not None:
            outbox.put(reported(app.objectives))
            outbox.put(application_report(app.running, self.settings, release))
        context.reports.send(os.getpid())
        if self.introduce is not None:
            self.introduce(app)


def _warn_of_limit(events: Events, metric: str, limit: str) -> None:
    events.emit(MetricLimited(metric, limit))


def _retire(app: "App", listener: socket.socket) -> None:
    stop_accepting(listener)
    app.hand_over()
