"""`ConsoleFiles`: the page of the console with the files that it loads, and the headers that each is sent with.

Read once, when they are first asked for. The admin listener and the public one serve the same: each makes its own kind
of response of a `ConsoleFile`.
"""

import hashlib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import NamedTuple

ROOT = "/console"
ASSETS = f"{ROOT}/assets/"
DATA = f"{ROOT}/api/"
"""What stands before the path of a page of the admin listener."""
SESSION = f"{ROOT}/session"
DATA_OPERATION, CHANGE_OPERATION = "console.data", "console.change"
"""What a public listener calls asking for data, and for a change. What fails there is what was looked at."""

POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data:",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'self'",
        "frame-ancestors 'none'",
        "require-trusted-types-for 'script'",
        "trusted-types 'none'",
    )
)
"""No script but the files of the console runs, and none of them can turn text into markup or code (Trusted Types):
lines of the log and messages of errors are what anybody has sent."""

HEADERS: Mapping[str, str] = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}
"""Of every response of the console; the gate of a public listener sets most of them itself."""

_FOLDER = Path(__file__).parent / "web"
_TYPES: Mapping[str, str] = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
    ".json": "application/json",
    ".txt": "text/plain; charset=utf-8",
}
_INDEX = "index.html"


class ConsoleFile(NamedTuple):
    """A file as it is sent. `tag` is its entity tag: a browser keeps the file, and asks whether it is still the
    same."""

    body: bytes
    content_type: str
    tag: str

    def is_known(self, condition: str) -> bool:
        """Whether `If-None-Match` names it (RFC 9110, section 13.1.2). A cache that codes the body may have added to
        the tag."""
        named = (each.strip().removeprefix("W/") for each in condition.split(","))
        opaque = self.tag.strip('"')
        return any(each == "*" or each.strip('"').partition("-")[0] == opaque for each in named)


class ConsoleFiles:
    """The files below a folder by their path there, such as `console.css` or `pages/now.js`."""

    def __init__(self, files: Mapping[str, ConsoleFile]) -> None:
        self._files = files

    @property
    def index(self) -> ConsoleFile:
        """The page, which is the same at every address of the console: its script reads the address."""
        return self._files[_INDEX]

    def find(self, name: str) -> ConsoleFile | None:
        """A file that the page loads; None where there is none of this name."""
        return None if name == _INDEX else self._files.get(name)


@cache
def console_files() -> ConsoleFiles:
    """Those of this release."""
    found = {
        path.relative_to(_FOLDER).as_posix(): _read(path, content_type)
        for path in sorted(_FOLDER.rglob("*"))
        if (content_type := _TYPES.get(path.suffix)) is not None
    }
    return ConsoleFiles(found)


def _read(path: Path, content_type: str) -> ConsoleFile:
    body = path.read_bytes()
    return ConsoleFile(body, content_type, f'"{hashlib.sha256(body).hexdigest()[:32]}"')
