"""How the headers of one path are declared: what a resource, a mount or an action answers otherwise than all others.

Read at start by `gateway/security_headers.py`, which composes the whole set; nothing is merged per request.
"""

import re
from collections.abc import Mapping

from gatepost.errors import ConfigurationError, Header

_NAME = re.compile(r"[!#$%&'*+\-.^_`|~0-9a-z]+")
_VALUE = re.compile(r"[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?")

_ELSEWHERE: dict[str, str] = {
    "strict-transport-security": "It holds for the whole host: set GATEPOST_HSTS_SECONDS.",
    "ratelimit": "Use rate_limit=.",
    "ratelimit-policy": "Use rate_limit=.",
}
_OF_ONE_ANSWER = frozenset(
    {
        *("allow", "connection", "content-encoding", "content-length", "content-type", "date", "etag", "keep-alive"),
        *("location", "retry-after", "server", "set-cookie", "trailer", "transfer-encoding", "upgrade"),
        *("www-authenticate", "x-request-id"),
    }
)


class Headers:
    """Headers of one path: `values` replace the gate's own or stand beside them, `removed` are left out.

    Compared by identity: what is composed from it is kept by it.
    """

    __slots__ = ("removed", "values")

    def __init__(self, given: Mapping[str, str | None], *, location: str) -> None:
        """`given` maps names to values, None to leave a header out. Raises `ConfigurationError`."""
        names = [name.lower() for name in given]
        for name, value in zip(names, given.values(), strict=True):
            _check(name, value, location)
        if len(set(names)) < len(names):
            raise ConfigurationError(
                "headers= contains a header twice.", location=location, hint="Names are case-insensitive."
            )
        pairs = list(zip(names, given.values(), strict=True))
        self.values: tuple[Header, ...] = tuple(
            (name.encode(), value.encode()) for name, value in pairs if value is not None
        )
        self.removed = frozenset(name.encode() for name, value in pairs if value is None)

    def __repr__(self) -> str:
        return f"Headers({dict(self.values)}, removed={sorted(self.removed)})"


def _check(name: str, value: str | None, location: str) -> None:
    if _NAME.fullmatch(name) is None:
        raise ConfigurationError(f"headers= has {name!r}, which is not a header name.", location=location)
    if name.startswith("access-control-"):
        raise ConfigurationError(f"headers= cannot set {name}.", location=location, hint="Use cors=CORS(...).")
    if name in _ELSEWHERE:
        raise ConfigurationError(f"headers= cannot set {name}.", location=location, hint=_ELSEWHERE[name])
    if name in _OF_ONE_ANSWER:
        raise ConfigurationError(
            f"headers= cannot set {name}.",
            location=location,
            hint="It belongs to a single response or to the connection.",
        )
    if value is not None and _VALUE.fullmatch(value) is None:
        raise ConfigurationError(
            f"headers= sets {name} to {value!r}.",
            location=location,
            hint="Write visible ASCII without line breaks, or None to leave the header out.",
        )
