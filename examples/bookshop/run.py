"""`make run`: the bookshop on an embedded PostgreSQL, filled once, served until Ctrl-C.

python -m examples.bookshop.run --port 8000 --data .gatepost/bookshop
"""

import argparse
import asyncio
import os
import sys
from pathlib import Path

from examples.bookshop.accounts import EDITOR, PASSWORD
from examples.bookshop.app import app
from gatepost.cli.main import guarded
from gatepost.embedded.postgresql import EmbeddedPostgreSQL
from gatepost.embedded.watchdog import Watchdog
from gatepost.environment import load_settings
from gatepost.errors import ConfigurationError
from gatepost.logging.streams import StandardStreams
from gatepost.migrations.safe_changes import apply_lossless
from gatepost.server.development import prepare_environment
from gatepost.server.listening import listen
from gatepost.server.monitoring import make_monitoring
from gatepost.server.serving import master_events, run, url_of, with_server
from gatepost.settings import Settings

APP = "examples.bookshop.app:app"
DRAIN_SECONDS = 2.0


def main() -> None:
    """Serve the bookshop. Everything that it keeps lies in the data folder."""
    options = _parser().parse_args()
    streams = StandardStreams()
    streams.start()
    prepare_environment(host=None, port=options.port, data=options.data)
    os.environ.setdefault("GATEPOST_DEMO_USER", f"{EDITOR}:{PASSWORD}")
    settings = with_server(load_settings(os.environ), drain_seconds=DRAIN_SECONDS)
    with listen(settings.server.host, settings.server.port) as listener, EmbeddedPostgreSQL(options.data) as server:
        os.environ["DATABASE_URL"] = dsn = server.dsn("gatepost")
        _fill(dsn)
        settings = with_server(load_settings(os.environ), drain_seconds=DRAIN_SECONDS)
        _greet(url_of(listener), settings)
        events = master_events(settings, streams)
        with Watchdog(server, events):
            monitoring = make_monitoring(settings, listener.getsockname()[1], APP)
            run(listener, APP, settings, events, monitoring=monitoring)


def _fill(dsn: str) -> None:
    import asyncpg

    try:
        asyncio.run(_prepare(dsn))
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        raise ConfigurationError(
            f"PostgreSQL was lost while the shop was filled: {error}.", hint="Start again; nothing is there twice."
        ) from None


async def _prepare(dsn: str) -> None:
    applied = await apply_lossless(dsn, app.metadata, embedded=True, all_or_nothing=True)
    if not applied.statements and await _is_filled(dsn):
        return
    from examples.bookshop.seed import seed

    await seed(dsn)


async def _is_filled(dsn: str) -> bool:
    import asyncpg

    connection = await asyncpg.connect(dsn)
    try:
        return bool(await connection.fetchval("SELECT EXISTS (SELECT FROM books)"))
    finally:
        await connection.close()


def _greet(address: str, settings: Settings) -> None:
    api = f"{address}{app.declaration.prefix}"
    lines = (
        f"The bookshop is at {address}",
        f"  start here {address}/",
        f"  console    {address}/console, as the editor",
        f"  books      {api}/books?sort=-price&expand=author",
        f"  authors    {api}/authors?sort=name",
        f"  readiness  {address}/readyz",
        f"  limits     times {settings.gate.limit_factor} in development",
        "Sign in as the editor, or as ada@bookshop.example, with:",
        f"  curl -s {api}/auth/login -H 'content-type: application/json' "
        f"""-d '{{"email": "{EDITOR}", "password": "{PASSWORD}"}}'""",
        "Ctrl-C stops everything.",
    )
    sys.stdout.write("\n".join(lines) + "\n")
    sys.stdout.flush()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="make run", description="Serve the bookshop.")
    parser.add_argument("--port", type=int, default=8000, help="port to listen on; 0 for any free one")
    parser.add_argument("--data", type=Path, default=Path(".gatepost/bookshop"), help="folder that keeps everything")
    return parser


if __name__ == "__main__":
    guarded(main)
