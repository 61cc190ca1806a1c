"""`gatepost logs`: options; the work is in `logs.py`."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from gatepost.cli.options import JSONOption

logs = typer.Typer(help="Read the log files of this machine's servers.")

CategoryOption = Annotated[
    Literal["access", "error", "application", "security"] | None, typer.Option(help="Only lines of this category.")
]
LevelOption = Annotated[
    Literal["debug", "info", "warning", "error"] | None, typer.Option(help="Only lines of this level or above.")
]


@logs.callback(invoke_without_command=True, epilog="Example: gatepost logs --level error --since 2h --json")
def read(  # noqa: PLR0913, PLR0917 - the options of a command
    folder: Annotated[Path | None, typer.Option(help="Where the files are (GATEPOST_LOG_FOLDER).")] = None,
    count: Annotated[int, typer.Option("--count", "-n", min=0, help="So many lines, the last ones.")] = 50,
    follows: Annotated[bool, typer.Option("--follow", "-f", help="Then print what comes, until Ctrl-C.")] = False,
    category: CategoryOption = None,
    level: LevelOption = None,
    route: Annotated[str | None, typer.Option(help="Only requests of this route or path.")] = None,
    actor: Annotated[str | None, typer.Option(help="Only requests of the user with this id.")] = None,
    request: Annotated[str | None, typer.Option(help="Only lines of the request with this id.")] = None,
    since: Annotated[str | None, typer.Option(help="Only lines since then: 10m, 2h, 3d, or a moment.")] = None,
    json: JSONOption = False,
) -> None:
    """Print the last lines of the log files of this machine's servers, whichever process wrote them."""
    from gatepost.cli.logs import moment_of, print_logs
    from gatepost.logging.reading import LineFilter

    moment = None if since is None else moment_of(since)
    wanted = LineFilter(category, level, route, actor, request, moment)
    print_logs(folder, wanted, count=count, follows=follows, as_json=json)
