"""`gatepost top`: options; what it shows is in `top_views.py`, and how in `top.py`."""

from typing import Annotated, Literal

import typer

from gatepost.cli.options import JSONOption, PortOption


def top(  # noqa: PLR0913, PLR0917 - the options of a command
    view: Annotated[
        Literal["operations", "operation", "database", "clients", "instances"] | None,
        typer.Argument(help="operations, operation NAME, database, clients or instances. Default: all in short."),
    ] = None,
    name: Annotated[str | None, typer.Argument(help="With `operation`: which one, such as books.list.")] = None,
    seconds: Annotated[int, typer.Option("--seconds", min=10, max=3600, help="Of how long the figures are.")] = 60,
    by: Annotated[
        Literal["requests", "refusals", "failed-sign-ins"],
        typer.Option("--by", help="With `clients`: whose most comes first."),
    ] = "requests",
    once: Annotated[bool, typer.Option("--once", help="Print it once, on a terminal as well.")] = False,
    port: PortOption = None,
    json: JSONOption = False,
) -> None:
    """Show how a server on this machine is.

    The state in a sentence, and what its time is spent on: on a terminal every 2 s anew, until Ctrl-C. It works without
    the database. Printed once with --once, --json and into a pipe; then exit status 1 where the server is not well.
    """
    from gatepost.cli.top import print_view, watch_view
    from gatepost.cli.top_views import Wanted

    if (view == "operation") != (name is not None):
        raise typer.BadParameter("Write: gatepost top operation books.list", param_hint="NAME")
    wanted = Wanted(view or "state", name, seconds, port, by.replace("-", "_"))
    if once or json or not is_terminal():
        raise typer.Exit(0 if print_view(wanted, as_json=json) else 1)
    watch_view(wanted)


def is_terminal() -> bool:
    """Whether somebody looks at it."""
    import sys

    return sys.stdout.isatty()
