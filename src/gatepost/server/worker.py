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
from typing import TYPE_CHECKING, ClassVar

from gatepost.errors import ConfigurationError
from gatepost.gateway.buckets import Table
from gatepost.logging import Logs, complain
from gatepost.request import ASGIApp
from gatepost.server.allocator import return_large_blocks
from gatepost.server.lifeline import Lifeline
from gatepost.server.lifespan import Lifespan, Refusal
from gatepost.server.listening import stop_accepting
from gatepost.server.loading import find_app
from gatepost.server.loop import NAME
from gatepost.server.precedence import Precedence
from gatepost.server.signals import DRAIN, HAND_OVER, end_in_order, forget_master, on_signal
from gatepost.settings import Settings

if TYPE_CHECKING:
    from gatepost.app import App

REFUSED = 2
"""Exit status of a worker whose application cannot start as it is: starting it again would not help."""

Prepare = Callable[["App", Settings], Awaitable[None]]


@dataclass(frozen=True)
class Post:
    """What a worker has from its master: its lifeline, the socket, where to say that it is ready, and the buckets that
    all workers take tokens from."""

    lifeline: Lifeline
    listener: socket.socket
    reports: "Connection[int, int]"
    buckets: Table

    def report_ready(self) -> None:
        """Tell the master that this process serves from now on."""
        self.reports.send(os.getpid())


@dataclass(frozen=True)
class Worker:
    """What a new process calls to get the application; `prepare` runs before the application starts.

    `loop` is Granian's name of the event loop for it. `stays` makes a worker that answers 503 with the reason instead
    of ending when the application cannot start.
    """

    loop: ClassVar[str] = NAME
    settings: Settings
    reference: str
    prepare: Prepare | None = None
    stays: bool = False

    def __call__(self, post: Post) -> ASGIApp:
        forget_master()
        return_large_blocks()
        post.lifeline.watch(partial(end_in_order, self.settings.server.drain_seconds))
        logs = Logs(self.settings)
        logs.start()
        logs.take_streams()
        try:
            app = find_app(self.reference)
        except ConfigurationError as error:
            return Lifespan(self._without(error, logs), logs).serve
        app.share(post.buckets)
        logs.subscribe(app.events)
        logs.name_requests(app.find_request_id)
        on_signal(DRAIN, app.drain)
        on_signal(HAND_OVER, partial(_hand_over, app, post.listener))
        lifespan = Lifespan(
            app,
            logs,
            prepare=self._prepare(app),
            refuse=lambda error: self._without(error, logs),
            on_ready=partial(_begin, post),
        )
        return lifespan.serve

    def _prepare(self, app: "App") -> Callable[[], Awaitable[None]] | None:
        prepare = self.prepare
        return None if prepare is None else lambda: prepare(app, self.settings)

    def _without(self, error: ConfigurationError, logs: Logs) -> ASGIApp:
        complain(error)
        if self.stays:
            return Refusal(str(error))
        logs.close()
        os._exit(REFUSED)


def _begin(post: Post) -> None:
    Precedence().watch(asyncio.get_running_loop())
    post.report_ready()


def _hand_over(app: "App", listener: socket.socket) -> None:
    stop_accepting(listener)
    app.hand_over()
