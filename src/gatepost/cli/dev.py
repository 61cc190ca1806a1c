"""`gatepost dev`: an own PostgreSQL, migrations applied, and one serving process that is replaced at every change.

The master holds the port and PostgreSQL, and never imports the application: each new process does, so that a mistake
in it ends nothing. While there is one, the process responds with 503 and the reason, which the terminal also shows.
"""

import os
import socket
import sys
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from gatepost.cli.dev_migration import migrate
from gatepost.environment import load_settings
from gatepost.events import Events, WorkerDied
from gatepost.logging.console import print_warning
from gatepost.logging.streams import StandardStreams
from gatepost.server.development import prepare_environment
from gatepost.server.listening import listen
from gatepost.server.loading import check_module_exists, preload, reference_of
from gatepost.server.monitoring import make_monitoring
from gatepost.server.safety import warn_of_unknown
from gatepost.server.serving import master_events, url_of, with_server
from gatepost.settings import Settings

if TYPE_CHECKING:
    from gatepost.app import App
    from gatepost.server.worker import Prepare

DRAIN_SECONDS = 1.0
"""After a file is saved, a hanging request must not delay the reload for long."""


def develop(  # noqa: PLR0913 - the options of a command
    reference: str | None, *, host: str | None, port: int | None, data: Path, migrates: bool, extends: bool
) -> None:
    """Serve until Ctrl-C. Raises ConfigurationError where it cannot even begin."""
    streams = StandardStreams()
    streams.start()
    name = reference_of(reference)
    check_module_exists(name)
    prepare_environment(host=host, port=port, data=data)
    settings = with_server(load_settings(os.environ), drain_seconds=DRAIN_SECONDS)
    warn_of_unknown(os.environ)
    with ExitStack() as stack:
        listener = stack.enter_context(listen(settings.server.host, settings.server.port))
        events = master_events(settings, streams)
        is_embedded = settings.database.url is None
        if is_embedded:
            start_database(stack, data, events)
            settings = with_server(load_settings(os.environ), drain_seconds=DRAIN_SECONDS)
        address = url_of(listener)
        _greet(name, address, settings, f"embedded PostgreSQL in {data}" if is_embedded else "DATABASE_URL")
        prepare = partial(migrate, data=data if is_embedded else None, migrates=migrates, extends=extends)
        serve_reloading(name, settings, listener, events, prepare, partial(introduce, address))


def serve_reloading(  # noqa: PLR0913, PLR0917 - passed on
    name: str,
    settings: Settings,
    listener: socket.socket,
    events: Events,
    prepare: "Prepare",
    say_where: "Callable[[App], None] | None",
) -> None:
    """Serve the application of this name, and load it again at every change below the current folder."""
    preload("gatepost.app", "gatepost.migrations.safe_changes")
    from gatepost.server.reloading_server import ReloadingServer
    from gatepost.server.worker import Worker

    worker = Worker(settings, name, prepare=prepare, introduce=say_where, serves_refusal=True)
    monitoring = make_monitoring(settings, listener.getsockname()[1], name)
    events.subscribe(WorkerDied, _announce_restart)
    ReloadingServer(listener, worker, events, Path.cwd(), _announce, monitoring).run()


def start_database(
    stack: ExitStack, data: Path, events: Events, settings: Mapping[str, str] = MappingProxyType({})
) -> None:
    """Start the embedded PostgreSQL until the stack is left, with these settings of its own, and put its address where
    every process of this server reads it: into the environment."""
    from gatepost.backups.embedded_archive import archiving_server
    from gatepost.cli.embedded_database import DATABASE
    from gatepost.embedded.watchdog import Watchdog

    backups = load_settings(os.environ).backups
    server = stack.enter_context(archiving_server(data / "postgresql", DATABASE, backups, settings))
    stack.enter_context(server)
    stack.enter_context(Watchdog(server, events))
    os.environ["DATABASE_URL"] = server.dsn(DATABASE)


def _greet(name: str, address: str, settings: Settings, database: str) -> None:
    lines = [
        f"Gatepost serves {name} on {address}",
        f"  start here {address}/",
        *([f"  console    {address}/console, for users with the role console.write"] if settings.has_console else []),
        f"  readiness  {address}/readyz",
        f"  database   {database}",
        f"  limits     {shown_limits(settings)}",
        "  Python files below this folder are watched; Ctrl-C stops everything.",
    ]
    sys.stdout.write("\n".join(lines) + "\n")
    sys.stdout.flush()


def shown_limits(settings: Settings) -> str:
    """The limits as the greeting tells them."""
    return (
        f"times {settings.gate.limit_factor or 1} in development: "
        f"{settings.gate.api_limit} for the API, {settings.gate.auth_limit} to sign in, per client"
    )


def introduce(address: str, app: "App") -> None:
    """Where the API is, by an address that responds to everybody where there is one. The process says it that knows the
    application: its prefix may be another after each reload."""
    from gatepost.declaring.policies import anyone  # needs SQLAlchemy, which a refused setting does not wait for

    declaration = app.declaration
    open_lists = (
        f"at {address}{declared.prefix}/{served.template}"
        for declared in declaration.all
        for served in declared.catalog.served
        if served.has_routes and served.policies["list"] is anyone and "{" not in served.template
    )
    # On stderr as what was migrated is: two streams arrive in any order.
    sys.stderr.write(f"The API is {next(open_lists, f'below {address}{declaration.prefix}/')}\n")
    sys.stderr.flush()


def _announce_restart(event: WorkerDied) -> None:
    pause = event.replaced_in_seconds
    when = "at once" if not pause else f"in {pause:g} s, or when a file is saved"
    print_warning(f"The worker, process {event.pid}, ended by {event.ended_by}, and is started again {when}.")


def _announce(names: str) -> None:
    sys.stdout.write(f"Reloading: {names} changed.\n")
    sys.stdout.flush()
