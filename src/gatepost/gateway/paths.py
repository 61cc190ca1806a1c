"""Ambiguous paths, refused before anything interprets them.

A server decodes the path once; who decodes it again, compares it with the raw one, removes dot segments or merges
slashes, sees another resource. So a path that two readers may read differently never gets past this point: 400
`malformed_request`. What is merely unusual (`;`, a slash at the end, capitals, `%25`) means itself, and is looked up as
it stands.
"""

import re
from urllib.parse import unquote_to_bytes

from gatepost.asgi import Scope
from gatepost.errors import BadRequest, URITooLong

# Every escape is whole and stands for neither a control character nor a slash or backslash.
_ESCAPES = re.compile(rb"(?:[^%]|%(?![01][0-9a-f]|7f|2f|5c)[0-9a-f]{2})*", re.IGNORECASE)
_CONTROLS = re.compile(r"[\x00-\x1f\x7f\\]")
_DOT_SEGMENT = re.compile(r"/\.\.?(?:/|\Z)")
# An everyday path has none of these: then one pass over its bytes, which changes nothing, is all the work there is.
_SUSPICIOUS = {*range(0x20), 0x7F, *range(0x80, 0x100), *b"%\\."}
_MARKED = bytes(byte ^ 1 if byte in _SUSPICIOUS else byte for byte in range(0x100))


def check_path(scope: Scope, uri_bytes_max: int) -> None:
    """Raise `URITooLong` for more bytes than that in path and query, and `BadRequest` for a path that does not begin
    with a slash, for empty and dot segments, control characters, broken or ambiguous escapes, and what is not UTF-8.
    `*` is a path of OPTIONS alone (RFC 9110, section 9.3.7)."""
    path: str = scope["path"]
    raw: bytes = scope.get("raw_path") or path.encode("utf-8", "surrogateescape")
    if len(raw) + len(scope["query_string"]) > uri_bytes_max:
        raise URITooLong("uri_too_long", f"Path and query have more than {uri_bytes_max} bytes.")
    if "//" in path or path[:1] != "/":
        _check_slashes(path, scope["method"])
    if raw.translate(_MARKED) == raw:
        return
    if b"%" in raw:
        _check_escapes(raw)
    if scope.get("raw_path") and not raw.isascii():
        raise _malformed("The path has a byte beyond ASCII; write it as an escape: %C3%A9.")
    _check_characters(path)


def _malformed(detail: str) -> BadRequest:
    return BadRequest("malformed_request", detail)


def _check_slashes(path: str, method: str) -> None:
    if path[:1] == "/":
        raise _malformed("The path has an empty segment: two slashes beside each other.")
    if path != "*" or method != "OPTIONS":
        raise _malformed("The path has to begin with a slash.")


def _check_escapes(raw: bytes) -> None:
    if _ESCAPES.fullmatch(raw) is None:
        raise _malformed("The path has an escape that is broken or hides a control character or a slash.")
    try:
        unquote_to_bytes(raw).decode("utf-8")
    except UnicodeDecodeError:
        raise _malformed("The path is not UTF-8.") from None


def _check_characters(path: str) -> None:
    if _CONTROLS.search(path) is not None:
        raise _malformed("The path holds a control character or a backslash.")
    if _DOT_SEGMENT.search(path) is not None:
        raise _malformed("The path has a segment that is only dots.")
