"""Where the lines of a process go, at once: to stdout, to be watched, and to files, to be read later.

Each output has a writer of its own, so that a reader of stdout that is stuck keeps no line from its file, and a form of
its own.
"""

from pathlib import Path
from typing import NamedTuple

from gatepost.logging.files import LogFiles
from gatepost.logging.writer import Writer
from gatepost.settings import LogSettings


class Output(NamedTuple):
    """A writer, how its lines look (`console` or `json`), and whether they go to files."""

    writer: Writer
    form: str
    is_coloured: bool = False
    has_files: bool = False


def file_output(settings: LogSettings, *, has_monitor: bool = False) -> Output | None:
    """The files of `GATEPOST_LOG_FOLDER`, if it is set. Raises ConfigurationError where they cannot be written."""
    if settings.folder is None:
        return None
    files = LogFiles(Path(settings.folder), settings.bytes_max, has_monitor=has_monitor)
    files.check()
    return Output(Writer(files), "json", has_files=True)
