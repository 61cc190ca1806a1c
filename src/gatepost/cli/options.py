"""Options that several commands have."""

from pathlib import Path
from typing import Annotated

import typer

AppArgument = Annotated[
    str | None,
    typer.Argument(help="The App, as MODULE:ATTRIBUTE (default: GATEPOST_APP, [tool.gatepost] app, or app:app)."),
]
AppOption = Annotated[str | None, typer.Option("--app", help="The App, as MODULE:ATTRIBUTE.")]
FolderOption = Annotated[Path, typer.Option("--folder", help="Folder of the migration files.")]
PortOption = Annotated[int | None, typer.Option("--port", help="The port of the server (GATEPOST_PORT).")]
JSONOption = Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")]

FOLDER = Path("migrations")
