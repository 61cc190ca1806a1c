"""The headers of files: type, name, and what keeps a browser from running what is inside.

RFC 6266 and RFC 8187 (`Content-Disposition`).
"""

import os
from mimetypes import MimeTypes
from pathlib import PurePath
from urllib.parse import quote

from gatepost.declaring.files import File
from gatepost.errors import Header

BINARY = "application/octet-stream"

_TYPES = MimeTypes()
"""Those that Python knows itself: the same on each machine."""

_CODED = {"gzip": "application/gzip", "bzip2": "application/x-bzip2", "xz": "application/x-xz"}
"""A file that is compressed is sent as what it is."""

_ACTIVE = ("text/html", "text/xml", "application/xml")
"""Types in which scripts run; those that end in `+xml`, such as SVG, as well."""

POLICY = b"content-security-policy"

SANDBOX: Header = (
    POLICY,
    b"sandbox; default-src 'none'; img-src data:; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'; "
    b"form-action 'none'",
)
"""An own origin, without scripts and forms (CSP 3, `sandbox`)."""

_ATTRIBUTE_CHARACTERS = "!#$&+.^_`|~"
"""Besides letters, digits and `-`: what stands for itself in a value that is encoded (RFC 8187, section 3.2.1)."""


def content_type_of(file: File) -> bytes:
    """The type of a file: its own, or by the ending of its name."""
    if file.content_type is not None:
        return file.content_type.encode()
    found, coding = _TYPES.guess_type(name_of(file) or "", strict=False)
    if coding is not None:
        return _CODED.get(coding, BINARY).encode()
    return (found or BINARY).encode()


def name_of(file: File) -> str | None:
    """What a client saves it as."""
    if file.name is None and isinstance(file.content, os.PathLike):
        return PurePath(file.content).name
    return file.name


def disposition_of(file: File) -> Header:
    """How a browser treats a file: saved under its name, or shown."""
    value = "inline" if file.inline else "attachment"
    if (name := name_of(file)) is not None:
        name = name.replace("/", "_").replace("\\", "_")
        plain = "".join(sign if " " <= sign <= "~" and sign not in '"%' else "_" for sign in name)
        value += f'; filename="{plain}"'
        if plain != name:
            value += f"; filename*=UTF-8''{quote(name, safe=_ATTRIBUTE_CHARACTERS, errors='replace')}"
    return b"content-disposition", value.encode()


def is_active(content_type: bytes) -> bool:
    """Whether a browser that shows it would run what is inside."""
    media_type = content_type.partition(b";")[0].strip().lower().decode("latin-1")
    return media_type in _ACTIVE or media_type.endswith("+xml")
