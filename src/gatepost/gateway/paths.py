"""Strange paths, refused before anybody interprets them.

A server decodes the path once; who decodes it again, or compares it with the raw one, sees another resource. So a path
whose decoding is ambiguous never gets past this point: 400 `malformed_request`.
"""

import re
from urllib.parse import unquote_to_bytes

from gatepost.errors import BadRequest
from gatepost.request import Scope

# Every escape is whole and stands for neither a control character nor a slash or backslash.
_ESCAPES = re.compile(rb"(?:[^%]|%(?![01][0-9a-f]|7f|2f|5c)[0-9a-f]{2})*", re.IGNORECASE)
_CONTROLS = re.compile(r"[\x00-\x1f\x7f\\]")
# What an everyday path is free of: then one pass over its bytes is all the work there is.
_SUSPICIOUS = bytes([*range(0x20), 0x7F, *b"%\\"])


def check_path(scope: Scope) -> None:
    """Raise `BadRequest` for control characters, broken or ambiguous escapes, and text that is not UTF-8."""
    raw: bytes = scope.get("raw_path") or scope["path"].encode("utf-8", "surrogateescape")
    if raw.translate(None, _SUSPICIOUS) == raw:
        return
    if b"%" in raw:
        _check_escapes(raw)
    _check_characters(scope["path"])


def _check_escapes(raw: bytes) -> None:
    if _ESCAPES.fullmatch(raw) is None:
        raise BadRequest(
            "malformed_request", "The path has an escape that is broken or hides a control character or a slash."
        )
    try:
        unquote_to_bytes(raw).decode("utf-8")
    except UnicodeDecodeError:
        raise BadRequest("malformed_request", "The path is not UTF-8.") from None


def _check_characters(path: str) -> None:
    if _CONTROLS.search(path) is not None:
        raise BadRequest("malformed_request", "The path holds a control character or a backslash.")
