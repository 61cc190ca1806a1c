"""Tracebacks as people read them: the frames of the application, and how many of libraries there are besides.

Off the request path. Which files are the application's is known only to the process where the error happened.
"""

import re
import traceback
from collections.abc import Collection, Iterator, Sequence

from gatepost.sources import is_own

LAST_FRAMES = 3
"""Where no frame is the application's, so many of libraries are shown, those next to the error."""

CHAIN_MAX = 20
FILES_MAX = 50

_FRAME = re.compile(r'[ |+-]*File "(?P<file>[^"]+)", line \d+')
_HEADER = "Traceback (most recent call last):"


def own_files_of(error: BaseException) -> list[str]:
    """The files of the application that the frames of an error and of its causes are in, sorted."""
    found: set[str] = set()
    following: BaseException | None = error
    for _ in range(CHAIN_MAX):
        if following is None:
            break
        for frame, _line in traceback.walk_tb(following.__traceback__):
            if is_own(file := frame.f_code.co_filename):
                found.add(file)
        following = following.__cause__ or following.__context__
    return sorted(found)[:FILES_MAX]


def folded(text: str, own_files: Collection[str], hint: str = "") -> str:
    """The text of a traceback in which frames of other files than these are counted; `hint` follows their number."""
    lines: list[str] = []
    frames: list[list[str]] = []
    for line in text.splitlines():
        if _FRAME.match(line):
            frames.append([line])
        elif frames and _goes_on(frames[-1][0], line):
            frames[-1].append(line)
        else:
            lines += _shown(frames, own_files, hint)
            frames = []
            lines.append(line)
    return "\n".join([*lines, *_shown(frames, own_files, hint)])


def _goes_on(frame: str, line: str) -> bool:
    """Whether a line belongs to the frame: its source, marks below that, or how often it was repeated."""
    indent = len(frame) - len(frame.lstrip(" |"))
    return (
        line.startswith(" " * (indent + 1)) or "[Previous line repeated" in line or line[: indent + 1].strip(" |") == ""
    )


def _shown(frames: Sequence[list[str]], own_files: Collection[str], hint: str) -> Iterator[str]:
    own = [frame for frame in frames if (match := _FRAME.match(frame[0])) and match["file"] in own_files]
    kept = own or list(frames[-LAST_FRAMES:])
    for frame in kept:
        yield from frame
    if left_out := len(frames) - len(kept):
        yield f"  ... {left_out} frame{'' if left_out == 1 else 's'} of libraries{hint}"
