"""Headers of conditional requests, which are lists: `If-Match`, `If-None-Match`. Read by the derived controllers."""

from collections.abc import Mapping

from gatepost.request import Scope


def whole_list(headers: Mapping[bytes, bytes], scope: Scope, name: bytes) -> bytes | None:
    """All lines of a list header as one value (RFC 9110, section 5.3); None where there is none, which costs one look.

    `headers` are the request's, which keep the last line of each name; a client, or a proxy on the way, may have sent
    several, and the scope has them all.
    """
    last = headers.get(name)
    if last is None:
        return None
    lines = [value for key, value in scope["headers"] if key == name]
    return last if len(lines) == 1 else b", ".join(lines)
