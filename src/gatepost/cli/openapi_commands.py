"""`gatepost openapi`: options; the work is in `openapi.py`."""

from pathlib import Path
from typing import Annotated

import typer

from gatepost.cli.options import AppOption, JSONOption

FileArgument = Annotated[Path, typer.Argument(help="The document that clients were made for.")]

openapi = typer.Typer(
    help="Print the OpenAPI document of the whole API: everything that some client may see.",
    epilog="Example: gatepost openapi --output openapi.json   or: gatepost openapi | jq '.paths | keys'",
    invoke_without_command=True,
)


@openapi.callback()
def document(
    context: typer.Context,
    app: AppOption = None,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Write it to this file.")] = None,
) -> None:
    """Print the document, where no command says otherwise."""
    if context.invoked_subcommand is not None:
        return
    from gatepost.cli.openapi import print_document

    print_document(app, output=output)


@openapi.command(epilog="Example: gatepost openapi check   or: gatepost openapi check openapi.json --json")
def check(file: FileArgument = Path("openapi.json"), app: AppOption = None, json: JSONOption = False) -> None:
    """List what the API now breaks for clients of a document. Exit status 1 where it breaks something.

    Requests may accept more, responses may show more. After a change that is meant to break, write the document anew:
    `gatepost openapi --output openapi.json`.
    """
    from gatepost.cli.openapi import check_document

    if not check_document(app, file, as_json=json):
        raise typer.Exit(1)
