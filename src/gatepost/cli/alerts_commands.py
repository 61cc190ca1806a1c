"""`gatepost alerts`: options; the work is in `alerts.py`."""

from typing import Annotated

import typer

from gatepost.cli.options import JSONOption, PortOption

alerts = typer.Typer(
    help="See what is wrong at a server, and act on it.",
    epilog="Example: gatepost alerts list",
    no_args_is_help=True,
)

IDArgument = Annotated[str, typer.Argument(metavar="ALERT", help="The id or the name of an alert.")]


@alerts.command(name="list", epilog="Example: gatepost alerts list --json | jq '.alerts[].sentence'")
def list_(
    all_: Annotated[bool, typer.Option("--all", help="Also those that are resolved.")] = False,
    port: PortOption = None,
    json: JSONOption = False,
) -> None:
    """Print the alerts that fire or are silenced. Exit status 1 where one fires."""
    from gatepost.cli.alerts import print_alerts

    raise typer.Exit(1 if print_alerts(port=port, shows_all=all_, as_json=json) else 0)


@alerts.command(epilog="Example: gatepost alerts show objective:reads")
def show(alert: IDArgument, port: PortOption = None, json: JSONOption = False) -> None:
    """Print an alert, what to look at, and to whom it was sent. Exit status 1 while it fires."""
    from gatepost.cli.alerts import print_alert

    raise typer.Exit(1 if print_alert(alert, port=port, as_json=json) else 0)


@alerts.command(epilog='Example: gatepost alerts silence disk --for 2h --reason "moving the old logs"')
def silence(
    alert: IDArgument,
    reason: Annotated[str, typer.Option("--reason", help="Why, for those who look later.")],
    duration: Annotated[str, typer.Option("--for", help="For so long: 90s, 30m, 2h, 7d.")] = "1h",
    port: PortOption = None,
    json: JSONOption = False,
) -> None:
    """Tell nobody of an alert for a while.

    It is for all alerts with its name, also for those to come. Where it still fires then, it is sent again.
    """
    from gatepost.cli.alerts import silence_alert

    silence_alert(alert, reason, duration, port=port, as_json=json)


@alerts.command(epilog='Example: gatepost alerts resolve instance:web-2 --reason "switched off"')
def resolve(
    alert: IDArgument,
    reason: Annotated[str, typer.Option("--reason", help="Why, for those who look later.")],
    port: PortOption = None,
    json: JSONOption = False,
) -> None:
    """End an alert. It comes back when what it is about has ended and begins anew."""
    from gatepost.cli.alerts import resolve_alert

    resolve_alert(alert, reason, port=port, as_json=json)


@alerts.command(name="test", epilog="Example: gatepost alerts test")
def send_test_(port: PortOption = None, json: JSONOption = False) -> None:
    """Send a test by mail and webhook, as the settings of the server say.

    Exit status 1 where one does not arrive, 2 where there is nobody to send it to.
    """
    from gatepost.cli.alerts import send_test

    raise typer.Exit(0 if send_test(port=port, as_json=json) else 1)
