"""Where code stands: `file:line` of a class, a function, an attribute or a call, for messages and for lists.

A foundation. Files are shown relative to the current folder where they are below it.
"""

import inspect
import linecache
import os
import re
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Any


def location_of(code: Any) -> str:
    """`file:line` of a class, function or method; the file alone where the line is not known, else nothing."""
    code = getattr(code, "__func__", code)
    file = _file_of(code)
    if inspect.isfunction(code):
        return shown_location(file, code.__code__.co_firstlineno)
    # `inspect.getsourcelines` parses the whole file for a class.
    return shown_location(file, next(iter(_lines_of_class(file, code.__name__)), None))


def attribute_location(model: type[Any], name: str) -> str:
    """`file:line` of the statement in the body of a class, or of a class that it inherits from, that makes an
    attribute, or of the function that is a hybrid; otherwise of the class."""
    for owner in model.__mro__:
        getter = getattr(vars(owner).get(name), "fget", None)
        if getattr(getter, "__name__", None) == name:
            return location_of(getter)
        if owner.__module__.partition(".")[0] not in ("builtins", "sqlalchemy"):
            file = _file_of(owner)
            line = line_of_attribute(file, owner.__name__, name)
            if line is not None:
                return shown_location(file, line)
    return location_of(model)


def line_of_attribute(file: str, owner: str, name: str) -> int | None:
    """The line of the statement in the body of a class that makes an attribute, for a class whose module may not be to
    be had, because its import failed."""
    wanted = re.compile(rf"\s+{re.escape(name)}\s*[:=]")
    lines = linecache.getlines(file)
    for begin in _lines_of_class(file, owner):
        depth = _indentation(lines[begin - 1])
        for number, line in enumerate(lines[begin:], begin + 1):
            if line.strip() and _indentation(line) <= depth:
                break
            if wanted.match(line):
                return number
    return None


def caller_location() -> str:
    """`file:line` of the innermost call that is not Gatepost's own."""
    frame = sys._getframe(1)  # pyright: ignore[reportPrivateUsage]
    while frame.f_back is not None and is_gateposts(frame.f_code.co_filename):
        frame = frame.f_back
    return shown_location(frame.f_code.co_filename, frame.f_lineno)


def raised_at(error: BaseException) -> str | None:
    """`file:line` of the innermost line that is the user's own: not Gatepost's, not a library's, not the importer's."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if is_own(frame.filename)]
    return shown_location(own[-1].filename, own[-1].lineno) if own else None


def is_raised_by_user(error: BaseException) -> bool:
    """Whether the very line that raises is the user's own."""
    frames = traceback.extract_tb(error.__traceback__)
    return bool(frames) and is_own(frames[-1].filename)


def shown_location(file: str, line: int | None) -> str:
    """`file:line`, relative to the current folder where it is below it; the file alone where the line is not known."""
    path, folder = Path(file), Path.cwd()
    shown = path.relative_to(folder) if path.is_relative_to(folder) else path
    return "" if not file else f"{shown}:{line}" if line is not None else str(shown)


def is_gateposts(file: str) -> bool:
    """Whether a file is part of this package."""
    return file.startswith(_PACKAGE)


_PACKAGE = f"{Path(__file__).parent}{os.sep}"
_STANDARD_LIBRARY = f"{os.path.dirname(os.__file__)}{os.sep}"


def is_own(file: str) -> bool:
    """Whether a file is the user's own: not Gatepost's, not a library's, not the importer's."""
    if file.startswith(("<", _PACKAGE)) or "site-packages" in file:
        return False
    return Path(file).is_relative_to(Path.cwd()) or not file.startswith((sys.base_prefix + os.sep, _STANDARD_LIBRARY))


def _file_of(code: Any) -> str:
    try:
        return inspect.getsourcefile(code) or ""
    except TypeError:
        return ""


def _lines_of_class(file: str, name: str) -> Sequence[int]:
    """The lines of a file on which classes of this name begin. A file is searched once, until it is read anew."""
    lines = linecache.getlines(file)
    known = _CLASSES.get(file)
    if known is None or known[0] is not lines:
        numbers: dict[str, list[int]] = {}
        for number, line in enumerate(lines, 1):
            if found := _CLASS.match(line):
                numbers.setdefault(found[1], []).append(number)
        known = _CLASSES[file] = (lines, numbers)
    return known[1].get(name, ())


_CLASS = re.compile(r"\s*class (\w+)")

_CLASSES: dict[str, tuple[list[str], dict[str, list[int]]]] = {}


def _indentation(line: str) -> int:
    return len(line) - len(line.lstrip())
