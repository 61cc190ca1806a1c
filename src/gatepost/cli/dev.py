"""`gatepost dev`: an own PostgreSQL, migrations applied, and one serving process that is replaced at every change.

The master holds the port and PostgreSQL, and never imports the application: each new process does, so that a mistake
in it ends nothing. While there is one, the process responds with 503 and the reason, which the terminal also shows.
"""

import importlib
import os
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from gatepost.errors import ConfigurationError
from gatepost.events import Events
from gatepost.logging.console import print_warning
from gatepost.logging.streams import StandardStreams
from gatepost.server.development import prepare_environment
from gatepost.server.listening import listen
from gatepost.server.loading import check_module_exists, gc_paused, reference_of
from gatepost.server.safety import warn_of_unknown
from gatepost.server.serving import master_events, url_of, with_server
from gatepost.settings import Settings, load_settings

if TYPE_CHECKING:
    from gatepost.app import App
    from gatepost.migrations.plan import Plan

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
            settings = _with_embedded_database(stack, data, events)
        _greet(name, url_of(listener), settings, f"embedded PostgreSQL in {data}" if is_embedded else "DATABASE_URL")
        _preload()
        from gatepost.server.granian_server import serve_and_reload
        from gatepost.server.worker import Worker

        prepare = partial(migrate, is_embedded=is_embedded, migrates=migrates, extends=extends)
        worker = Worker(settings, name, prepare=prepare, serves_refusal=True)
        serve_and_reload(listener, worker, events, Path.cwd(), _announce)


async def migrate(app: "App", settings: Settings, *, is_embedded: bool, migrates: bool, extends: bool) -> None:
    """Apply what loses nothing, before the application starts; say what was done and what was left.

    A database that is not the embedded one is changed only when it is empty, or when that was asked for. Raises
    ConfigurationError where a table of others has the name of the users' table.
    """
    from gatepost.database.startup_check import check_database
    from gatepost.migrations.safe_changes import apply_lossless, find_pending, is_empty

    url = settings.database.url
    if url is None:
        return
    await check_database(settings.database)
    if not (is_embedded or migrates or await is_empty(url)):
        if plan := await find_pending(url, app.metadata):
            _tell_pending(plan)
        return
    applied = await apply_lossless(url, app.metadata, embedded=is_embedded, extend=extends)
    if applied.statements:
        # On stderr as the warnings are: two streams arrive in any order.
        sys.stderr.write(f"Migrated the database: {len(applied.statements)} statement(s).\n")
        sys.stderr.flush()
    advice = " See `gatepost migrate make`." if is_embedded else ""
    for refused in applied.refused:
        print_warning(f"Not migrated: {refused}{advice}")
    for kept in applied.kept:
        print_warning(kept)


def _tell_pending(pending: "Plan") -> None:
    """What the database lacks, and how to add it; the application is served nevertheless, unless its responses would be
    wrong."""
    if pending.allowed:
        steps = "".join(f"\n  {item.summary}" for item in pending.allowed)
        print_warning(
            f"The database is not the embedded one: nothing was changed in it. `gatepost dev --migrate` would:{steps}"
        )
    for refused in pending.refused[1:] if pending.users_refusal else pending.refused:
        print_warning(f"Not changed: {refused}")
    if pending.extensible:
        print_warning("`gatepost dev --migrate --extend` would add to tables that Gatepost did not make.")
    if pending.users_refusal:
        raise ConfigurationError(pending.users_refusal, location="DATABASE_URL")


def _with_embedded_database(stack: ExitStack, data: Path, events: Events) -> Settings:
    from gatepost.cli.embedded_database import DATABASE
    from gatepost.embedded.postgresql import EmbeddedPostgreSQL
    from gatepost.embedded.watchdog import Watchdog

    server = stack.enter_context(EmbeddedPostgreSQL(data / "postgresql", database=DATABASE))
    stack.enter_context(Watchdog(server, events))
    os.environ["DATABASE_URL"] = server.dsn(DATABASE)
    return with_server(load_settings(os.environ), drain_seconds=DRAIN_SECONDS)


def _preload() -> None:
    """What every process needs is loaded once, here, and inherited: a reload takes a fifth of a second."""
    with gc_paused():
        for module in ("gatepost.app", "gatepost.migrations.safe_changes"):
            importlib.import_module(module)


def _greet(name: str, address: str, settings: Settings, database: str) -> None:
    lines = [
        f"Gatepost serves {name} on {address}",
        f"  API        {address}/api",
        f"  readiness  {address}/readyz",
        f"  database   {database}",
        f"  limits     times {settings.gate.limit_factor or 1} in development: "
        f"{settings.gate.api_limit} for the API, {settings.gate.auth_limit} to sign in, per client",
        "  Python files below this folder are watched; Ctrl-C stops everything.",
    ]
    sys.stdout.write("\n".join(lines) + "\n")
    sys.stdout.flush()


def _announce(files: Sequence[Path]) -> None:
    names = ", ".join(os.path.relpath(path) for path in files[:3]) + (", ..." if len(files) > 3 else "")
    sys.stdout.write(f"Reloading: {names} changed.\n")
    sys.stdout.flush()
