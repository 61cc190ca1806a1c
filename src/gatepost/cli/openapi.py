"""`gatepost openapi`: the document, for the owner of the API, and what the API breaks for clients of an earlier one."""

import sys
from pathlib import Path
from typing import Any

import msgspec
import typer

from gatepost.cli.output import print_json
from gatepost.cli.settings import quiet_settings
from gatepost.errors import ConfigurationError
from gatepost.logging.console import print_error, print_success
from gatepost.openapi.breaking_changes import breaking_changes
from gatepost.openapi.schema_variants import InvalidDocument
from gatepost.server.loading import find_app, reference_of

_WRITE = "Write it with `gatepost openapi --output {}`."


def print_document(reference: str | None, *, output: Path | None) -> None:
    """Print the document of the application, or write it to a file: everything that some client may see."""
    text = msgspec.json.format(msgspec.json.encode(document_of(reference)), indent=2).decode() + "\n"
    if output is None:
        typer.echo(text, nl=False)
        return
    try:
        output.write_text(text, encoding="utf-8")
    except OSError as error:
        raise ConfigurationError(
            f"cannot be written: {error.strerror}.",
            location=f"--output {output}",
            hint="Name a file in a folder that exists.",
        ) from None


def check_document(reference: str | None, file: Path, *, as_json: bool) -> bool:
    """Print what the application's API breaks for clients of the document in a file. False where it breaks something.

    Raises `ConfigurationError` for a file that is not an OpenAPI document.
    """
    try:
        found = breaking_changes(_read(file), document_of(reference))
    except InvalidDocument as error:
        raise ConfigurationError(str(error), location=str(file), hint=_WRITE.format(file)) from None
    if as_json:
        print_json(found)
    elif found:
        sys.stdout.write("".join(f"{change}\n" for change in found))
        print_error(
            f"{len(found)} breaking change(s) for clients of {file}. Once they are meant: `gatepost openapi --output "
            f"{file}`."
        )
    else:
        print_success(f"Nothing breaks for clients of {file}.")
    return not found


def document_of(reference: str | None) -> dict[str, Any]:
    """The document of the application, with everything that some client may see."""
    return find_app(reference_of(reference)).composed(quiet_settings()).openapi.full()


def _read(file: Path) -> dict[str, Any]:
    try:
        return msgspec.json.decode(file.read_bytes(), type=dict[str, Any])
    except OSError as error:
        raise ConfigurationError(
            f"cannot be read: {error.strerror}.", location=str(file), hint=_WRITE.format(file)
        ) from None
    except msgspec.DecodeError as error:
        raise ConfigurationError(
            f"is not a JSON object: {error}.", location=str(file), hint=_WRITE.format(file)
        ) from None
