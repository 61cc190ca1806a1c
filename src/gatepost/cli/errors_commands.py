"""`gatepost errors`: options; the work is in `errors.py`."""

from typing import Annotated, Literal

import typer

from gatepost.cli.options import JSONOption, PortOption

ErrorArgument = Annotated[str, typer.Argument(metavar="ID", help="The error's id, or how it begins.")]

errors = typer.Typer(
    help="Look at the errors that nobody expected, and resolve them.",
    epilog="Example: gatepost errors list",
    no_args_is_help=True,
)


@errors.command("list", epilog="Example: gatepost errors list --state all --json")
def list_(
    state: Annotated[Literal["open", "resolved", "all"], typer.Option(help="Which ones.")] = "open",
    port: PortOption = None,
    json: JSONOption = False,
) -> None:
    """Print the errors of all instances: each kind once, the one that happened last first."""
    from gatepost.cli.errors import list_errors

    list_errors(state, port=port, as_json=json)


@errors.command(epilog="Example: gatepost errors show 4f1d2a")
def show(
    error: ErrorArgument,
    full: Annotated[bool, typer.Option("--full", help="Every frame, those of libraries too.")] = False,
    port: PortOption = None,
    json: JSONOption = False,
) -> None:
    """Print an error with its first and last tracebacks, and what happened before."""
    from gatepost.cli.errors import show_error

    show_error(error, port=port, is_full=full, as_json=json)


@errors.command(epilog="Example: gatepost errors resolve 4f1d2a")
def resolve(error: ErrorArgument, port: PortOption = None, json: JSONOption = False) -> None:
    """Say that an error is no more. If it comes back, it is open again."""
    from gatepost.cli.errors import resolve_error

    resolve_error(error, port=port, as_json=json)
