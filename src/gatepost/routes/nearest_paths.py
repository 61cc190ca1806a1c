"""Which path a client may have meant: told in development, where what is served is no secret."""

import re
from collections.abc import Iterable

from gatepost.hints import NAME_LENGTH_MAX, nearest

_PARAMETER = re.compile(r"\{[^{}/]+\}")

_LISTED = 3


class NearestPaths:
    """Finds the paths that are near to one that is unknown, among the patterns of all operations."""

    def __init__(self, patterns: Iterable[str]) -> None:
        self._patterns = sorted({*patterns})

    def hint(self, path: str) -> str:
        """A sentence on what there is instead, with a space before it; nothing where no path is near."""
        path = path.rstrip("/")
        if not path or len(path) > NAME_LENGTH_MAX:
            return ""
        below = [pattern for pattern in self._patterns if pattern.startswith(f"{path}/")]
        segments = path.split("/")
        filled = {found for each in self._patterns if (found := _filled(each, segments))}
        filled.update(each for each in self._patterns if "{" not in each)
        if path not in filled and below:
            more = " and more" if len(below) > _LISTED else ""
            return f" Below it are {', '.join(below[:_LISTED])}{more}."
        longer = next((pattern for pattern in self._patterns if pattern.endswith(path)), None)
        found = longer or nearest(path, filled)
        return "" if found is None else f" Did you mean {found}?"


def _filled(pattern: str, segments: list[str]) -> str | None:
    """The pattern with the path's own segments in place of its parameters; None where the numbers differ, or where
    another segment is unlike: what stands for a parameter may be anything, and makes any two paths look alike."""
    parts = pattern.split("/")
    if len(parts) != len(segments):
        return None
    pairs = [*zip(parts, segments, strict=True)]
    if "{" in pattern and any(
        not _PARAMETER.fullmatch(part) and nearest(given, [part]) is None for part, given in pairs
    ):
        return None
    return "/".join(given if _PARAMETER.fullmatch(part) else part for part, given in pairs)
