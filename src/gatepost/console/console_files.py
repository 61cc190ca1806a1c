"""`ConsoleFiles`: the page of the console with the files that it loads, and the headers that each is sent with.

Read once, when they are first asked for. The admin listener and the public one serve the same: each makes its own kind
of response of a `ConsoleFile`. The page names its files with the version of all of them, so that a browser asks for
each once.
"""

import gzip
import hashlib
import re
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
_VERSION_LENGTH = 16
_version_form = re.compile(rf"[0-9a-f]{{{_VERSION_LENGTH}}}")

_ASKED_AGAIN = "private, no-cache"
_KEPT = "private, max-age=31536000, immutable"


class ConsoleFile(NamedTuple):
    """A file as it is sent. `tag` is its entity tag, `caching` says how long a browser keeps it: where the address has
    the version, for good; else it asks whether the file is still the same."""

    body: bytes
    content_type: str
    tag: str
    caching: str = _ASKED_AGAIN

    def is_known(self, condition: str) -> bool:
        """Whether `If-None-Match` names it (RFC 9110, section 13.1.2). A cache that codes the body may have added to
        the tag."""
        named = (each.strip().removeprefix("W/") for each in condition.split(","))
        opaque = self.tag.strip('"')
        return any(each == "*" or each.strip('"').partition("-")[0] == opaque for each in named)

    @property
    def compressed(self) -> bytes:
        """The body in gzip. Made once."""
        return _compressed(self.body)


class ConsoleFiles:
    """The files below a folder by their path there, such as `console.css` or `pages/now.js`."""

    def __init__(self, bodies: Mapping[str, bytes]) -> None:
        digest = hashlib.sha256()
        for name, body in bodies.items():
            digest.update(f"{name}\0{len(body)}\0".encode() + body)
        self.version = digest.hexdigest()[:_VERSION_LENGTH]
        """That of all files together: it stands in the addresses by which the page names them."""
        named = bodies[_INDEX].replace(ASSETS.encode(), f"{ASSETS}{self.version}/".encode())
        self.index = _made(_INDEX, named)
        """The page, which is the same at every address of the console: its script reads the address."""
        self._files = {name: _made(name, body) for name, body in bodies.items() if name != _INDEX}
        self._kept = {name: file._replace(caching=_KEPT) for name, file in self._files.items()}

    def compress(self) -> None:
        """Compress all of them now, so that no browser waits for that."""
        for file in self._files.values():
            _compressed(file.body)

    def find(self, path: str) -> ConsoleFile | None:
        """A file that the page loads, by what stands behind `/console/assets/`; None where there is none. A page of
        another release gets what there is."""
        version, _, rest = path.partition("/")
        if version == self.version:
            return self._kept.get(rest)
        return self._files.get(rest if _version_form.fullmatch(version) else path)


@cache
def console_files() -> ConsoleFiles:
    """Those of this release."""
    paths = sorted(path for path in _FOLDER.rglob("*") if path.suffix in _TYPES)
    return ConsoleFiles({path.relative_to(_FOLDER).as_posix(): path.read_bytes() for path in paths})


def _made(name: str, body: bytes) -> ConsoleFile:
    return ConsoleFile(body, _TYPES[Path(name).suffix], f'"{hashlib.sha256(body).hexdigest()[:32]}"')


@cache
def _compressed(body: bytes) -> bytes:
    return gzip.compress(body, mtime=0)
