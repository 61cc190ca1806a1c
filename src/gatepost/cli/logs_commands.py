"""`gatepost logs`: options; the work is in `logs.py`."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from gatepost.cli.options import JSONOption, PortOption

logs = typer.Typer(help="Read the log files of this machine's servers.")

CategoryOption = Annotated[
    Literal["access", "error", "application", "security"] | None, typer.Option(help="Only lines of this category.")
]
LevelOption = Annotated[
    Literal["debug", "info", "warning", "error"] | None, typer.Option(help="Only lines of this level or above.")
]


@logs.command(epilog="Example: gatepost logs level access debug --for 30m")
def level(
    category: Annotated[
        Literal["access", "error", "application", "security"], typer.Argument(help="Whose level to change.")
    ],
    to: Annotated[
        Literal["debug", "info", "warning", "error", "default"],
        typer.Argument(metavar="LEVEL", help="debug, info, warning, error, or default: as the settings say."),
    ],
    duration: Annotated[str, typer.Option("--for", help="For so long: 90s, 30m, 2h.")] = "1h",
    port: PortOption = None,
) -> None:
    """Change what a category writes, in all processes of a server on this machine, for a while."""
    from gatepost.cli.logs import change_level

    change_level(category, None if to == "default" else to, duration, port=port)


@logs.callback(invoke_without_command=True, epilog="Example: gatepost logs --level error --since 2h --json")
def read(  # noqa: PLR0913, PLR0917 - the options of a command
    context: typer.Context,
    folder: Annotated[Path | None, typer.Option(help="Where the files are (GATEPOST_LOG_FOLDER).")] = None,
    count: Annotated[int, typer.Option("--count", "-n", min=0, help="So many lines, the last ones.")] = 50,
    follows: Annotated[bool, typer.Option("--follow", "-f", help="Then print what comes, until Ctrl-C.")] = False,
    category: CategoryOption = None,
    level: LevelOption = None,
    route: Annotated[str | None, typer.Option(help="Only requests of this route or path.")] = None,
    actor: Annotated[str | None, typer.Option(help="Only requests of the user with this id.")] = None,
    request: Annotated[str | None, typer.Option(help="Only lines of the request with this id.")] = None,
    client: Annotated[str | None, typer.Option(help="Only lines of this address or network.")] = None,
    code: Annotated[str | None, typer.Option(help="Only requests that were answered with this error code.")] = None,
    since: Annotated[str | None, typer.Option(help="Only lines since then: 10m, 2h, 3d, or a moment.")] = None,
    json: JSONOption = False,
) -> None:
    """Print the last lines of the log files of this machine's servers, whichever process wrote them."""
    if context.invoked_subcommand is not None:
        return
    from gatepost.cli.logs import check_client, moment_of, print_logs
    from gatepost.logging.reading import LineFilter

    moment = None if since is None else moment_of(since)
    if client is not None:
        check_client(client)
    wanted = LineFilter(category, level, route, actor, request, client, moment, code)
    print_logs(folder, wanted, count=count, follows=follows, as_json=json)
