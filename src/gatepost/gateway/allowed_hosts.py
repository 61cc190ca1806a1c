"""Which hosts this server serves: the syntax of `Host`, and the configured list.

Called by `header_checks.py` for every request. A `Host` that has passed is remembered, so that the common case is one
lookup.
"""

import re
import socket
from collections.abc import Sequence

from gatepost.bounded_cache import BoundedCache
from gatepost.errors import BadRequest, ConfigurationError, MisdirectedRequest
from gatepost.gateway.header_profiles import CLOSE

# RFC 9110, section 7.2: a name as DNS knows it (underscores are found in the wild) or an IP literal, and a port.
_HOST = re.compile(
    rb"(?P<name>(?!.*\.\.)[0-9a-z_](?:[0-9a-z_.-]{0,252}[0-9a-z_.])?|\[[0-9a-f:.]{2,45}\])(?::(?P<port>[0-9]{1,5}))?",
    re.IGNORECASE,
)
_ENTRY = re.compile(r"(?:\*\.)?(?:[0-9a-z_]+(?:[.-]+[0-9a-z_]+)*|\[[0-9a-f:.]{2,45}\])(?::[0-9]{1,5})?")

REMEMBERED_MAX = 1024
"""Good hosts that are remembered; with a list there are few, without one a client can invent them."""


class AllowedHosts:
    """The rule of one list: `shop.example` (at any port), `shop.example:8443`, `*.shop.example` (what is below it).

    An empty list admits every well-formed host. `known` holds those that need no second look.
    """

    def __init__(self, allowed: Sequence[str]) -> None:
        entries = [_checked(entry) for entry in allowed]
        self._allowed = frozenset(entry for entry in entries if not entry.startswith(b"*"))
        self._suffixes = tuple(entry[1:] for entry in entries if entry.startswith(b"*"))
        self.known = BoundedCache[bytes, None](REMEMBERED_MAX)

    def check(self, host: bytes) -> None:
        """Raise 400 `malformed_request` for what is not a host, 421 `unknown_host` for one that is not on the list.

        421, because the request may be a good one that came to the wrong server (RFC 9110, section 15.5.20): a client
        may ask again over another connection, and a log tells it from a broken request.
        """
        found = _HOST.fullmatch(host)
        if found is None or int(found["port"] or 0) > 0xFFFF or not _is_literal_good(found["name"]):
            raise BadRequest("malformed_request", "Send one Host: a name or an address, and a port.", headers=[CLOSE])
        name = found["name"].lower()
        if (self._allowed or self._suffixes) and not self._is_allowed(name, host.lower()):
            raise MisdirectedRequest("unknown_host", "This server does not serve that host.", headers=[CLOSE])
        self.known[host] = None

    def _is_allowed(self, name: bytes, host: bytes) -> bool:
        if name in self._allowed or host in self._allowed:
            return True
        return name.endswith(self._suffixes) or host.endswith(self._suffixes)


def _is_literal_good(name: bytes) -> bool:
    """Whether what stands in brackets, if anything does, is an IPv6 address."""
    if not name.startswith(b"["):
        return True
    try:
        socket.inet_pton(socket.AF_INET6, name[1:-1].decode())
    except OSError:
        return False
    return True


def _checked(entry: str) -> bytes:
    if _ENTRY.fullmatch(entry.lower()) is None:
        raise ConfigurationError(
            f"{entry!r} is not a host.",
            location="GATEPOST_ALLOWED_HOSTS",
            hint="List names without scheme and path, where needed with a port: shop.example, *.shop.example.",
        )
    return entry.lower().encode()
