"""Files: what an endpoint returns to send bytes, a file of the disk, or bytes that come from elsewhere.

Declared values; `controllers/file_endpoints.py` sends them.
"""

import re
from collections.abc import AsyncIterable
from datetime import datetime
from os import PathLike
from typing import Any, cast

from gatepost.response_fields import field_value

_TAG = re.compile(r"[!#-~]+")
"""RFC 9110, section 8.8.3, limited to ASCII."""

_CONTROL = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")


class File:
    """What an endpoint returns to send a file: `return File(Path("reports/2026.pdf"))`.

    `content` is bytes, the path of a file, or an async iterator of bytes together with their `length`. The path may
    come from a client, or from what one has stored, only together with `root=`: then it is relative, and nothing
    outside of that folder is sent.

    `name` is what the client saves it as, that of the path without one; `content_type` follows from the name. Browsers
    save a file unless it is `inline`. Of a path, `etag` and `last_modified` are known, and an `etag` of bytes.

    Raises `TypeError` and `ValueError` for what cannot be sent.
    """

    __slots__ = ("content", "content_type", "etag", "inline", "last_modified", "length", "name", "root")

    def __init__(  # noqa: PLR0913 - what is known of a file
        self,
        content: "bytes | PathLike[str] | AsyncIterable[bytes]",
        *,
        name: str | None = None,
        content_type: str | None = None,
        inline: bool = False,
        length: int | None = None,
        etag: str | None = None,
        last_modified: datetime | None = None,
        root: "PathLike[str] | None" = None,
    ) -> None:
        is_iterated = hasattr(cast("Any", content), "__aiter__")
        if not (is_iterated or isinstance(content, bytes | PathLike)):
            raise TypeError(f"File takes bytes, a Path, or an async iterator of bytes, not {type(content).__name__}.")
        if is_iterated != (length is not None) or (length is not None and length < 0):
            raise TypeError("File takes length= of an async iterator, and of nothing else.")
        if root is not None and not isinstance(content, PathLike):
            raise TypeError("File takes root= of a path, and of nothing else.")
        if name is not None and (not name or _CONTROL.search(name)):
            raise ValueError(f"A file cannot be called {name!r}: write a name without control characters.")
        if etag is not None and _TAG.fullmatch(etag) is None:
            raise ValueError(f"An entity tag cannot be {etag!r}: write visible ASCII without quotes.")
        if last_modified is not None and last_modified.tzinfo is None:
            raise ValueError("last_modified= has no time zone: write datetime.now(UTC).")
        if content_type is not None:
            field_value("content-type", content_type)
        self.content = content
        self.name = name
        self.content_type = content_type
        self.inline = inline
        self.length = length
        self.etag = etag
        self.last_modified = last_modified
        self.root = root
