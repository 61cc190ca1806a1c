"""`Content-Type` and `Content-Encoding`, read as strictly as RFC 9110 writes them.

Called by `body_limits.py` for types that are not written in the usual way. Lenient parsers disagree about odd values,
and a browser sends some of them cross-origin without a preflight (Fetch standard, CORS-safelisted request-header):
a value that is not certainly one of the accepted types is refused.
"""

import re

URLENCODED = b"application/x-www-form-urlencoded"
"""A form without files (WHATWG URL standard)."""

_TOKEN = rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_QUOTED = rb'"(?:[^"\\\x00-\x08\x0a-\x1f\x7f]|\\[^\x00-\x08\x0a-\x1f\x7f])*"'
_PARAMETER = re.compile(rb"[ \t]*;[ \t]*(?:(" + _TOKEN + rb")=(" + _TOKEN + rb"|" + _QUOTED + rb"))?")
_TYPE = re.compile(_TOKEN + rb"/" + _TOKEN)


def media_type(value: bytes) -> bytes | None:
    """The type in lower case without its parameters; None where it is malformed or its charset is not UTF-8.

    Parameters other than `charset` are ignored: JSON defines none (RFC 8259, section 11).
    """
    value = value.strip(b" \t")
    found = _TYPE.match(value)
    if found is None:
        return None
    position = found.end()
    charsets: list[bytes] = []
    while position < len(value):
        parameter = _PARAMETER.match(value, position)
        if parameter is None:
            return None
        if parameter[1] is not None and parameter[1].lower() == b"charset":
            charsets.append(parameter[2].lower())
        position = parameter.end()
    return found[0].lower() if charsets in ([], [b"utf-8"], [b'"utf-8"']) else None


def is_plain(value: bytes) -> bool:
    """Whether a `Content-Encoding` says that nothing is encoded; an empty list and `identity` do."""
    return all(coding.strip(b" \t").lower() in (b"", b"identity") for coding in value.split(b","))
