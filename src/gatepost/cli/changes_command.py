"""`gatepost changes`: options; the work is in `changes.py`."""

from typing import Annotated

import typer

from gatepost.cli.options import JSONOption, PortOption


def changes(
    since: Annotated[str | None, typer.Option("--since", help="From then on: 10m, 2h, 7d, 2026-11-30T20:15Z.")] = None,
    until: Annotated[str | None, typer.Option("--until", help="Up to then.")] = None,
    instance: Annotated[str | None, typer.Option("--instance", help="Of another instance, or `all`.")] = None,
    port: PortOption = None,
    json: JSONOption = False,
) -> None:
    """Print what has changed at a server, and who has done it.

    The newest first: starts, stops, reloads, releases, migrations, workers that died, the database, alerts, and what
    operators did. Those of other instances are read from the database.
    """
    from gatepost.cli.changes import print_changes

    print_changes(since, until, instance, port=port, as_json=json)
