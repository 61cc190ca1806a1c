"""`gatepost limits`: options; the work is in `limits.py`."""

from typing import Annotated

import typer

from gatepost.cli.options import AppOption, JSONOption

PortOption = Annotated[
    int | None,
    typer.Option("--port", help="The port of the server, if its limits are kept on this machine (GATEPOST_PORT)."),
]
Key = Annotated[str, typer.Argument(help="Whose limits: an address, the id of a user, or the e-mail of an account.")]

limits = typer.Typer(
    help="Look at rate limits of a running server, and lift them.",
    epilog="Example: gatepost limits show 192.0.2.7",
    no_args_is_help=True,
)


@limits.command(epilog="Example: gatepost limits show ada@example.com --json")
def show(key: Key, app: AppOption = None, port: PortOption = None, json: JSONOption = False) -> None:
    """Print what is left to a client, a user or an account."""
    from gatepost.cli.limits import show_limits

    show_limits(app, key, port=port, as_json=json)


@limits.command(epilog="Example: gatepost limits reset 192.0.2.7 --port 8080")
def reset(key: Key, app: AppOption = None, port: PortOption = None) -> None:
    """Fill the buckets of a client, a user or an account."""
    from gatepost.cli.limits import reset_limits

    reset_limits(app, key, port=port)
