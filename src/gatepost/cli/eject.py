"""`gatepost eject`: the source of what is derived, on stdout or in a file, and what to change in the declaration."""

import sys
from pathlib import Path
from typing import Any

import msgspec

from gatepost.cli.output import print_json
from gatepost.cli.settings import quiet_settings
from gatepost.ejection.ejected import Ejected
from gatepost.ejection.ejecting import Asked, eject
from gatepost.errors import ConfigurationError
from gatepost.logging.console import print_success
from gatepost.logging.text import escaped
from gatepost.server.loading import find_app, reference_of


class Destination(msgspec.Struct, frozen=True):
    """Where the source goes: to a file, which is replaced only if that `is_forced`, or to stdout."""

    file: Path | None
    is_forced: bool = False


def write_ejected(asked: Asked, to: Destination, reference: str | None, *, as_json: bool) -> None:
    """Write the source of a part. Raises `ConfigurationError` where there is no such part, or the file is there."""
    quiet_settings()
    found = eject(find_app(reference_of(reference)).declaration, asked)
    if to.file is not None:
        _write(to.file, found.source, is_forced=to.is_forced)
    if as_json:
        fields: dict[str, Any] = msgspec.structs.asdict(found)
        print_json({**fields, "file": None if to.file is None else str(to.file)})
        return
    if to.file is None:
        sys.stdout.write(found.source)
        sys.stdout.flush()
    else:
        print_success(f"Wrote {to.file}.")
    for line in _next_steps(found, to.file):
        sys.stderr.write(f"{escaped(line)}\n")


def _next_steps(found: Ejected, file: Path | None) -> list[str]:
    """What is left to do, for people."""
    arguments = ", ".join(f"{name}={value}" for name, value in found.resource.items())
    lines = ["", f"Next, in {found.declared_at}:"]
    if file is not None and not file.is_absolute():
        classes = ", ".join(dict.fromkeys(found.resource.values()))
        lines.append(f"    from {'.'.join(file.with_suffix('').parts)} import {classes}")
    return [*lines, f"    Resource({found.model}, ..., {arguments})", *found.notes]


def _write(file: Path, source: str, *, is_forced: bool) -> None:
    try:
        with file.open("w" if is_forced else "x", encoding="utf-8") as opened:
            opened.write(source)
    except FileExistsError:
        raise ConfigurationError(
            "exists already.", location=str(file), hint="Name another file, or replace it with --force."
        ) from None
    except OSError as error:
        raise ConfigurationError(f"cannot be written: {error.strerror}.", location=str(file)) from None
