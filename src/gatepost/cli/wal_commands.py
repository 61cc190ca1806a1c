"""`gatepost backup archive` and `fetch`, which PostgreSQL runs for each WAL file: without the library of the others."""

import os
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path

from gatepost.backups.store_opening import open_store
from gatepost.backups.wal_archive import WALArchive
from gatepost.environment import load_settings
from gatepost.errors import ConfigurationError

MISSING_STATUS = 1
FAILED_STATUS = 200
"""A recovery ends with an error for a status above 125, and goes on as if the archive ended for one below."""


def archive(path: Path) -> None:
    """Keep a WAL file, or find that it is kept. Raises ConfigurationError; PostgreSQL then tries again."""
    _archive().push(path)


def fetch(name: str, path: Path) -> int:
    """Write a WAL file of the archive to the path; the status for PostgreSQL."""
    from gatepost.logging.console import print_error

    try:
        data = _archive().fetch(name)
    except FileNotFoundError:
        return MISSING_STATUS
    except ConfigurationError as error:
        print_error(error)
        return FAILED_STATUS
    except Exception:
        # Python would end with the status that says that the archive does not have the file.
        traceback.print_exc()
        return FAILED_STATUS
    try:
        path.write_bytes(data)
    except OSError as error:
        print_error(ConfigurationError(f"It cannot be written: {error}.", location=str(path)))
        return FAILED_STATUS
    return 0


def run(words: Sequence[str]) -> None:
    """Run the command and exit, if the words are one of these with its arguments."""
    if words[1:2] == ["fetch"] and len(words) != 4 and not {"-h", "--help"} & set(words):
        from gatepost.logging.console import print_error

        print_error(
            ConfigurationError(
                "It takes a name and a path.",
                location="gatepost backup fetch",
                hint="Set restore_command = 'gatepost backup fetch %f %p'.",
            )
        )
        sys.exit(FAILED_STATUS)
    if any(word.startswith("-") for word in words):
        return
    if len(words) == 3 and words[1] == "archive":
        archive(Path(words[2]))
        sys.exit(0)
    if len(words) == 4 and words[1] == "fetch":
        sys.exit(fetch(words[2], Path(words[3])))


def _archive() -> WALArchive:
    return WALArchive(open_store(load_settings(os.environ).backups))
