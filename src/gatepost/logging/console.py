"""Sentences for the person at the terminal: a refusal in red, a warning in yellow, a success in green.

Used by the commands and by a server that refuses to start; needs nothing but the standard library, so that a refusal
does not wait for a console library to load.
"""

import os
import sys
from typing import IO, TextIO

RED, YELLOW, GREEN = "31", "33", "32"

_LEVELS = {"debug": "2", "info": "36", "warning": YELLOW, "error": RED, "critical": f"{RED};1"}


def is_coloured(stream: IO[str]) -> bool:
    """Whether escapes for colours belong on this stream (https://no-color.org, https://force-color.org)."""
    if os.environ.get("NO_COLOR"):
        return False
    return bool(os.environ.get("FORCE_COLOR")) or stream.isatty()


def shown_level(level: str, width: int, *, coloured: bool) -> str:
    """The level of a log line, in its colour on a terminal."""
    shown = f"{level:<{width}}"
    return f"\x1b[{_LEVELS.get(level, '0')}m{shown}\x1b[0m" if coloured else shown


def print_error(error: object) -> None:
    """One red sentence on stderr."""
    _say(sys.stderr, RED, f"Error: {error}")


def print_warning(sentence: object) -> None:
    """One yellow sentence on stderr."""
    _say(sys.stderr, YELLOW, f"Warning: {sentence}")


def print_success(sentence: object) -> None:
    """One green sentence on stdout."""
    _say(sys.stdout, GREEN, str(sentence))


def _say(stream: TextIO, colour: str, sentence: str) -> None:
    text = f"\x1b[{colour}m{sentence}\x1b[0m" if is_coloured(stream) else sentence
    # A file's name may hold what the stream cannot take.
    encoding = stream.encoding or "utf-8"
    text = text.encode(encoding, "backslashreplace").decode(encoding)
    # One write, so that sentences of two workers do not mix.
    stream.write(text + "\n")
    stream.flush()
