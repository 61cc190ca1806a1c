"""`gatepost openapi`: options; the work is in `openapi.py` and `openapi_clients.py`."""

from pathlib import Path
from typing import Annotated

import typer

from gatepost.cli.options import AppOption, JSONOption

FileArgument = Annotated[Path, typer.Argument(help="The document that clients were made for.")]
PythonOption = Annotated[Path | None, typer.Option("--python", metavar="FOLDER", help="Write a Python package here.")]
TypeScriptOption = Annotated[Path | None, typer.Option("--typescript", metavar="FOLDER", help="Write TypeScript here.")]

openapi = typer.Typer(
    help="Print the OpenAPI document of the whole API. It has everything that some client may see.",
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


@openapi.command(epilog="Example: gatepost openapi client --python bookshop_client --typescript web/src/client")
def client(app: AppOption = None, python: PythonOption = None, typescript: TypeScriptOption = None) -> None:
    """Make a typed client of the API.

    In Python, in TypeScript or in both. A folder is replaced as a whole by a later run, where it holds nothing but a
    client. The generators are fetched at the first run: openapi-python-client by uvx, which comes with uv, and
    @hey-api/openapi-ts by npx of Node.js 22.18 or newer.
    """
    from gatepost.cli.openapi_clients import write_clients

    write_clients(app, python=python, typescript=typescript)
