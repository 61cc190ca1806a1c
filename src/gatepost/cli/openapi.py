"""`gatepost openapi`: the whole document, for the owner of the API."""

from pathlib import Path

import msgspec
import typer

from gatepost.cli.settings import quiet_settings
from gatepost.errors import ConfigurationError
from gatepost.server.loading import find_app, reference_of


def print_document(reference: str | None, *, output: Path | None) -> None:
    """Print the document of the application, or write it to a file: everything that some client may see."""
    composition = find_app(reference_of(reference)).composed(quiet_settings())
    text = msgspec.json.format(msgspec.json.encode(composition.openapi.full()), indent=2).decode() + "\n"
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
